// What an endpoint receives, and what a good answer becomes.
#include "tests/net/loopback_server.hpp"
#include "tests/net/sender_fixture.hpp"

#include "core/version.hpp"

using namespace postrider;
using namespace postrider::test;

namespace {

struct fixture : sender_fixture {
  std::mutex mutex;
  std::vector<std::string> requests;
  loopback_server::script answering(std::string response) {
    return [this, response = std::move(response)](peer& client) {
      for (;;) {
        auto one = client.read_request();
        if (one.empty())
          return;
        {
          const std::lock_guard lock{mutex};
          requests.push_back(std::move(one));
        }
        if (!client.send(response))
          return;
      }
    };
  }
  std::string request_seen(std::size_t index = 0) {
    const std::lock_guard lock{mutex};
    return requests.at(index);
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(http_sender_request, fixture)

BOOST_AUTO_TEST_CASE(a_2xx_is_a_success_with_its_excerpt) {
  loopback_server server{answering(ok_response())};
  const auto result = send(server.url());
  BOOST_TEST(result.facts.failure == attempt_reason::none);
  BOOST_TEST(result.facts.http_status == 200);
  BOOST_TEST(result.sent);
  BOOST_TEST(result.number == 1u);
  BOOST_TEST(result.breaker_epoch == 7u);
  BOOST_TEST(result.excerpt == "ok");
}

BOOST_AUTO_TEST_CASE(the_request_is_as_the_contract_says) {
  loopback_server server{answering(ok_response())};
  auto to = endpoint(server.url("/in/box?x=1&y=%20#part"));
  to->headers = {{"x-custom", "one"}, {"X-Other", "two"}};
  send(to, 3);
  const auto seen = request_seen();
  BOOST_TEST(seen.starts_with("POST /in/box?x=1&y=%20 HTTP/1.1\r\n"));
  BOOST_TEST(header_of(seen, "host") == "127.0.0.1:" + std::to_string(server.port()));
  BOOST_TEST(header_of(seen, "content-type") == "application/json");
  BOOST_TEST(header_of(seen, "content-length") == "7");
  BOOST_TEST(header_of(seen, "user-agent") == "postrider/" + std::string{version()});
  BOOST_TEST(header_of(seen, "webhook-id") == to_string(an_event()->id));
  BOOST_TEST(header_of(seen, "x-postrider-attempt") == "3");
  BOOST_TEST(header_of(seen, "x-postrider-event-type") == "push");
  BOOST_TEST(header_of(seen, "x-postrider-source") == "github-main");
  BOOST_TEST(header_of(seen, "x-github-delivery") == "72d3162e");
  BOOST_TEST(header_of(seen, "x-custom") == "one");
  BOOST_TEST(header_of(seen, "x-other") == "two");
  BOOST_TEST(body_of(seen) == R"({"n":1})");
}

BOOST_AUTO_TEST_CASE(the_signature_is_that_of_standard_webhooks_by_every_current_secret) {
  loopback_server server{answering(ok_response())};
  auto to = endpoint(server.url());
  const std::string newer = make_whsec({1, 2, 3});
  to->secrets = {{newer},
                 {test_secret, clock.now() + std::chrono::hours{1}},
                 {make_whsec({9}), clock.now() - std::chrono::hours{1}}};
  send(to);
  const auto seen = request_seen();
  const std::vector<std::string> keys{*decode_whsec(newer), *decode_whsec(test_secret)};
  const auto seconds = std::stoll(header_of(seen, "webhook-timestamp"));
  BOOST_TEST(header_of(seen, "webhook-signature") ==
             sign_standard_webhook(keys, header_of(seen, "webhook-id"), seconds, body_of(seen)));
}

BOOST_AUTO_TEST_CASE(an_attempt_is_stamped_with_the_databases_time) {
  loopback_server server{answering(ok_response())};
  clock.set_offset(std::chrono::hours{24});
  const auto before = clock.now();
  const auto result = send(server.url());
  BOOST_TEST((result.started_at >= before && result.started_at <= clock.now()));
  const auto seconds = std::stoll(header_of(request_seen(), "webhook-timestamp"));
  BOOST_TEST(seconds >= std::chrono::floor<std::chrono::seconds>(before.time_since_epoch()).count());
}

BOOST_AUTO_TEST_CASE(a_value_cannot_end_its_line) {
  loopback_server server{answering(ok_response())};
  auto to = endpoint(server.url());
  to->headers = {{"x-custom", "one\r\nx-smuggled: two"}};
  auto what = an_event();
  what->type = std::string{"push\nx-smuggled: 1\0", 19};
  send(to, 1, what);
  BOOST_TEST(header_of(request_seen(), "x-smuggled") == "(none)");
  BOOST_TEST(header_of(request_seen(), "x-custom") == "one  x-smuggled: two");
}

BOOST_AUTO_TEST_CASE(a_large_body_arrives_byte_for_byte) {
  loopback_server server{answering(ok_response())};
  std::string body(8 << 20, '\0');
  for (std::size_t index = 0; index < body.size(); ++index)
    body[index] = static_cast<char>(index * 31 >> 3);
  const auto result = send(endpoint(server.url()), 1, an_event(body));
  BOOST_TEST(result.facts.http_status == 200);
  BOOST_TEST((body_of(request_seen()) == body));
}

BOOST_AUTO_TEST_CASE(an_empty_body_and_absent_type_leave_their_headers_out) {
  loopback_server server{answering(ok_response())};
  auto what = std::make_shared<event>();
  what->source_name = "api";
  BOOST_TEST(send(endpoint(server.url()), 1, what).facts.http_status == 200);
  BOOST_TEST(header_of(request_seen(), "content-length") == "0");
  BOOST_TEST(header_of(request_seen(), "content-type") == "(none)");
  BOOST_TEST(header_of(request_seen(), "x-postrider-event-type") == "(none)");
}

BOOST_AUTO_TEST_CASE(status_retry_after_and_wishes_of_the_receiver_are_told) {
  loopback_server server{
    answering("HTTP/1.1 503 Busy\r\nretry-after: 17\r\nwebhook-delivery: Disable\r\ncontent-length: 0\r\n\r\n")};
  const auto result = send(server.url());
  BOOST_TEST(result.facts.failure == attempt_reason::none);
  BOOST_TEST(result.facts.http_status == 503);
  BOOST_TEST((result.facts.retry_after == milliseconds{17'000}));
  BOOST_TEST(result.facts.asks_disable);
  BOOST_TEST(!result.facts.asks_abort);
}

BOOST_AUTO_TEST_CASE(a_redirect_is_told_and_not_followed) {
  loopback_server elsewhere{answering(ok_response())};
  loopback_server server{answering("HTTP/1.1 302 Found\r\nlocation: " + elsewhere.url() +
                                   "\r\nwebhook-delivery: abort-message\r\ncontent-length: 0\r\n\r\n")};
  const auto result = send(server.url());
  BOOST_TEST(result.facts.failure == attempt_reason::none);
  BOOST_TEST(result.facts.http_status == 302);
  BOOST_TEST(result.facts.asks_abort);
  BOOST_TEST(elsewhere.accepted() == 0);
}

BOOST_AUTO_TEST_CASE(an_endpoint_without_a_usable_secret_is_never_called) {
  loopback_server server{answering(ok_response())};
  auto to = endpoint(server.url());
  to->secrets = {{"whsec_not base64!"}};
  BOOST_TEST(send(to).facts.failure == attempt_reason::network_unreachable);
  BOOST_TEST(server.accepted() == 0);
}

BOOST_AUTO_TEST_CASE(a_kept_connection_is_not_used_by_a_configuration_without_a_usable_secret) {
  // Counted before the answer leaves: the sender tells of the answer at once, a count behind it could still be on its
  // way.
  std::atomic<int> asked{0};
  loopback_server server{[&](peer& client) {
    do {
      if (client.read_request().empty())
        return;
      ++asked;
    } while (client.send(ok_response()));
  }};
  const auto to = endpoint(server.url());
  BOOST_TEST(send(to).facts.http_status == 200);
  auto newer = std::make_shared<endpoint_config>(*to);
  newer->secrets = {{"whsec_not base64!"}};
  BOOST_TEST(send(newer).facts.failure == attempt_reason::network_unreachable);
  BOOST_TEST(asked.load() == 1);
}

BOOST_AUTO_TEST_CASE(http_is_refused_where_only_https_is_allowed) {
  settings.https_only = true;
  loopback_server server{answering(ok_response())};
  BOOST_TEST(send(server.url()).facts.failure == attempt_reason::tls_handshake);
  BOOST_TEST(server.accepted() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
