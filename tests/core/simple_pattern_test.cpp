#include "core/simple_pattern.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace postrider;

namespace {
bool matches(std::string_view pattern, std::string_view text) {
  const auto parsed = simple_pattern::parse(pattern);
  BOOST_REQUIRE_MESSAGE(parsed, pattern << " is a pattern");
  return parsed->matches(text);
}
} // namespace

BOOST_AUTO_TEST_SUITE(simple_patterns)

BOOST_AUTO_TEST_CASE(literals_classes_and_repetitions_match_the_whole_text) {
  BOOST_TEST(matches(R"(^x-docusign-signature-\d+$)", "x-docusign-signature-12"));
  BOOST_TEST(!matches(R"(^x-docusign-signature-\d+$)", "x-docusign-signature-"));
  BOOST_TEST(!matches(R"(^x-docusign-signature-\d+$)", "x-docusign-signature-1x"));
  BOOST_TEST(!matches(R"(^x-docusign-signature-\d+$)", "ax-docusign-signature-1"));
  BOOST_TEST(matches("^[a-f0-9]{20,32}$", std::string(20, 'a')));
  BOOST_TEST(matches("^[a-f0-9]{20,32}$", std::string(32, '0')));
  BOOST_TEST(!matches("^[a-f0-9]{20,32}$", std::string(19, 'a')));
  BOOST_TEST(!matches("^[a-f0-9]{20,32}$", std::string(33, 'a')));
  BOOST_TEST(!matches("^[a-f0-9]{20,32}$", std::string(20, 'A')));
  BOOST_TEST(matches(R"(^[A-Za-z0-9+=/\n]+$)", "aZ0+/=\n"));
  BOOST_TEST(!matches(R"(^[A-Za-z0-9+=/\n]+$)", "a b"));
  BOOST_TEST(matches(R"(^a\.b$)", "a.b"));
  BOOST_TEST(!matches(R"(^a\.b$)", "aXb"));
  BOOST_TEST(matches("^[a-]{2}$", "a-"));
}

BOOST_AUTO_TEST_CASE(what_is_not_of_the_simple_kind_is_refused) {
  for (const auto text :
       {"",        "^",      "^$",    "abc",   "^abc",      "abc$",          "^a|b$",    "^a*$",   "^a?$",
        "^(a)$",   "^[^a]$", "^[$",   "^[]$",  "^a{$",      "^a{2$",         "^a{3,2}$", "^a{0}$", "^a{99999}$",
        "^[z-a]$", "^\\$",   "^\\w$", "^a+a$", R"(^\d+0$)", "^[a-c]{1,3}b$", "^a++$"})
    BOOST_TEST(!simple_pattern::parse(text).has_value(), text);
  BOOST_TEST(!simple_pattern::parse("^" + std::string(simple_pattern::text_max, 'a') + "$").has_value());
  BOOST_TEST(!simple_pattern{}.matches(""));
}

BOOST_AUTO_TEST_SUITE_END()
