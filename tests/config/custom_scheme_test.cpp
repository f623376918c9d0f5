// What a tenant may write as a scheme of his own, and what it does then.
#include "config/source_settings.hpp"
#include "core/provider_verification.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <set>

using namespace postrider;

namespace {

using reason = verify_reason;
using texts = std::set<std::string>;

constexpr wall_time noon{std::chrono::seconds{1'760'000'000}};

texts mistakes(std::string_view config) {
  std::vector<scheme_error> errors;
  read_source_settings(nullptr, boost::json::parse(config).as_object(), errors);
  texts out;
  for (const auto& each : errors)
    out.insert(each.pointer);
  return out;
}

/// An hmac scheme with further words.
texts mistakes_of_hmac(const std::string& more) {
  return mistakes(R"({"family":"hmac","sig":{"header":"X-Sig"},"signed":"{body}",)" + more + "}");
}

source_config source_of(std::string_view config, std::string_view secret = "s") {
  std::vector<scheme_error> errors;
  const auto settings = read_source_settings(nullptr, boost::json::parse(config).as_object(), errors);
  BOOST_REQUIRE_MESSAGE(errors.empty(), (errors.empty() ? "" : errors.front().pointer + " " + errors.front().detail));
  source_config out;
  out.rules = rules_of("custom", settings);
  out.config = settings_map(settings);
  out.secrets = {{std::string{secret}, {}}};
  return out;
}

reason verify(const source_config& source, std::string_view headers, std::string_view body = "{}",
              std::string_view query = "") {
  const auto url = "https://x.example/in" + std::string{query};
  return verify_request(source, {"POST", url, headers, body}, noon).reason;
}

std::string signature_of(std::string_view text, std::string_view header = "X-Sig: ") {
  return std::string{header} + encode_hex(hmac_sha256("s", text)) + "\r\n";
}

} // namespace

BOOST_AUTO_TEST_SUITE(custom_schemes)

BOOST_AUTO_TEST_CASE(methods_are_those_of_http_and_each_once) {
  for (const auto* bad : {R"("POST\r\nset-cookie: a=b")", R"("OPTIONS")", R"("post")", R"("POST","POST")", R"("")"})
    BOOST_TEST(mistakes_of_hmac(R"("methods":[)" + std::string{bad} + "]").contains("/methods"), bad);
  BOOST_TEST((mistakes_of_hmac(R"("methods":["POST","DELETE"])") == texts{}));
  BOOST_TEST(mistakes_of_hmac(R"("handshake":{"method":"GET\r\nx: y","answer":"a"})").contains("/handshake/method"));
}

BOOST_AUTO_TEST_CASE(size_and_cost_are_bounded) {
  BOOST_TEST((mistakes_of_hmac(R"("signed":"{body}{body}")") == texts{"/signed"}));
  BOOST_TEST((mistakes_of_hmac(R"("signed":["{url}","{sorted_form}{body}"])") == texts{"/signed"}));
  const auto list = [](int count) {
    std::string out;
    for (int i = 0; i < count; ++i)
      out += (i == 0 ? "\"h" : ",\"h") + std::to_string(i) + "\"";
    return "[" + out + "]";
  };
  BOOST_TEST((mistakes_of_hmac(R"("require":)" + list(32)) == texts{}));
  BOOST_TEST((mistakes_of_hmac(R"("require":)" + list(33)) == texts{"/require"}));
  BOOST_TEST((mistakes_of_hmac(R"("forward":)" + list(33)) == texts{"/forward"}));
  const std::string long_text(1'000, 'x');
  std::string many = R"("require":[")" + long_text + '"';
  for (int i = 0; i < 16; ++i)
    many += ",\"" + long_text + '"';
  BOOST_TEST((mistakes_of_hmac(many + "]") == texts{""}));
}

// Parts of the signed text may name the same large value again and again: what is hashed of one request has an end.
BOOST_AUTO_TEST_CASE(a_request_is_refused_where_its_scheme_would_hash_without_end) {
  std::string text;
  for (int i = 0; i < 60; ++i)
    text += "{json:$.a}";
  const auto source = source_of(R"({"family":"hmac","sig":{"header":"X-Sig"},"signed":[")" + text + R"(","{body}"]})");
  const std::string small = R"({"a":"b"})";
  BOOST_TEST((verify(source, signature_of(small), small) == reason::ok));
  const std::string large = R"({"a":")" + std::string(1'200'000, 'b') + "\"}";
  BOOST_TEST((verify(source, signature_of(large), large) == reason::signature_mismatch));
}

BOOST_AUTO_TEST_CASE(an_answer_says_what_was_done) {
  for (const int status : {199, 300, 401, 500})
    BOOST_TEST((mistakes_of_hmac(R"("accept":{"status":)" + std::to_string(status) + "}") == texts{"/accept/status"}));
  for (const int status : {200, 302, 399, 500})
    BOOST_TEST((mistakes_of_hmac(R"("reject":{"status":)" + std::to_string(status) + "}") == texts{"/reject/status"}));
  BOOST_TEST((mistakes_of_hmac(R"("accept":{"status":204},"reject":{"status":403})") == texts{}));
  BOOST_TEST(source_of(R"({"family":"token","in":{"header":"X"},"reject":{"body":"no"}})").rules->reject->status ==
             401);
}

BOOST_AUTO_TEST_CASE(a_word_that_the_family_does_not_follow_is_refused) {
  for (const auto* word :
       {R"("ts":{"header":"T"})", R"("signed":"{body}")", R"("each":"$.a.*")", R"("url":"decode_some")",
        R"("sig":{"header":"S"})", R"("hash":"sha1")", R"("body_digest":{"query":"q"})"}) {
    const std::string name{word, std::string_view{word}.find(':')};
    const auto pointer = "/" + name.substr(1, name.size() - 2);
    BOOST_TEST((mistakes(R"({"family":"token","in":{"header":"X"},)" + std::string{word} + "}") == texts{pointer}));
    BOOST_TEST((mistakes(R"({"family":"basic","username":"u",)" + std::string{word} + "}") == texts{pointer}));
  }
  BOOST_TEST((mistakes_of_hmac(R"("in":{"header":"X"})") == texts{"/in"}));
  BOOST_TEST((mistakes_of_hmac(R"("base":"github")") == texts{"/base"}));
}

BOOST_AUTO_TEST_CASE(a_place_is_refused_where_it_cannot_be_read) {
  const auto of_place = [](const std::string& place) {
    return mistakes(R"({"family":"hmac","signed":"{body}","sig":)" + place + "}");
  };
  BOOST_TEST(of_place(R"({"json_each":"$.a.*"})").contains("/sig/json_each"));
  BOOST_TEST((of_place(R"({"header":"X","suffix_index":"#"})") == texts{"/sig/suffix_index"}));
  BOOST_TEST((of_place(R"({"header":"X","secrets":"salts"})").contains("/sig/suffix_index")));
  BOOST_TEST((of_place(R"({"header":"X","unit":"s"})") == texts{"/sig/unit"}));
  BOOST_TEST((of_place(R"({"header":"X","prefix":"{body}"})") == texts{"/sig/prefix"}));
  BOOST_TEST((mistakes_of_hmac(R"("ts":{"header":"T","secret":"primary_key"})") == texts{"/ts/secret"}));
  BOOST_TEST(mistakes(R"({"family":"token","in":{"header_regex":"^x-\\d+$"}})").contains("/in/header_regex"));
  BOOST_TEST((mistakes(R"({"family":"token","in":{"header":"X","suffix_index":"#"}})") == texts{"/in/suffix_index"}));
}

BOOST_AUTO_TEST_CASE(a_timestamp_is_read_where_the_scheme_says) {
  const auto scheme = [](const std::string& place) {
    return source_of(R"({"family":"hmac","sig":{"header":"X-Sig"},"ts":{)" + place +
                     R"(,"unit":"s","max_age":60},"signed":"{ts}."})");
  };
  const auto in_query = scheme(R"("query":"at")");
  BOOST_TEST((verify(in_query, signature_of("1760000000."), "", "?at=1760000000") == reason::ok));
  BOOST_TEST(
    (verify(in_query, signature_of("1759999000."), "", "?at=1759999000") == reason::timestamp_out_of_tolerance));
  BOOST_TEST((verify(in_query, "at: 1760000000\r\n" + signature_of("1760000000.")) == reason::timestamp_missing));
  BOOST_TEST((verify(scheme(R"("form":"at")"), signature_of("1760000000."), "at=1760000000") == reason::ok));
  BOOST_TEST((verify(scheme(R"("header_regex":"^x-at-\\d$")"),
                     "X-At-7: 1760000000\r\n" + signature_of("1760000000.")) == reason::ok));
}

BOOST_AUTO_TEST_CASE(tokens_keep_the_demands_and_the_forms_of_their_places) {
  const auto bearer = source_of(R"({"family":"token","in":{"header":"X-Auth","prefix":"Bearer "},
    "require":["X-Id","$.id"],"fixed":{"X-Version":"2"},"form_pattern":{}})");
  const auto with = [](std::string_view auth) {
    return "X-Id: 1\r\nX-Version: 2\r\nX-Auth: " + std::string{auth} + "\r\n";
  };
  constexpr std::string_view body = R"({"id":"1"})";
  BOOST_TEST((verify(bearer, with("Bearer s"), body) == reason::ok));
  BOOST_TEST((verify(bearer, with("Bearer t"), body) == reason::token_mismatch));
  BOOST_TEST((verify(bearer, with("s"), body) == reason::header_malformed));
  BOOST_TEST((verify(bearer, "X-Id: 1\r\nX-Version: 2\r\n", body) == reason::signature_missing));
  BOOST_TEST((verify(bearer, with("Bearer s")) == reason::field_missing));
  BOOST_TEST((verify(bearer, "X-Version: 2\r\nX-Auth: Bearer s\r\n", body) == reason::header_missing));
  BOOST_TEST((verify(bearer, "X-Id: 1\r\nX-Version: 1\r\nX-Auth: Bearer s\r\n", body) == reason::header_malformed));
  const auto list = source_of(R"({"family":"token","in":{"header":"X-Auth","split":","}})");
  BOOST_TEST((verify(list, "X-Auth: t,s\r\n") == reason::ok));
  const auto form = source_of(R"({"family":"token","in":{"form":"token"}})");
  BOOST_TEST((verify(form, "", "a=1&token=s") == reason::ok));
  BOOST_TEST((verify(form, "", "a=1&token=t") == reason::token_mismatch));
  BOOST_TEST((verify(form, "", R"({"token":"s"})") == reason::field_missing));
}

BOOST_AUTO_TEST_CASE(what_the_signed_text_names_must_be_there) {
  const auto source = source_of(R"({"family":"hmac","sig":{"header":"X-Sig"},"signed":"{query:n}{body}"})");
  BOOST_TEST((verify(source, signature_of("1{}"), "{}", "?n=1") == reason::ok));
  BOOST_TEST((verify(source, signature_of("{}"), "{}") == reason::field_missing));
  BOOST_TEST((mistakes_of_hmac(R"("signed":"{hmac_hex:$.a}{body}")") == texts{"/signed"}));
  BOOST_TEST((mistakes_of_hmac(R"("signed":"{ts}.{body}")") == texts{"/signed"}));
}

// Twilio's form is signed as a whole: fields beyond those that are looked at must not go unseen.
BOOST_AUTO_TEST_CASE(a_form_of_too_many_fields_is_refused) {
  const auto source = source_of(R"({"family":"hmac","sig":{"header":"X-Sig"},"signed":"{sorted_form}"})");
  std::string body = "b=2";
  for (int i = 0; i < 999; ++i)
    body += "&a=1";
  BOOST_TEST((verify(source, signature_of("a1b2"), body) == reason::ok));
  BOOST_TEST((verify(source, signature_of("a1b2"), body + "&c=3") == reason::header_malformed));
}

BOOST_AUTO_TEST_CASE(a_list_of_too_many_signed_items_is_refused) {
  const auto source = source_of(R"({"family":"hmac","each":"$.*","sig":{"json":"$.s"},"signed":"{json:$.a}"})");
  const auto item = R"({"a":"x","s":")" + encode_hex(hmac_sha256("s", "x")) + "\"}";
  std::string body = "[" + item;
  for (int i = 1; i < 1'000; ++i)
    body += "," + item;
  BOOST_TEST((verify(source, "", body + "]") == reason::ok));
  BOOST_TEST((verify(source, "", body + "," + item + "]") == reason::header_malformed));
}

BOOST_AUTO_TEST_CASE(settings_stand_beside_the_scheme_and_secret_ones_are_kept_apart) {
  const auto basic = source_of(R"({"family":"basic","username":"shop"})");
  BOOST_TEST((verify(basic, "Authorization: Basic c2hvcDpz\r\n") == reason::ok));
  BOOST_TEST((verify(basic, "Authorization: Basic b3RoZXI6cw==\r\n") == reason::token_mismatch));
  BOOST_TEST((mistakes(R"({"family":"basic"})") == texts{"/username"}));
  BOOST_TEST((mistakes(R"({"family":"basic","username":"a","public_key":"b"})") == texts{"/public_key"}));
  std::vector<scheme_error> errors;
  const auto config = boost::json::parse(R"({"family":"token","in":{"header":"X"},"verify_token":"hush",
    "handshake":{"method":"GET","query":"c","check":{"t":"=verify_token"},"answer":"{query:c}"}})");
  const auto settings = read_source_settings(nullptr, config.as_object(), errors);
  BOOST_TEST(errors.empty());
  BOOST_TEST(settings.plain.find("hush") == std::string::npos);
  source_config source;
  source.rules = rules_of("custom", settings);
  source.config = settings_map(settings);
  const auto found = verify_request(source, {"GET", "https://x.example/in?c=1&t=hush", "", ""}, noon);
  BOOST_TEST(found.handshake.has_value());
  BOOST_TEST(mistakes(R"({"family":"token","in":{"query":"=colour"}})").contains(""));
  BOOST_TEST(mistakes_of_hmac(R"("verify_token":"x","handshake":{"query":"q","answer":"{config:verify_token}"})")
               .contains("/handshake"));
  BOOST_TEST(mistakes(R"({"family":"hmac","sig":{"header":"X","secret":"username"},"signed":"{body}","username":"a"})")
               .contains(""));
}

BOOST_AUTO_TEST_CASE(control_characters_are_refused_wherever_they_stand) {
  BOOST_TEST((mistakes_of_hmac(R"("forward":["a\u0000b"])").contains("/forward")));
  BOOST_TEST((mistakes_of_hmac(R"("handshake":{"query":"q","answer_json":{"a\u0000":"b"}})").contains("/handshake")));
  BOOST_TEST((mistakes_of_hmac(R"("accept":{"body":"a\u001fb"})").contains("/accept")));
  BOOST_TEST((mistakes_of_hmac(R"("public_url":"https://a\u007fb.example")").contains("/public_url")));
  BOOST_TEST((mistakes(R"({"family":"basic","username":"a\nb"})") == texts{"/username"}));
  BOOST_TEST((mistakes_of_hmac(R"("signed":"{method}\n{body}")") == texts{})); // of what is signed they are a part
  BOOST_TEST((mistakes_of_hmac(R"("signed":"\u0000{body}")") == texts{"/signed"}));
}

BOOST_AUTO_TEST_CASE(no_signature_and_no_token_goes_on_to_endpoints) {
  const auto forward = [](const std::string& rest) { return R"({"family":"hmac","signed":"{body}",)" + rest + "}"; };
  BOOST_TEST(
    (mistakes(forward(R"("sig":{"header_regex":"^x-sig-\\d+$"},"forward":["X-Sig-12"])")) == texts{"/forward"}));
  BOOST_TEST((mistakes(forward(R"("sig":{"header":"X-Sig"},"alias":{"X-Sig":"Y-Sig"},"forward":["y-sig"])")) ==
              texts{"/forward"}));
  BOOST_TEST(
    (mistakes(forward(R"("sig":{"header":"X-Sig"},"alias":{"X-Other":"Y-Other"},"forward":["y-other"])")) == texts{}));
  const auto token = source_of(R"({"family":"token","in":{"header":"X-Token"},"alias":{"X-Token":"Y-Token"}})");
  BOOST_TEST((token.rules->secret_headers == std::vector<std::string>{"X-Token", "Y-Token"}));
}

BOOST_AUTO_TEST_CASE(an_open_handshake_signs_nothing_but_its_own_question_of_a_form) {
  const auto of_handshake = [](const std::string& text) { return mistakes_of_hmac("\"handshake\":{" + text + "}"); };
  BOOST_TEST((of_handshake(R"("query":"c","answer":"{hmac_hex_query:c}")") == texts{"/handshake/answer"}));
  BOOST_TEST((of_handshake(R"("query":"c","pattern":"^[0-9]{8}$","answer":"{hmac_hex_query:d}")") ==
              texts{"/handshake/answer"}));
  BOOST_TEST((of_handshake(R"("query":"c","pattern":"^[0-9]{8}$","answer":"{hmac_hex_query:c}")") == texts{}));
  BOOST_TEST(
    (of_handshake(R"("json":{"$.a":"b"},"answer_json":{"x":"{hmac_hex:$.c}"})") == texts{"/handshake/answer_json"}));
  BOOST_TEST((of_handshake(R"("json":{"$.a":"b"},"after_verify":true,"answer":"{hmac_hex:$.c}")") == texts{}));
  BOOST_TEST((of_handshake(R"("query":"c","answer":"{secret}")") == texts{"/handshake/answer"}));
}

// A signed question may come by a method of its own; by that method nothing else may come.
BOOST_AUTO_TEST_CASE(a_signed_handshake_has_its_own_method) {
  const auto source = source_of(R"({"family":"hmac","sig":{"header":"X-Sig"},"signed":"{url}",
    "handshake":{"method":"GET","query":"c","after_verify":true,"answer":"{query:c}"}})");
  const auto ask = [&](std::string_view url, std::string_view what) {
    return verify_request(source, {"GET", url, signature_of(what), ""}, noon);
  };
  BOOST_TEST(ask("https://x.example/?c=5", "https://x.example/?c=5").handshake.value_or(fixed_answer{}).body == "5");
  BOOST_TEST((ask("https://x.example/?c=5", "other").reason == reason::signature_mismatch));
  BOOST_TEST((ask("https://x.example/", "https://x.example/").reason == reason::signature_missing));
}

BOOST_AUTO_TEST_CASE(numbers_of_which_several_read_alike_are_no_ids) {
  const auto source = source_of(R"({"family":"token","in":{"header":"X"},"event_id":"$.id"})");
  const auto id = [&](const std::string& number) {
    const auto body = R"({"id":)" + number + "}";
    const auto found = verify_request(source, {"POST", "https://x.example/", "X: s\r\n", body}, noon);
    return found.reason == reason::ok ? found.provider_event_id : std::string{to_string(found.reason)};
  };
  BOOST_TEST(id("18446744073709551615") == "18446744073709551615");
  BOOST_TEST(id("-9223372036854775808") == "-9223372036854775808");
  BOOST_TEST(id("18446744073709551616") == "unreadable-id");
  BOOST_TEST(id("9007199254740993.0") == "unreadable-id");
  BOOST_TEST(id("1.5") == "unreadable-id");
  BOOST_TEST(id("1.7e12") == "1700000000000");
}

BOOST_AUTO_TEST_SUITE_END()
