// TLS and names: what is trusted, what is reused, what a resolver's answer leads to.
#include "tests/net/loopback_server.hpp"
#include "tests/net/sender_fixture.hpp"
#include "tests/net/test_certificates.hpp"

#include <openssl/ssl.h>

using namespace postrider;
using namespace postrider::test;
using std::chrono::milliseconds;

namespace {

struct fixture : sender_fixture {
  test_authority authority;
  std::atomic<int> resumed{0};

  fixture() {
    threads_count = 1;
    ca_file = authority.file();
    name("hooks.test", {"127.0.0.1"});
    name("other.test", {"127.0.0.1"});
  }
  void name(const std::string& host, const std::vector<std::string>& addresses) {
    for (const auto& each : addresses)
      names[host].addresses.push_back(*parse_ip_address(each));
  }
  /// Answers over TLS, for as long as the client stays.
  loopback_server::script tls_answering(const test_authority::certificate& what, std::string response = ok_response()) {
    return [this, context = authority.server(what), response = std::move(response)](peer& client) {
      if (!client.start_tls(context.get()))
        return;
      resumed += client.resumed() ? 1 : 0;
      while (!client.read_request().empty() && client.send(response)) {
      }
    };
  }
  static std::string at(std::string_view scheme, std::string_view host, const loopback_server& server) {
    return std::string{scheme} + "://" + std::string{host} + ":" + std::to_string(server.port()) + "/hook";
  }
  static std::shared_ptr<endpoint_config> with_tls(std::string url, endpoint_tls tls, endpoint_no number) {
    auto out = endpoint(std::move(url), number);
    out->tls = std::make_shared<const endpoint_tls>(std::move(tls));
    return out;
  }
  attempt_facts facts_of(const test_authority::certificate& what, std::string_view host = "hooks.test") {
    loopback_server server{tls_answering(what)};
    return send(at("https", host, server)).facts;
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(http_sender_tls, fixture)

BOOST_AUTO_TEST_CASE(a_good_certificate_is_accepted_and_the_connection_used_again) {
  loopback_server server{tls_answering({})};
  const auto to = endpoint(at("https", "hooks.test", server));
  const auto first = send(to);
  BOOST_TEST(first.facts.failure == attempt_reason::none);
  BOOST_TEST(first.facts.http_status == 200);
  BOOST_TEST(first.excerpt == "ok");
  BOOST_TEST(send(to).facts.http_status == 200);
  BOOST_TEST(server.accepted() == 1);
}

BOOST_AUTO_TEST_CASE(a_large_body_goes_through_tls_and_back) {
  std::atomic<std::size_t> seen{0};
  loopback_server server{[&, context = authority.server({})](peer& client) {
    if (!client.start_tls(context.get()))
      return;
    seen = body_of(client.read_request()).size();
    client.send("HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n" + std::string(60'000, 'z'));
    client.wait_for_close();
  }};
  const auto result = send(endpoint(at("https", "hooks.test", server)), 1, an_event(std::string(4 << 20, 'b')));
  BOOST_TEST(result.facts.http_status == 200);
  BOOST_TEST(result.excerpt == std::string(1024, 'z'));
  BOOST_TEST(seen.load() == std::size_t{4} << 20);
}

BOOST_AUTO_TEST_CASE(an_address_is_verified_as_an_address) {
  BOOST_TEST(facts_of({.name = "IP:127.0.0.1"}, "127.0.0.1").http_status == 200);
  BOOST_TEST(facts_of({.name = "DNS:127.0.0.1"}, "127.0.0.1").failure == attempt_reason::tls_certificate);
}

BOOST_AUTO_TEST_CASE(certificates_that_prove_nothing_are_refused) {
  BOOST_TEST(facts_of({.name = "DNS:other.test"}).failure == attempt_reason::tls_certificate);
  BOOST_TEST(facts_of({.valid_from_days = -9, .valid_until_days = -1}).failure == attempt_reason::tls_certificate);
  BOOST_TEST(facts_of({.valid_from_days = 1, .valid_until_days = 2}).failure == attempt_reason::tls_certificate);
  BOOST_TEST(facts_of({.self_signed = true}).failure == attempt_reason::tls_certificate);
}

BOOST_AUTO_TEST_CASE(an_unknown_authority_is_refused) {
  ca_file.clear();
  BOOST_TEST(facts_of({}).failure == attempt_reason::tls_certificate);
}

BOOST_AUTO_TEST_CASE(an_endpoints_own_authority_replaces_the_others) {
  const test_authority own;
  loopback_server known{tls_answering({})}; // of the node's bundle
  loopback_server foreign{[context = own.server({})](peer& client) {
    if (client.start_tls(context.get()) && !client.read_request().empty())
      client.send(ok_response());
  }};
  BOOST_TEST(send(at("https", "hooks.test", foreign)).facts.failure == attempt_reason::tls_certificate);
  BOOST_TEST(send(with_tls(at("https", "hooks.test", foreign), {own.pem(), {}, {}}, 2)).facts.http_status == 200);
  BOOST_TEST(send(with_tls(at("https", "hooks.test", known), {own.pem(), {}, {}}, 3)).facts.failure ==
             attempt_reason::tls_certificate);
  BOOST_TEST(send(with_tls(at("https", "other.test", foreign), {own.pem(), {}, {}}, 4)).facts.failure ==
             attempt_reason::tls_certificate); // the name counts all the same
}

BOOST_AUTO_TEST_CASE(a_self_signed_certificate_is_believed_where_it_is_named_itself) {
  const auto identity = authority.issue({.self_signed = true});
  loopback_server server{[context = server_of(identity)](peer& client) {
    if (client.start_tls(context.get()) && !client.read_request().empty())
      client.send(ok_response());
  }};
  BOOST_TEST(send(at("https", "hooks.test", server)).facts.failure == attempt_reason::tls_certificate);
  BOOST_TEST(send(with_tls(at("https", "hooks.test", server), {identity.certificate, {}, {}}, 2)).facts.http_status ==
             200);
}

BOOST_AUTO_TEST_CASE(a_client_certificate_is_presented_where_the_endpoint_has_one) {
  const auto good = authority.issue({.name = "DNS:postrider"});
  const test_authority elsewhere;
  const auto foreign = elsewhere.issue({.name = "DNS:postrider"});
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto context = authority.server({.version_max = version});
    SSL_CTX_load_verify_file(context.get(), authority.file().c_str());
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    loopback_server server{[context](peer& client) {
      if (!client.start_tls(context.get()))
        return client.drain(); // or the reset would overtake the alert
      while (!client.read_request().empty() && client.send(ok_response())) {
      }
    }};
    const auto url = at("https", "hooks.test", server);
    const auto number = version * 10;
    BOOST_TEST(send(with_tls(url, {{}, good.certificate, good.key}, number)).facts.http_status == 200);
    BOOST_TEST(send(with_tls(url, {{}, foreign.certificate, foreign.key}, number + 1)).facts.failure ==
               attempt_reason::tls_handshake);
    BOOST_TEST(send(endpoint(url, number + 2)).facts.failure == attempt_reason::tls_handshake);
    // A new version of the configuration with the same TLS goes on with the connection, one with another does not.
    BOOST_TEST(send(with_tls(url, {{}, good.certificate, good.key}, number)).facts.http_status == 200);
    BOOST_TEST(server.accepted() == 3);
    BOOST_TEST(send(with_tls(url, {authority.pem(), good.certificate, good.key}, number)).facts.http_status == 200);
    BOOST_TEST(server.accepted() == 4);
  }
}

BOOST_AUTO_TEST_CASE(an_endpoint_whose_tls_cannot_be_used_is_never_called) {
  loopback_server server{tls_answering({})};
  const auto good = authority.issue({});
  const auto without_key = with_tls(at("https", "hooks.test", server), {{}, good.certificate, {}}, 2);
  BOOST_TEST(send(without_key).facts.failure == attempt_reason::tls_handshake);
  BOOST_TEST(send(without_key).facts.failure == attempt_reason::tls_handshake);
  BOOST_TEST(server.accepted() == 0);
}

BOOST_AUTO_TEST_CASE(sessions_are_not_taken_over_by_other_tls) {
  loopback_server server{tls_answering({}, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")};
  const auto url = at("https", "hooks.test", server);
  BOOST_TEST(send(endpoint(url)).facts.http_status == 200);
  BOOST_TEST(send(endpoint(url)).facts.http_status == 200);
  BOOST_TEST(resumed.load() == 1);
  BOOST_TEST(send(with_tls(url, {authority.pem(), {}, {}}, 1)).facts.http_status == 200);
  BOOST_TEST(resumed.load() == 1);
  BOOST_TEST(send(with_tls(url, {authority.pem(), {}, {}}, 1)).facts.http_status == 200);
  BOOST_TEST(resumed.load() == 2);
}

BOOST_AUTO_TEST_CASE(tls_1_1_is_too_old) {
  BOOST_TEST(facts_of({.version_max = TLS1_1_VERSION}).failure == attempt_reason::tls_handshake);
}

BOOST_AUTO_TEST_CASE(a_server_that_speaks_no_tls_fails_the_handshake) {
  loopback_server plain{[](peer& client) {
    client.read_some(1);
    client.send("HTTP/1.1 400 Bad Request\r\n\r\n");
  }};
  BOOST_TEST(send(at("https", "hooks.test", plain)).facts.failure == attempt_reason::tls_handshake);
  loopback_server closes{[](peer& client) { client.read_some(1); }};
  BOOST_TEST(send(at("https", "hooks.test", closes)).facts.failure == attempt_reason::tls_handshake);
}

BOOST_AUTO_TEST_CASE(a_handshake_that_hangs_meets_the_deadline) {
  loopback_server hangs{[](peer& client) { client.wait_for_close(); }};
  auto to = endpoint(at("https", "hooks.test", hangs));
  to->timeout = milliseconds{300};
  BOOST_TEST(send(to).facts.failure == attempt_reason::timeout);
}

BOOST_AUTO_TEST_CASE(a_session_is_resumed_on_the_endpoints_next_connection_only) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    resumed = 0;
    loopback_server server{
      tls_answering({.version_max = version}, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")};
    const auto to = endpoint(at("https", "hooks.test", server), version);
    BOOST_TEST(send(to).facts.http_status == 200);
    BOOST_TEST(resumed.load() == 0);
    BOOST_TEST(send(to).facts.http_status == 200);
    BOOST_TEST(send(to).facts.http_status == 200);
    BOOST_TEST(resumed.load() == 2);
    BOOST_TEST(send(endpoint(at("https", "hooks.test", server), version + 1)).facts.http_status == 200);
    BOOST_TEST(resumed.load() == 2);
    BOOST_TEST(server.accepted() == 4);
  }
}

BOOST_AUTO_TEST_CASE(a_session_is_resumed_after_a_peer_that_closes_its_bare_socket) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    resumed = 0;
    loopback_server server{[&, context = authority.server({.version_max = version})](peer& client) {
      if (!client.start_tls(context.get()))
        return;
      resumed += client.resumed() ? 1 : 0;
      client.read_request();
      client.send("HTTP/1.1 200 OK\r\n\r\nup to the end");
      client.close_bare();
    }};
    const auto to = endpoint(at("https", "hooks.test", server), version);
    const auto first = send(to);
    BOOST_TEST(first.facts.http_status == 200);
    BOOST_TEST(first.excerpt == "up to the end");
    BOOST_TEST(send(to).facts.http_status == 200);
    BOOST_TEST(resumed.load() == 1);
  }
}

BOOST_AUTO_TEST_CASE(a_tls_connection_that_the_peer_has_closed_is_not_used) {
  std::atomic<int> closed{0};
  loopback_server server{[&, context = authority.server({})](peer& client) {
    if (!client.start_tls(context.get()))
      return;
    client.read_request();
    client.send(ok_response());
    client.close();
    ++closed;
  }};
  const auto to = endpoint(at("https", "hooks.test", server));
  BOOST_TEST(send(to).facts.http_status == 200);
  BOOST_TEST(eventually([&] { return closed.load() == 1; }));
  BOOST_TEST(send(to).facts.http_status == 200);
  BOOST_TEST(server.accepted() == 2);
}

BOOST_AUTO_TEST_CASE(a_new_version_of_the_configuration_keeps_the_tls_connection_and_its_sessions) {
  loopback_server server{tls_answering({})};
  auto first = endpoint(at("https", "hooks.test", server));
  BOOST_TEST(send(first).facts.http_status == 200);
  const std::weak_ptr<endpoint_config> gone = first;
  auto second = std::make_shared<endpoint_config>(*first);
  second->headers = {{"x-version", "2"}};
  first.reset();
  BOOST_TEST(send(second).facts.http_status == 200);
  BOOST_TEST(send(second).facts.http_status == 200);
  BOOST_TEST(gone.expired());
  BOOST_TEST(server.accepted() == 1);
}

BOOST_AUTO_TEST_CASE(a_name_without_an_address_is_dns_failed) {
  names["gone.test"].failure = attempt_reason::dns_failed;
  BOOST_TEST(send("http://gone.test/").facts.failure == attempt_reason::dns_failed);
  names["slow.test"].failure = attempt_reason::dns_timeout;
  BOOST_TEST(send("http://slow.test/").facts.failure == attempt_reason::dns_timeout);
}

BOOST_AUTO_TEST_CASE(a_resolver_that_never_answers_meets_the_deadline) {
  auto to = endpoint("http://silent.test/");
  to->timeout = milliseconds{100};
  BOOST_TEST(send(to).facts.failure == attempt_reason::dns_timeout);
}

BOOST_AUTO_TEST_CASE(one_blocked_address_blocks_the_whole_answer) {
  loopback_server server{answer_with(ok_response())};
  name("mixed.test", {"127.0.0.1", "10.1.2.3"});
  BOOST_TEST(send(at("http", "mixed.test", server)).facts.failure == attempt_reason::address_blocked);
  BOOST_TEST(server.accepted() == 0);
}

BOOST_AUTO_TEST_CASE(the_next_address_is_tried_where_one_refuses) {
  loopback_server server{answer_with(ok_response())};
  name("two.test", {"127.0.0.2", "127.0.0.1"}); // the server is bound to the latter alone
  BOOST_TEST(send(at("http", "two.test", server)).facts.http_status == 200);
  name("none.test", {"127.0.0.2", "127.0.0.3"});
  BOOST_TEST(send(at("http", "none.test", server)).facts.failure == attempt_reason::connect_refused);
}

BOOST_AUTO_TEST_CASE(the_host_header_names_what_the_url_names) {
  std::mutex mutex;
  std::string seen;
  loopback_server server{[&](peer& client) {
    const auto request = client.read_request();
    const std::lock_guard lock{mutex};
    seen = header_of(request, "host");
    client.send(ok_response());
  }};
  BOOST_TEST(send(at("http", "Hooks.Test", server)).facts.http_status == 200);
  const std::lock_guard lock{mutex};
  BOOST_TEST(seen == "hooks.test:" + std::to_string(server.port()));
}

BOOST_AUTO_TEST_CASE(an_unreadable_file_of_authorities_is_an_error_in_words) {
  std::string error;
  BOOST_TEST(tls_client::make("/nonexistent/ca.pem", error) == nullptr);
  BOOST_TEST(error == "cannot be read: No such file or directory");
}

BOOST_AUTO_TEST_SUITE_END()
