#include "core/form_fields.hpp"
#include "core/json_view.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace postrider;

namespace {
std::string text_at(const json_view& document, const std::vector<std::string>& path) {
  return json_view::text_of(document.find(document.root(), path)).value_or("(none)");
}
} // namespace

BOOST_AUTO_TEST_SUITE(json_views)

BOOST_AUTO_TEST_CASE(values_are_found_by_names_and_indices) {
  const json_view document{
    R"({"a":{"b-c":[{"d":"x"},2]},"n":null,"t":true,"i":12345678901234567,"e":1.5,"":"empty","a.b":"dot"})"};
  BOOST_TEST(text_at(document, {"a", "b-c", "0", "d"}) == "x");
  BOOST_TEST(text_at(document, {"a", "b-c", "1"}) == "2");
  BOOST_TEST(text_at(document, {"a", "b-c", "2"}) == "(none)");
  BOOST_TEST(text_at(document, {"a", "b-c", "-1"}) == "(none)");
  BOOST_TEST(text_at(document, {"a", "b-c", "0x0"}) == "(none)");
  BOOST_TEST(text_at(document, {"a"}) == "(none)");
  BOOST_TEST(text_at(document, {"n"}) == "(none)");
  BOOST_TEST(text_at(document, {"t"}) == "true");
  BOOST_TEST(text_at(document, {"i"}) == "12345678901234567");
  BOOST_TEST(text_at(document, {"e"}) == "1.5");
  BOOST_TEST(text_at(document, {""}) == "empty");
  BOOST_TEST(text_at(document, {"a", "x", "y"}) == "(none)");
}

BOOST_AUTO_TEST_CASE(a_star_needs_every_element_to_go_on) {
  const json_view document{R"({"v":[{"s":"1"},{"s":"2"}],"w":[{"s":"1"},{}],"e":[],"o":{"s":"1"}})"};
  const auto found = document.find_each(document.root(), {"v", "*", "s"});
  BOOST_REQUIRE(found.has_value());
  BOOST_TEST(found->size() == 2U);
  BOOST_TEST(json_view::text_of(found->at(1)).value_or("") == "2");
  for (const auto name : {"w", "e", "o", "none"})
    BOOST_TEST(!document.find_each(document.root(), {name, "*", "s"}).has_value(), name);
}

BOOST_AUTO_TEST_CASE(what_is_not_json_has_no_root) {
  for (const auto text : {"", "{", "{}x", "\xff", "nul", "{\"a\":1,}", "[1] [2]"})
    BOOST_TEST(!json_view{text}.root(), text);
  const std::string deep(json_view::depth_max + 1, '[');
  BOOST_TEST(!json_view{deep + std::string(deep.size(), ']')}.root());
  BOOST_TEST(bool(json_view{std::string(json_view::depth_max, '[') + std::string(json_view::depth_max, ']')}.root()));
}

BOOST_AUTO_TEST_CASE(of_two_members_of_one_name_the_last_counts) {
  BOOST_TEST(text_at(json_view{R"({"id":"first","id":"last"})"}, {"id"}) == "last");
}

BOOST_AUTO_TEST_CASE(forms_are_decoded_as_browsers_write_them) {
  const auto fields = parse_form("a=1&b=x+y%2Bz&&c&%64=%zz&a=2&e=%4&f=%C3%A9");
  BOOST_TEST(find_field(fields, "a").value_or("") == "1");
  BOOST_TEST(find_field(fields, "b").value_or("") == "x y+z");
  BOOST_TEST(find_field(fields, "c").value_or("-") == "");
  BOOST_TEST(find_field(fields, "d").value_or("") == "%zz");
  BOOST_TEST(find_field(fields, "e").value_or("") == "%4");
  BOOST_TEST(find_field(fields, "f").value_or("") == "é");
  BOOST_TEST(!find_field(fields, "none").has_value());
  BOOST_TEST(fields.all.size() == 7U);
  BOOST_TEST(!fields.cut_short);
}

BOOST_AUTO_TEST_SUITE_END()
