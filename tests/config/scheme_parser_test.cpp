#include "config/presets.hpp"
#include "config/scheme_parser.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <set>
#include <string>

using namespace postrider;

namespace {

parsed_scheme parse(std::string_view preset) {
  return parse_scheme("custom", boost::json::parse(preset).as_object());
}

std::set<std::string> pointers_of(const parsed_scheme& parsed) {
  std::set<std::string> out;
  for (const auto& each : parsed.errors)
    out.insert(each.pointer);
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(scheme_parsing)

BOOST_AUTO_TEST_CASE(every_preset_of_the_program_is_read_or_of_a_family_of_later) {
  BOOST_TEST(presets().schemes.size() == 47U);
  BOOST_TEST(presets().not_supported.size() == 8U); // and messagebird, which is messagebird-jwt alone
  BOOST_TEST(presets().not_supported.contains("messagebird"));
  BOOST_TEST(!presets().not_supported.contains("twilio"));
  for (const auto& [name, scheme] : presets().schemes) {
    BOOST_TEST(scheme->name == name);
    BOOST_TEST(!scheme->methods.empty());
  }
  for (const auto& [name, family] : presets().not_supported)
    BOOST_TEST((family == "ed25519" || family == "ecdsa-p256" || family == "rsa-cert" || family == "jwt-hs"),
               name << ": " << family);
}

BOOST_AUTO_TEST_CASE(what_a_scheme_needs_of_the_settings_is_known) {
  const auto keys = [](std::string_view name) { return find_preset(name)->config_keys; };
  using texts = std::vector<std::string>;
  BOOST_TEST((keys("github") == texts{}));
  BOOST_TEST((keys("meta") == texts{"verify_token"}));
  BOOST_TEST((keys("box") == texts{"primary_key", "secondary_key"}));
  BOOST_TEST((keys("postmark-basic") == texts{"username"}));
  BOOST_TEST((keys("phonepe-x-verify") == texts{"salts"}));
  BOOST_TEST((keys("braintree") == texts{"public_key"}));
  BOOST_TEST((keys("azure-event-grid") == texts{"query_param"}));
  BOOST_TEST((find_preset("meta")->required_config_keys == texts{})); // its token is for the handshake alone
  BOOST_TEST((find_preset("postmark-basic")->required_config_keys == texts{"username"}));
  BOOST_TEST((find_preset("box")->required_config_keys == texts{}));
  BOOST_TEST((find_preset("box")->any_config_key == texts{"primary_key", "secondary_key"}));
}

BOOST_AUTO_TEST_CASE(headers_that_carry_the_secret_are_marked_and_those_of_id_and_type_go_on) {
  BOOST_TEST((find_preset("telegram")->secret_headers == std::vector<std::string>{"X-Telegram-Bot-Api-Secret-Token"}));
  BOOST_TEST(
    (find_preset("github")->forwarded_headers == std::vector<std::string>{"X-GitHub-Delivery", "X-GitHub-Event"}));
  BOOST_TEST(find_preset("stripe")->forwarded_headers.empty());
  // Its id is in `webhook-id`, which is Postrider's own name on the way out: a receiver would see two.
  BOOST_TEST(find_preset("standard-webhooks")->forwarded_headers.empty());
  for (const auto* name : {"webhook-id", "Content-Length", "transfer-encoding", "Authorization", "X-Signature"}) {
    const auto parsed = parse(R"({"family":"hmac","sig":{"header":"x-signature"},"signed":"{body}","forward":[")" +
                              std::string{name} + "\"]}");
    BOOST_TEST((pointers_of(parsed) == std::set<std::string>{"/forward"}), name);
  }
}

BOOST_AUTO_TEST_CASE(all_mistakes_are_found_at_once_with_their_places) {
  const auto parsed =
    parse(R"({"family":"hmac","hash":"md5","enc":"base32","sig":{"header":"X","json":"$.x","colour":"red"},
    "ts":{"header":"T","unit":"days","max_age":-1},"signed":"{boddy}","event_id":"id","extra":1,"methods":"POST"})");
  BOOST_TEST(!parsed.scheme.has_value());
  const std::set<std::string> expected{"/hash",       "/enc",    "/sig",      "/sig/colour", "/ts/unit",
                                       "/ts/max_age", "/signed", "/event_id", "/extra",      "/methods"};
  BOOST_TEST((pointers_of(parsed) == expected));
}

BOOST_AUTO_TEST_CASE(a_scheme_that_could_verify_nothing_or_everything_is_refused) {
  BOOST_TEST((pointers_of(parse("{}")) == std::set<std::string>{"/family", "/sig", "/signed"}));
  BOOST_TEST((pointers_of(parse(R"({"family":"token"})")) == std::set<std::string>{"/in"}));
  BOOST_TEST((pointers_of(parse(R"({"family":"hash","sig":{"header":"X"},"signed":"{body}"})")) ==
              std::set<std::string>{"/signed"}));
  BOOST_TEST((pointers_of(parse(R"({"family":"hmac","sig":{"header_regex":"^(a+)+$"},"signed":"{body}"})")) ==
              std::set<std::string>{"/sig/header_regex"}));
  BOOST_TEST((pointers_of(parse(R"({"family":"hmac","sig":{"header":"X"},"signed":"{body}","handshake":{}})")) ==
              std::set<std::string>{"/handshake"}));
  const auto later = parse(R"({"family":"ed25519"})");
  BOOST_TEST(later.not_supported);
}

BOOST_AUTO_TEST_CASE(a_scheme_of_ones_own_is_read) {
  const auto parsed = parse(R"({"family":"hmac","hash":"sha512","enc":"base64url","key":"hex",
    "sig":{"header":"X-Sig","split":";","prefix":"v2:"},"ts":{"header":"X-Time","unit":"iso","max_age":60,"max_future":5},
    "signed":["{ts}.{body}","{method} {url} {header:X-A}"],"event_id":"$.meta.0.id","event_type":"@X-Kind","methods":["POST","PUT"],
    "forward":["X-Kind"],"accept":{"status":202,"body":"ok"}})");
  BOOST_REQUIRE_MESSAGE(parsed.scheme,
                        (parsed.errors.empty() ? "" : parsed.errors.front().pointer + parsed.errors.front().detail));
  BOOST_TEST(parsed.scheme->signed_texts.size() == 2U);
  BOOST_TEST(parsed.scheme->signed_texts.front().size() == 3U);
  BOOST_TEST((parsed.scheme->event_id.path == json_path{"meta", "0", "id"}));
  BOOST_TEST(parsed.scheme->timestamp->max_age->count() == 60);
  BOOST_TEST(parsed.scheme->accept->status == 202);
}

BOOST_AUTO_TEST_SUITE_END()
