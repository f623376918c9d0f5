#include "core/order_key.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;

BOOST_AUTO_TEST_SUITE(order_keys)

namespace {

std::string key_of(std::string_view place, std::string_view headers, std::string_view body) {
  const auto parsed = parse_order_key_place(place);
  BOOST_REQUIRE(parsed.has_value());
  return order_key_reader{headers, body}.key_at(*parsed);
}

constexpr std::string_view no_headers{};

} // namespace

BOOST_AUTO_TEST_CASE(a_place_is_a_header_or_a_pointer) {
  BOOST_TEST(parse_order_key_place("header:X-Customer")->header == "X-Customer");
  BOOST_TEST((parse_order_key_place("json:/customer/id")->path == std::vector<std::string>{"customer", "id"}));
  BOOST_TEST((parse_order_key_place("json:/a~1b/c~0d")->path == std::vector<std::string>{"a/b", "c~d"}));
  BOOST_TEST((parse_order_key_place("json:/")->path == std::vector<std::string>{""}));
  for (const auto* wrong :
       {"", "header:", "header:a b", "header:a:b", "json:", "json:id", "json:/a~2", "json:/a~", "body", "x:/a"})
    BOOST_TEST(!parse_order_key_place(wrong).has_value(), wrong);
  BOOST_TEST(parse_order_key_place("json:/" + std::string(250, 'a')).has_value());
  BOOST_TEST(!parse_order_key_place("json:/" + std::string(251, 'a')).has_value());
}

BOOST_AUTO_TEST_CASE(keys_are_texts_numbers_and_words) {
  constexpr std::string_view body =
    R"({"customer":{"id":"cus_1","n":42,"yes":true,"no":null,"list":[7,"x"],"deep":{}}})";
  BOOST_TEST(key_of("json:/customer/id", no_headers, body) == "cus_1");
  BOOST_TEST(key_of("json:/customer/n", no_headers, body) == "42");
  BOOST_TEST(key_of("json:/customer/yes", no_headers, body) == "true");
  BOOST_TEST(key_of("json:/customer/list/1", no_headers, body) == "x");
  for (const auto* none :
       {"json:/customer/no", "json:/customer/deep", "json:/customer/list", "json:/other", "json:/customer/id/x"})
    BOOST_TEST(key_of(none, no_headers, body) == "", none);
  BOOST_TEST(key_of("json:/a", no_headers, "no JSON") == "");
}

BOOST_AUTO_TEST_CASE(headers_are_found_in_any_case) {
  constexpr std::string_view headers = "Host: a\r\nX-Customer:  seven \r\n";
  BOOST_TEST(key_of("header:x-customer", headers, {}) == "seven");
  BOOST_TEST(key_of("header:X-Other", headers, {}) == "");
}

BOOST_AUTO_TEST_CASE(what_cannot_stand_in_the_database_is_told_by_its_digest) {
  const auto digest = key_of("json:/k", no_headers, R"({"k":"a\u0000b"})");
  BOOST_TEST(digest.size() == 7U + 64U);
  BOOST_TEST(digest.starts_with("sha256:"));
  BOOST_TEST(digest != key_of("json:/k", no_headers, R"({"k":"a\u0000c"})"));
  BOOST_TEST(key_of("json:/k", no_headers, R"({"k":"é"})").starts_with("sha256:"));
  const std::string longest(200, 'a');
  BOOST_TEST(key_of("json:/k", no_headers, R"({"k":")" + longest + R"("})") == longest);
  BOOST_TEST(key_of("json:/k", no_headers, R"({"k":")" + longest + R"(a"})").starts_with("sha256:"));
  // Nobody passes for another by writing a digest.
  BOOST_TEST(key_of("json:/k", no_headers, R"({"k":")" + digest + R"("})") != digest);
}

BOOST_AUTO_TEST_SUITE_END()
