#include "core/tenant_config.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <span>

using namespace postrider;

namespace {

std::string repeat(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i)
    out += text;
  return out;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> out;
  if (text.empty())
    return out;
  out.emplace_back();
  for (const char c : text)
    if (c == '.')
      out.emplace_back();
    else
      out.back() += c;
  return out;
}

/// The definition, word for word: slow, and plainly right.
bool matches_by_definition(std::span<const std::string> pattern, std::span<const std::string> type) {
  if (pattern.empty())
    return type.empty();
  if (pattern.front() == "**")
    return matches_by_definition(pattern.subspan(1), type) ||
           (!type.empty() && matches_by_definition(pattern, type.subspan(1)));
  return !type.empty() && (pattern.front() == "*" || pattern.front() == type.front()) &&
         matches_by_definition(pattern.subspan(1), type.subspan(1));
}

void check(std::string_view pattern, std::initializer_list<std::string_view> matching,
           std::initializer_list<std::string_view> others) {
  for (const auto type : matching)
    BOOST_TEST(matches_event_type(pattern, type), pattern << " and " << type);
  for (const auto type : others)
    BOOST_TEST(!matches_event_type(pattern, type), pattern << " and " << type);
}

} // namespace

BOOST_AUTO_TEST_SUITE(tenant_configs)

BOOST_AUTO_TEST_CASE(plain_patterns_match_themselves_alone) {
  check("invoice.paid", {"invoice.paid"},
        {"invoice", "invoice.paid.late", "Invoice.paid", "invoice.pai", "invoice.paidd", "invoice-paid",
         ".invoice.paid", "invoice.paid.", ""});
}

BOOST_AUTO_TEST_CASE(one_star_is_exactly_one_segment) {
  check("invoice.*", {"invoice.paid", "invoice.", "invoice.*"}, {"invoice", "invoice.a.b", "invoices.paid", ""});
  check("*", {"a", "push", "*"}, {"", "a.b"});
  check("*.*", {"a.b", "."}, {"a", "a.b.c"});
  check("*.paid", {"invoice.paid", ".paid"}, {"paid", "a.b.paid"});
  check("a.*.c", {"a.b.c", "a..c"}, {"a.c", "a.b.b.c"});
}

BOOST_AUTO_TEST_CASE(two_stars_are_any_number_of_segments_and_none) {
  check("**", {"", "a", "a.b", "a.b.c", "."}, {});
  check("a.**", {"a", "a.b", "a.b.c", "a."}, {"ab", "b.a", ""});
  check("**.z", {"z", "a.z", "a.b.z", "z.z"}, {"z.a", "az", ""});
  check("a.**.z", {"a.z", "a.b.z", "a.b.c.z", "a.z.z"}, {"a", "z", "a.b", "a.z.b"});
  check("**.m.**", {"m", "a.m", "m.a", "a.m.b", "m.m"}, {"a", "a.b", ""});
  check("a.**.m.**.z", {"a.m.z", "a.b.m.c.z", "a.m.m.z", "a.m.z.z"}, {"a.z", "a.b.z", "m.z", "a.m"});
  check("**.**", {"", "a", "a.b"}, {});
  check("**.*", {"a", "a.b"}, {""});
  check("*.**.*", {"a.b", "a.b.c"}, {"a", ""});
}

BOOST_AUTO_TEST_CASE(stars_inside_a_segment_are_letters) {
  check("inv*", {"inv*"}, {"invoice", "inv"});
  check("***", {"***"}, {"a", "a.b"});
  check("a.**b", {"a.**b"}, {"a.b", "a.c.b"});
}

BOOST_AUTO_TEST_CASE(empty_pattern_matches_an_event_without_type_alone) {
  check("", {""}, {"a", "."});
}

BOOST_AUTO_TEST_CASE(random_patterns_agree_with_the_definition) {
  std::mt19937_64 random{11};
  const std::array<std::string, 5> pattern_words{"a", "b", "*", "**", ""};
  const std::array<std::string, 3> type_words{"a", "b", ""};
  int matched = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string pattern;
    std::string type;
    for (auto left = random() % 6; left > 0; --left)
      pattern += (pattern.empty() ? "" : ".") + pattern_words[random() % pattern_words.size()];
    for (auto left = random() % 7; left > 0; --left)
      type += (type.empty() ? "" : ".") + type_words[random() % type_words.size()];
    const bool expected = matches_by_definition(split(pattern), split(type));
    BOOST_REQUIRE_MESSAGE(matches_event_type(pattern, type) == expected, pattern << " and " << type);
    matched += expected ? 1 : 0;
  }
  BOOST_TEST(matched > 5'000);
}

BOOST_AUTO_TEST_CASE(pathological_patterns_stay_cheap) {
  // An exponential matcher would need more steps than there are atoms: this test would not end.
  const auto pattern = repeat("**.a.", 2'000) + "b";
  const auto type = repeat("a.", 4'000) + "a";
  BOOST_TEST(!matches_event_type(pattern, type));
  BOOST_TEST(!matches_event_type(repeat("**.", 2'000) + "b", type));
  BOOST_TEST(matches_event_type(repeat("**.*.", 1'000) + "a", type));
}

BOOST_AUTO_TEST_CASE(endpoint_takes_what_its_types_and_sources_name) {
  endpoint_config endpoint;
  BOOST_TEST(matches(endpoint, 1, "a.b"), "no list means all");
  BOOST_TEST(matches(endpoint, 0, ""), "an event without type too");
  endpoint.event_types = {"x", "a.*"};
  BOOST_TEST(matches(endpoint, 1, "a.b"));
  BOOST_TEST(matches(endpoint, 1, "x"));
  BOOST_TEST(!matches(endpoint, 1, "a"));
  BOOST_TEST(!matches(endpoint, 1, ""));
  endpoint.sources = {3, 1};
  BOOST_TEST(matches(endpoint, 1, "x"));
  BOOST_TEST(!matches(endpoint, 2, "x"));
  BOOST_TEST(!matches(endpoint, 0, "x"), "published events have no source");
}

BOOST_AUTO_TEST_CASE(paused_endpoints_collect_and_disabled_ones_match_nothing) {
  endpoint_config endpoint;
  endpoint.status = endpoint_status::paused;
  BOOST_TEST(matches(endpoint, 1, "a"));
  endpoint.status = endpoint_status::disabled;
  BOOST_TEST(!matches(endpoint, 1, "a"));
}

BOOST_AUTO_TEST_SUITE_END()
