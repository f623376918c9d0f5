// LISTENER over TLS: whom it lets in, what it never takes for whole, and when it closes.
#include "tests/net/tls_raw_client.hpp"

#include <atomic>
#include <chrono>
#include <thread>

using namespace postrider;
using namespace postrider::test;
using namespace std::string_literals;

namespace {

const std::string head = "POST /in/acme/github HTTP/1.1\r\nHost: localhost\r\n";
const std::string whole = head + "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
const std::string over_http_1_1 = "\x08http/1.1";

http_server_limits quick() {
  http_server_limits out;
  out.tls_timeout = out.head_timeout = out.body_timeout = out.idle_timeout = out.answer_timeout = milliseconds{300};
  return out;
}

/// What a listener is made of, with files that live as long as this.
struct tls_world {
  test_authority authority;
  test_identity identity = authority.issue({.name = "DNS:localhost"});
  test_file certificate{identity.certificate};
  test_file key{identity.key};
  std::vector<tls_file_finding> errors, warnings;

  std::shared_ptr<const tls_server> make(const std::string& client_ca = {}) {
    errors.clear();
    warnings.clear();
    return tls_server::make({certificate.path(), key.path(), client_ca},
                            std::chrono::floor<milliseconds>(std::chrono::system_clock::now()), errors, warnings);
  }
  std::shared_ptr<const tls_server> good = make();
};

struct tls_server_fixture : tls_world, server_fixture {
  explicit tls_server_fixture(http_server_limits limits = {}) : server_fixture(limits, good) {}
  bool eventually_closed() {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    while (counts.connections_public.value() != 0)
      if (std::chrono::steady_clock::now() > until)
        return false;
      else
        std::this_thread::yield();
    return true;
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(http_server_tls)

BOOST_AUTO_TEST_CASE(webhooks_are_taken_over_1_2_and_1_3_one_after_the_other) {
  tls_server_fixture fixture;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    tls_raw_client client{fixture.public_address(), {.version_max = version, .protocols = over_http_1_1}};
    BOOST_TEST(client.failed == "");
    BOOST_TEST(SSL_version(client.ssl()) == version);
    for (int i = 0; i < 3; ++i) {
      client.send(whole);
      const auto answer = client.receive();
      BOOST_TEST(answer.status == 200);
      BOOST_TEST(answer.header("x-request-id").size() == 16U);
    }
    const unsigned char* protocol = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(client.ssl(), &protocol, &size);
    BOOST_TEST(std::string(reinterpret_cast<const char*>(protocol), size) == "http/1.1");
  }
  BOOST_TEST(fixture.gate.last().over_tls);
}

BOOST_AUTO_TEST_CASE(the_operator_listener_speaks_tls_as_well) {
  tls_server_fixture fixture;
  tls_raw_client client{fixture.operator_address()};
  client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
  BOOST_TEST(client.receive().status == 200);
}

BOOST_AUTO_TEST_CASE(requests_may_come_in_one_record_or_byte_by_byte) {
  tls_server_fixture fixture;
  tls_raw_client client{fixture.public_address()};
  client.send(whole + whole + whole);
  for (int i = 0; i < 3; ++i)
    BOOST_TEST(client.receive().status == 200);
  for (const char c : whole)
    client.send({&c, 1});
  BOOST_TEST(client.receive().status == 200);
}

BOOST_AUTO_TEST_CASE(large_bodies_come_whole_by_length_and_in_chunks) {
  tls_server_fixture fixture;
  tls_raw_client client{fixture.public_address()};
  const std::string body(900'000, 'b');
  client.send(head + "Content-Length: 900000\r\n\r\n" + body);
  BOOST_TEST(client.receive().status == 200);
  BOOST_TEST((fixture.gate.last().body == body));
  client.send(head + "Transfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 9; ++i)
    client.send("186a0\r\n" + body.substr(0, 100'000) + "\r\n");
  client.send("0\r\n\r\n");
  BOOST_TEST(client.receive().status == 200);
  BOOST_TEST((fixture.gate.last().body == body));
}

BOOST_AUTO_TEST_CASE(many_at_once_on_both_threads) {
  tls_server_fixture fixture;
  std::atomic<int> good{0};
  std::vector<std::thread> all;
  for (int i = 0; i < 8; ++i)
    all.emplace_back([&] {
      for (int n = 0; n < 5; ++n) {
        tls_raw_client client{fixture.public_address()};
        client.send(whole);
        good += client.receive().status == 200 ? 1 : 0;
      }
    });
  for (auto& one : all)
    one.join();
  BOOST_TEST(good.load() == 40);
}

BOOST_AUTO_TEST_CASE(versions_and_ciphers_that_are_too_old_are_refused) {
  tls_server_fixture fixture;
  const auto refused = [&](const tls_manner& how) {
    return !tls_raw_client{fixture.public_address(), how}.failed.empty();
  };
  BOOST_TEST(refused({.version_min = TLS1_VERSION, .version_max = TLS1_1_VERSION}));
  BOOST_TEST(refused({.version_max = TLS1_2_VERSION, .ciphers_1_2 = "AES128-SHA:AES256-GCM-SHA384"}));
  BOOST_TEST(refused({.version_max = TLS1_2_VERSION, .ciphers_1_2 = "ECDHE-ECDSA-AES128-SHA"}));
  BOOST_TEST(!refused({.version_max = TLS1_2_VERSION, .ciphers_1_2 = "ECDHE-ECDSA-AES128-GCM-SHA256"}));
  BOOST_TEST(fixture.counts.tls_handshakes_failed.value() == 3U);
}

BOOST_AUTO_TEST_CASE(a_client_that_offers_other_protocols_only_is_told_so) {
  tls_server_fixture fixture;
  const tls_raw_client other{fixture.public_address(), {.protocols = "\x02h2"}};
  BOOST_TEST(other.failed.find("no application protocol") != std::string::npos, other.failed);
  BOOST_TEST(tls_raw_client(fixture.public_address(), {.protocols = "\x02h2" + over_http_1_1}).failed == "");
  BOOST_TEST(tls_raw_client(fixture.public_address()).failed == "");
}

BOOST_AUTO_TEST_CASE(plain_http_gets_no_answer_and_is_closed_at_once) {
  tls_server_fixture fixture;
  raw_client client{fixture.public_address()};
  client.send(whole);
  BOOST_TEST(client.closed());
  BOOST_TEST(fixture.gate.count() == 0U);
  BOOST_TEST(fixture.counts.tls_handshakes_failed.value() == 1U);
}

BOOST_AUTO_TEST_CASE(who_never_speaks_or_drips_its_handshake_is_closed_at_the_deadline) {
  tls_server_fixture fixture{quick()};
  raw_client silent{fixture.public_address()};
  BOOST_TEST(silent.closed());
  raw_client dripping{fixture.public_address()};
  std::atomic<bool> stop{false};
  std::thread drip{[&] { // the header of a record that promises 16 KiB, then a byte now and then
    dripping.send("\x16\x03\x01\x40\x00"s);
    while (!stop) {
      dripping.send("\x01"s);
      std::this_thread::sleep_for(std::chrono::milliseconds{20}); // the pace of the peer, not a wait for something
    }
  }};
  BOOST_TEST(dripping.closed());
  stop = true;
  drip.join();
  BOOST_TEST(fixture.eventually_closed());
  BOOST_TEST(fixture.gate.count() == 0U);
}

BOOST_AUTO_TEST_CASE(a_handshake_has_a_bound_in_bytes) {
  auto limits = http_server_limits{};
  limits.tls_handshake_max = 100; // less than any client's first message
  tls_server_fixture fixture{limits};
  BOOST_TEST(!tls_raw_client(fixture.public_address()).failed.empty());
  BOOST_TEST(fixture.eventually_closed());
}

BOOST_AUTO_TEST_CASE(slow_heads_and_idle_connections_meet_the_usual_deadlines) {
  tls_server_fixture fixture{quick()};
  tls_raw_client slow{fixture.public_address()};
  slow.send("POST /in/a/b HT");
  BOOST_TEST(slow.receive().status == 408);
  BOOST_TEST(slow.closed());
  BOOST_TEST(slow.heard_goodbye());
  tls_raw_client idle{fixture.public_address()};
  idle.send(whole);
  BOOST_TEST(idle.receive().status == 200);
  BOOST_TEST(idle.closed());
  BOOST_TEST(idle.heard_goodbye());
}

BOOST_AUTO_TEST_CASE(a_request_that_is_cut_off_is_no_request) {
  tls_server_fixture fixture;
  for (const auto* const begun : {"Content-Length: 5\r\n\r\nab", "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", ""})
    for (const bool in_order : {true, false}) {
      tls_raw_client client{fixture.public_address()};
      client.send(head + begun);
      in_order ? client.say_goodbye() : client.cut();
      BOOST_TEST(client.receive().status == 0);
    }
  BOOST_TEST(fixture.eventually_closed());
  BOOST_TEST(fixture.gate.count() == 0U);
}

BOOST_AUTO_TEST_CASE(who_says_goodbye_after_a_request_still_gets_the_answer) {
  tls_server_fixture fixture;
  fixture.gate.set(fake_gate::mode::hold);
  tls_raw_client client{fixture.public_address(), {.version_max = TLS1_3_VERSION}};
  client.send(whole);
  client.say_goodbye();
  BOOST_REQUIRE(fixture.gate.wait_for(1));
  fixture.gate.answer_held(ingest_result::accepted);
  BOOST_TEST(client.receive().status == 200);
}

BOOST_AUTO_TEST_CASE(an_answer_that_closes_says_goodbye) {
  tls_server_fixture fixture;
  tls_raw_client client{fixture.public_address()};
  client.send("POST /in/acme/github HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}");
  BOOST_TEST(client.receive().status == 200);
  BOOST_TEST(client.closed());
  BOOST_TEST(client.heard_goodbye());
}

BOOST_AUTO_TEST_CASE(a_peer_that_takes_its_large_answer_slowly_gets_all_of_it) {
  tls_server_fixture fixture;
  fixture.actors.add_deliveries(50);
  const auto key = fixture.store.add_key(api_role::operator_);
  tls_raw_client client{fixture.operator_address()};
  const std::string one = "GET /actors?limit=250 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + key + "\r\n\r\n";
  for (int i = 0; i < 200; ++i)
    client.send(one);
  for (int i = 0; i < 200; ++i)
    BOOST_REQUIRE(client.receive().status == 200);
}

BOOST_AUTO_TEST_CASE(sessions_are_resumed_over_1_3_alone) {
  tls_server_fixture fixture;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    tls_raw_client first{fixture.public_address(), {.version_max = version}};
    first.send(whole);
    BOOST_TEST(first.receive().status == 200); // the ticket has come by now
    const std::shared_ptr<SSL_SESSION> session{SSL_get1_session(first.ssl()), SSL_SESSION_free};
    tls_raw_client second{fixture.public_address(), {.version_max = version, .resume = session.get()}};
    BOOST_TEST(second.resumed() == (version == TLS1_3_VERSION));
    second.send(whole);
    BOOST_TEST(second.receive().status == 200);
    fixture.server.use_tls(listener::public_, fixture.good); // the same object: its tickets are still good
    if (version == TLS1_3_VERSION) {
      fixture.server.use_tls(listener::public_, fixture.make());
      tls_raw_client third{fixture.public_address(), {.version_max = version, .resume = session.get()}};
      BOOST_TEST(!third.resumed());
    }
  }
}

BOOST_AUTO_TEST_CASE(a_client_certificate_is_demanded_of_every_path) {
  tls_world world;
  const auto demanding = world.make(world.authority.file());
  BOOST_REQUIRE(demanding != nullptr);
  server_fixture fixture{{}, demanding};
  const auto good = world.authority.issue({.name = "DNS:operator"});
  const test_authority elsewhere;
  const auto foreign = elsewhere.issue({.name = "DNS:operator"});
  const auto expired = world.authority.issue({.name = "DNS:operator", .valid_from_days = -9, .valid_until_days = -1});
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto status_for = [&](const test_identity& who, std::string* why = nullptr) {
      tls_raw_client client{fixture.operator_address(), {.version_max = version, .identity = who}};
      client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
      const auto status = client.receive().status;
      if (why != nullptr)
        *why = client.failed + client.alert;
      return status;
    };
    std::string why;
    BOOST_TEST(status_for(good) == 200);
    BOOST_TEST(status_for({}, &why) == 0);
    BOOST_TEST(
      (why.find("certificate required") != std::string::npos || why.find("handshake failure") != std::string::npos),
      why);
    BOOST_TEST(status_for(foreign) == 0);
    BOOST_TEST(status_for(expired) == 0);
  }
}

BOOST_AUTO_TEST_CASE(new_files_hold_for_new_connections_and_leave_the_others_alone) {
  tls_server_fixture fixture;
  tls_raw_client old{fixture.public_address()};
  old.send(whole);
  BOOST_TEST(old.receive().status == 200);
  const auto serial_of = [](const tls_raw_client& client) {
    const std::shared_ptr<X509> shown{SSL_get1_peer_certificate(client.ssl()), X509_free};
    return ASN1_INTEGER_get(X509_get0_serialNumber(shown.get()));
  };
  const auto renewed = fixture.authority.issue({.name = "DNS:localhost"});
  fixture.certificate.write(renewed.certificate);
  fixture.key.write(renewed.key);
  fixture.server.use_tls(listener::public_, fixture.make());
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  bool changed = false;
  while (!changed && std::chrono::steady_clock::now() < until)
    changed = serial_of(tls_raw_client{fixture.public_address()}) != serial_of(old);
  BOOST_TEST(changed);
  old.send(whole);
  BOOST_TEST(old.receive().status == 200);
}

BOOST_AUTO_TEST_CASE(closing_the_listener_ends_what_is_idle_or_still_shaking_hands_and_waits_for_requests) {
  tls_server_fixture fixture;
  raw_client silent{fixture.public_address()};
  tls_raw_client idle{fixture.public_address()};
  tls_raw_client busy{fixture.public_address()};
  idle.send(whole);
  BOOST_TEST(idle.receive().status == 200);
  fixture.gate.set(fake_gate::mode::hold);
  busy.send(whole);
  BOOST_REQUIRE(fixture.gate.wait_for(2));
  std::thread closing{[&] { fixture.server.close(listener::public_, std::chrono::seconds{10}); }};
  BOOST_TEST(silent.closed());
  BOOST_TEST(idle.closed());
  BOOST_TEST(idle.heard_goodbye());
  fixture.gate.answer_held(ingest_result::accepted);
  const auto answer = busy.receive();
  BOOST_TEST(answer.status == 200);
  BOOST_TEST(answer.header("connection") == "close");
  BOOST_TEST(busy.closed());
  BOOST_TEST(busy.heard_goodbye());
  closing.join();
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(tls_files)

BOOST_AUTO_TEST_CASE(each_mistake_is_told_with_its_file_and_no_secret) {
  tls_world world;
  BOOST_TEST(world.errors.empty());
  BOOST_TEST(world.warnings.empty());
  const auto only_error = [&](const std::string& client_ca = {}) {
    const auto made = world.make(client_ca);
    BOOST_TEST((made == nullptr));
    BOOST_REQUIRE_EQUAL(world.errors.size(), 1U);
    return world.errors.front();
  };
  using file = tls_file_finding::file;
  const auto check = [&](const tls_file_finding& found, file about, std::string_view part) {
    BOOST_TEST((found.about == about));
    BOOST_TEST(found.detail.find(part) != std::string::npos, found.detail);
    BOOST_TEST(found.detail.find("MIG") == std::string::npos, found.detail);
  };
  check(only_error("/nonexistent/ca.pem"), file::client_ca, "cannot be read: No such file");
  check(only_error("/"), file::client_ca, "cannot be read: Is a directory");
  check(only_error(world.key.path()), file::client_ca, "holds no certificate");
  world.key.write(world.authority.issue({}).key);
  check(only_error(), file::key_, "does not belong to the certificate");
  world.key.write(world.identity.certificate);
  check(only_error(), file::key_, "holds no private key");
  world.key.write("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBB=\n-----END "
                  "ENCRYPTED PRIVATE KEY-----\n");
  check(only_error(), file::key_, "protected by a passphrase");
  world.key.write(world.identity.key);
  world.certificate.write(world.identity.certificate.substr(0, 200));
  check(only_error(), file::certificate, "cut off or damaged");
  const auto weak = world.authority.issue({.weak = true});
  world.certificate.write(weak.certificate);
  world.key.write(weak.key);
  check(only_error(), file::key_, "is an RSA key of 1024 bits");
}

BOOST_AUTO_TEST_CASE(certificates_out_of_their_time_are_warnings) {
  tls_world world;
  const auto expired = world.authority.issue({.valid_from_days = -9, .valid_until_days = -1});
  world.certificate.write(expired.certificate);
  world.key.write(expired.key);
  BOOST_TEST((world.make() != nullptr));
  BOOST_REQUIRE_EQUAL(world.warnings.size(), 1U);
  BOOST_TEST(world.warnings[0].detail.find("holds a certificate that expired on 20") != std::string::npos);
  const auto early = world.authority.issue({.valid_from_days = 1, .valid_until_days = 2});
  world.certificate.write(early.certificate + early.key); // a key in the same file is passed over
  world.key.write(early.key);
  BOOST_TEST((world.make() != nullptr));
  BOOST_REQUIRE_EQUAL(world.warnings.size(), 1U);
  BOOST_TEST(world.warnings[0].detail.find("is valid only from 20") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
