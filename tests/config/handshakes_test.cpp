// The questions that providers ask, and what each of them must get, byte for byte (made with Python's hmac).
#include "config/presets.hpp"
#include "core/provider_verification.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;

namespace {

using reason = verify_reason;

constexpr wall_time noon{std::chrono::seconds{1'760'000'000}};

source_config source_of(std::string_view scheme, std::string_view secret,
                        std::map<std::string, std::string> config = {}) {
  source_config out;
  out.rules = find_preset(scheme);
  out.secrets = {{std::string{secret}, {}}};
  out.config = std::move(config);
  return out;
}

verification ask(const source_config& source, std::string_view method, std::string_view query,
                 std::string_view headers = {}, std::string_view body = {}) {
  const auto url = "https://hooks.example.com/in/acme/shop" + std::string{query};
  return verify_request(source, {method, url, headers, body}, noon);
}

void must_answer(const verification& found, std::string_view body, std::string_view content_type = "text/plain") {
  BOOST_TEST((found.reason == reason::ok), to_string(found.reason));
  BOOST_REQUIRE(found.handshake.has_value());
  BOOST_TEST(found.handshake->status == 200);
  BOOST_TEST(found.handshake->body == body);
  BOOST_TEST(found.handshake->content_type == content_type);
}

void must_refuse(const verification& found, reason why) {
  BOOST_TEST((found.reason == why), to_string(found.reason));
  BOOST_TEST(!found.handshake.has_value());
}

std::string sha256_header(std::string_view name, std::string_view before, std::string_view secret,
                          std::string_view text) {
  return std::string{name} + ": " + std::string{before} + encode_hex(hmac_sha256(secret, text)) + "\r\n";
}

constexpr std::string_view private_key = "integration_private_key";
constexpr std::string_view bt_question = "?bt_challenge=20f9f8ed05f77439fe955c977e4c8a53";

} // namespace

BOOST_AUTO_TEST_SUITE(handshakes)

BOOST_AUTO_TEST_CASE(braintree_is_answered_under_the_key_that_signs_its_webhooks) {
  auto source = source_of("braintree", private_key, {{"public_key", "integration_public_key"}});
  must_answer(ask(source, "GET", bt_question), "integration_public_key|d9b899556c966b3f06945ec21311865d35df3ce4");
  for (const auto* query : {"?bt_challenge=20F9F8ED05F77439FE955C977E4C8A53", "?bt_challenge=abc", "?bt_challenge="})
    must_refuse(ask(source, "GET", query), reason::signature_missing);
  source.secrets.push_back({"old", {}}); // the newest answers
  must_answer(ask(source, "GET", bt_question), "integration_public_key|d9b899556c966b3f06945ec21311865d35df3ce4");
}

BOOST_AUTO_TEST_CASE(without_a_valid_secret_no_answer_is_made_under_an_empty_key) {
  auto source = source_of("braintree", private_key, {{"public_key", "p"}});
  source.secrets.front().expires_at = noon;
  must_refuse(ask(source, "GET", bt_question), reason::verify_token_mismatch);
  source.secrets.clear();
  must_refuse(ask(source, "GET", bt_question), reason::verify_token_mismatch);
}

// Whoever asks gets a MAC of a text of his choice: it must be of no use as a webhook.
BOOST_AUTO_TEST_CASE(what_the_open_handshake_signs_is_no_webhook) {
  const auto source = source_of("braintree", private_key, {{"public_key", "p"}});
  const std::string challenge = "20f9f8ed05f77439fe955c97";
  const auto found = ask(source, "GET", "?bt_challenge=" + challenge);
  BOOST_REQUIRE(found.handshake.has_value());
  const auto forged = "bt_signature=" + found.handshake->body + "&bt_payload=" + challenge;
  must_refuse(ask(source, "POST", "", "", forged), reason::unreadable_id);
}

BOOST_AUTO_TEST_CASE(slack_is_answered_when_it_signs) {
  const auto source = source_of("slack", "s");
  constexpr std::string_view body = R"({"type":"url_verification","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY"})";
  const auto headers = [&](std::string_view secret) {
    return "X-Slack-Request-Timestamp: 1760000000\r\n" +
           sha256_header("X-Slack-Signature", "v0=", secret, "v0:1760000000:" + std::string{body});
  };
  must_answer(ask(source, "POST", "", headers("s"), body), "3eZbrw1aBm2rZgRNFdxV2595E9CY");
  must_refuse(ask(source, "POST", "", headers("t"), body), reason::signature_mismatch);
  must_refuse(ask(source, "POST", "", "", body), reason::signature_missing);
}

BOOST_AUTO_TEST_CASE(zoom_gets_its_token_and_the_mac_of_it) {
  const auto source = source_of("zoom", "zoom secret");
  constexpr std::string_view body =
    R"({"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"}})";
  const auto headers = "x-zm-request-timestamp: 1\r\n" +
                       sha256_header("x-zm-signature", "v0=", "zoom secret", "v0:1:" + std::string{body});
  must_answer(
    ask(source, "POST", "", headers, body),
    R"({"plainToken":"qgg8vlvZRS6UYooatFL8Aw","encryptedToken":"33c87763eeee7760422d82e566d46fe8b5eaca6c3da5abf7923e6e8765c76a26"})",
    "application/json");
  constexpr std::string_view without = R"({"event":"endpoint.url_validation","payload":{}})";
  const auto of_that = "x-zm-request-timestamp: 1\r\n" +
                       sha256_header("x-zm-signature", "v0=", "zoom secret", "v0:1:" + std::string{without});
  must_refuse(ask(source, "POST", "", of_that, without), reason::field_missing);
}

BOOST_AUTO_TEST_CASE(meta_gets_its_challenge_for_the_right_verify_token_alone) {
  const auto source = source_of("meta", "s", {{"verify_token", "tok"}});
  must_answer(ask(source, "GET", "?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=tok"), "1158201444");
  must_refuse(ask(source, "GET", "?hub.mode=subscribe&hub.challenge=1&hub.verify_token=toc"),
              reason::verify_token_mismatch);
  must_refuse(ask(source, "GET", "?hub.mode=subscribe&hub.challenge=1"), reason::verify_token_mismatch);
  must_refuse(ask(source, "GET", "?hub.mode=other&hub.challenge=1&hub.verify_token=tok"),
              reason::verify_token_mismatch);
  must_refuse(ask(source_of("meta", "s"), "GET", "?hub.mode=subscribe&hub.challenge=1&hub.verify_token="),
              reason::verify_token_mismatch); // none is set: none is right
}

BOOST_AUTO_TEST_CASE(dropbox_and_microsoft_graph_get_their_text_decoded) {
  must_answer(ask(source_of("dropbox", "s"), "GET", "?challenge=a%2Bb%20c"), "a+b c");
  must_answer(ask(source_of("microsoft-graph", "s"), "POST", "?validationToken=Validation%3A+Testing%3C1%3E"),
              "Validation: Testing<1>");
}

BOOST_AUTO_TEST_CASE(event_grid_gets_its_code_when_the_secret_is_right) {
  const auto source = source_of("azure-event-grid", "key", {{"query_param", "code"}});
  constexpr std::string_view body =
    R"([{"eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{"validationCode":"512d38b6"}}])";
  must_answer(ask(source, "POST", "?code=key", "", body), R"({"validationResponse":"512d38b6"})", "application/json");
  must_refuse(ask(source, "POST", "?code=no", "", body), reason::token_mismatch);
  must_refuse(ask(source, "POST", "", "", body), reason::signature_missing);
}

// A question does not make a method that the scheme does not know one that it knows.
BOOST_AUTO_TEST_CASE(the_method_is_looked_at_before_the_question) {
  const auto graph = ask(source_of("microsoft-graph", "s"), "GET", "?validationToken=x");
  BOOST_TEST(graph.wrong_method);
  BOOST_TEST(!graph.handshake.has_value());
  BOOST_TEST(ask(source_of("dropbox", "s"), "PUT", "?challenge=x").wrong_method);
  BOOST_TEST(!ask(source_of("dropbox", "s"), "GET", "").wrong_method);
  must_refuse(ask(source_of("dropbox", "s"), "GET", ""), reason::signature_missing);
}

BOOST_AUTO_TEST_SUITE_END()
