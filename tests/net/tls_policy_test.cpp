// What a peer may choose and send over TLS, on either side: nothing that keeps a thread for long.
#include "tests/net/loopback_server.hpp"
#include "tests/net/sender_fixture.hpp"
#include "tests/net/tls_raw_client.hpp"

#include "net/tls_channel.hpp"
#include "net/tls_policy.hpp"

#include <chrono>

using namespace postrider;
using namespace postrider::test;

namespace {

const std::string request = "POST /in/acme/github HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}";

struct listener_files {
  test_authority authority;
  std::shared_ptr<const tls_server> with(const test_authority::certificate& what,
                                         std::vector<tls_file_finding>* found = nullptr) const {
    const auto own = authority.issue(what);
    const test_file certificate{own.certificate}, key{own.key};
    std::vector<tls_file_finding> errors, warnings;
    auto out = tls_server::make({certificate.path(), key.path(), {}},
                                std::chrono::floor<milliseconds>(std::chrono::system_clock::now()), errors, warnings);
    if (found != nullptr)
      *found = errors;
    return out;
  }
};

/// A listener with a certificate like that.
struct listening : listener_files, server_fixture {
  explicit listening(const test_authority::certificate& what = {}) : server_fixture({}, with(what)) {}
  bool refuses(const tls_manner& how) { return !tls_raw_client{public_address(), how}.failed.empty(); }
};

/// Answers a request, and before that does something with the connection.
struct sending : sender_fixture {
  test_authority authority;
  sending() {
    threads_count = 1;
    ca_file = authority.file();
    names["hooks.test"].addresses.push_back(*parse_ip_address("127.0.0.1"));
  }
  attempt_facts facts_of(
    const std::shared_ptr<SSL_CTX>& context, const std::function<void(SSL*)>& before = [](SSL*) {}) {
    loopback_server server{[context, before](peer& client) {
      if (!client.start_tls(context.get()))
        return client.drain(); // or the reset would overtake the alert
      client.read_request();
      before(client.ssl());
      client.send(ok_response());
      client.wait_for_close();
    }};
    return send("https://hooks.test:" + std::to_string(server.port()) + "/hook").facts;
  }
  attempt_facts facts_of(const test_authority::certificate& what) { return facts_of(authority.server(what)); }
};

std::string many(int count, const std::string& each) {
  std::string out;
  for (int i = 0; i < count; ++i)
    out += "," + each;
  return out;
}

test_authority::certificate rsa(int bits) {
  test_authority::certificate out;
  out.rsa_bits = bits;
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(tls_policy_of_listener)

BOOST_AUTO_TEST_CASE(clients_choose_among_the_groups_that_are_cheap) {
  listening fixture{rsa(2048)}; // over 1.2 a client without the group of an EC certificate does not take it
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION})
    for (const auto* const group : {"X25519", "P-256", "P-384", "P-521"})
      BOOST_TEST(!fixture.refuses({.version_max = version, .groups = group}), version << group);
  for (const auto* const group : {"ffdhe2048", "ffdhe8192", "X448"})
    BOOST_TEST(fixture.refuses({.version_min = TLS1_3_VERSION, .groups = group}), group);
  BOOST_TEST(!fixture.refuses({.groups = "ffdhe8192:X25519"})); // asked for the other one
}

BOOST_AUTO_TEST_CASE(clients_of_1_2_get_no_key_exchange_but_by_curves) {
  listening fixture{rsa(2048)};
  for (const auto* const cipher : {"DHE-RSA-AES256-GCM-SHA384", "AES256-GCM-SHA384", "ECDHE-RSA-AES128-SHA"})
    BOOST_TEST(fixture.refuses({.version_max = TLS1_2_VERSION, .ciphers_1_2 = cipher}), cipher);
  BOOST_TEST(!fixture.refuses({.version_max = TLS1_2_VERSION, .ciphers_1_2 = "ECDHE-RSA-AES256-GCM-SHA384"}));
}

BOOST_AUTO_TEST_CASE(a_hello_is_small) {
  listening fixture;
  const auto protocols = [](int count) {
    std::string out = "\x08http/1.1";
    for (int i = 0; i < count; ++i)
      out += "\x07unknown";
    return out;
  };
  BOOST_TEST(!fixture.refuses({.protocols = protocols(1'500)}));
  BOOST_TEST(fixture.refuses({.protocols = protocols(2'300)}));
}

BOOST_AUTO_TEST_CASE(its_own_key_is_one_that_signs_quickly) {
  const listener_files files;
  std::vector<tls_file_finding> found;
  BOOST_TEST((files.with(rsa(4096), &found) != nullptr));
  BOOST_TEST((files.with(rsa(4352), &found) == nullptr));
  BOOST_REQUIRE_EQUAL(found.size(), 1U);
  BOOST_TEST((found[0].about == tls_file_finding::file::key_));
  BOOST_TEST(found[0].detail == "is an RSA key of 4352 bits: 2048 to 4096 are allowed");
}

BOOST_AUTO_TEST_CASE(a_client_may_change_its_keys_now_and_then_but_not_all_the_time) {
  listening fixture;
  const auto change = [](SSL* ssl) {
    return SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 && SSL_do_handshake(ssl) == 1;
  };
  tls_raw_client client{fixture.public_address(), {.version_min = TLS1_3_VERSION}};
  for (int i = 0; i < 5; ++i) {
    BOOST_TEST(change(client.ssl()));
    client.send(request);
    BOOST_TEST(client.receive().status == 200);
  }
  for (int i = 0; i < tls_channel::late_messages_max && change(client.ssl()); ++i) {
  }
  client.send(request);
  BOOST_TEST(client.receive().status == 0);
  BOOST_TEST(fixture.gate.count() == 5U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(tls_policy_of_sender, sending)

BOOST_AUTO_TEST_CASE(a_server_that_offers_only_dhe_is_refused) {
  auto what = rsa(2048);
  what.version_max = TLS1_2_VERSION;
  const auto context = authority.server(what);
  SSL_CTX_set_dh_auto(context.get(), 1);
  SSL_CTX_set_cipher_list(context.get(), "DHE");
  BOOST_TEST(facts_of(context).failure == attempt_reason::tls_handshake);
  BOOST_TEST(facts_of(what).http_status == 200); // the same one with ECDHE
}

BOOST_AUTO_TEST_CASE(a_server_chooses_among_the_groups_that_are_cheap) {
  const auto with = [&](const char* group, int version) {
    const auto context = authority.server({});
    SSL_CTX_set_min_proto_version(context.get(), version);
    SSL_CTX_set_max_proto_version(context.get(), version);
    SSL_CTX_set1_groups_list(context.get(), group);
    return facts_of(context);
  };
  BOOST_TEST(with("ffdhe8192", TLS1_3_VERSION).failure == attempt_reason::tls_handshake);
  BOOST_TEST(with("X448", TLS1_2_VERSION).failure == attempt_reason::tls_handshake);
  BOOST_TEST(with("P-384", TLS1_3_VERSION).http_status == 200);
  BOOST_TEST(with("P-384:P-256", TLS1_2_VERSION).http_status == 200);
}

BOOST_AUTO_TEST_CASE(certificates_on_every_known_curve_are_believed) {
  test_authority::certificate what;
  for (const auto* const curve : {"P-256", "P-384", "P-521", "ED25519"})
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      what.curve = curve;
      what.version_max = version;
      const auto context = authority.server(what);
      BOOST_TEST(facts_of(context).http_status == 200, curve << version);
    }
  BOOST_TEST(facts_of(rsa(2048)).http_status == 200);
}

BOOST_AUTO_TEST_CASE(certificates_that_take_long_to_verify_are_not_believed) {
  test_authority::certificate what;
  what.name += many(950, "DNS:a");
  BOOST_TEST(facts_of(what).http_status == 200);
  what.name += many(100, "DNS:a");
  BOOST_TEST(facts_of(what).failure == attempt_reason::tls_certificate);
  // A large key need not be the leaf's: it is looked at wherever it stands.
  const auto context = authority.server({});
  const auto large = authority.issue(rsa(8200)).certificate;
  const std::shared_ptr<BIO> in{BIO_new_mem_buf(large.data(), static_cast<int>(large.size())), BIO_free};
  const std::shared_ptr<X509> extra{PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr), X509_free};
  BOOST_TEST(facts_of(context).http_status == 200);
  SSL_CTX_add1_chain_cert(context.get(), extra.get());
  BOOST_TEST(facts_of(context).failure == attempt_reason::tls_certificate);
}

BOOST_AUTO_TEST_CASE(more_certificates_than_anyone_needs_fail_the_handshake) {
  const auto context = authority.server({});
  const auto own = authority.issue({}).certificate;
  const std::shared_ptr<BIO> in{BIO_new_mem_buf(own.data(), static_cast<int>(own.size())), BIO_free};
  const std::shared_ptr<X509> one{PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr), X509_free};
  for (int size = i2d_X509(one.get(), nullptr), sum = 0; sum <= static_cast<int>(tls_peer_certificates_max);
       sum += size)
    SSL_CTX_add1_chain_cert(context.get(), one.get());
  BOOST_TEST(facts_of(context).failure == attempt_reason::tls_handshake);
}

BOOST_AUTO_TEST_CASE(a_server_may_send_some_tickets_but_not_without_end) {
  const auto tickets = [](int count) {
    return [count](SSL* ssl) {
      for (int i = 0; i < count && SSL_new_session_ticket(ssl) == 1 && SSL_do_handshake(ssl) == 1; ++i) {
      }
    };
  };
  const auto context = authority.server({});
  BOOST_TEST(facts_of(context, tickets(10)).http_status == 200);
  BOOST_TEST((facts_of(context, tickets(tls_channel::late_messages_max)).failure != attempt_reason::none));
}

BOOST_AUTO_TEST_CASE(a_server_may_ask_to_renegotiate_but_not_without_end) {
  const auto asks = [](int count) {
    return [count](SSL* ssl) {
      for (int i = 0; i < count && SSL_renegotiate(ssl) == 1 && SSL_do_handshake(ssl) == 1; ++i) {
      }
    };
  };
  const auto context = authority.server({.version_max = TLS1_2_VERSION});
  BOOST_TEST(facts_of(context, asks(5)).http_status == 200);
  BOOST_TEST((facts_of(context, asks(tls_channel::late_messages_max)).failure != attempt_reason::none));
}

BOOST_AUTO_TEST_SUITE_END()
