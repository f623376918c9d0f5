#include "config/settings_patch.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <string>

using namespace postrider;
namespace json = boost::json;

namespace {

std::string merged(const char* target, const char* patch) {
  auto out = json::parse(target);
  merge_patch(out, json::parse(patch));
  return json::serialize(out);
}

struct after {
  std::string settings;
  std::vector<std::string> wrong;
};
after patched(const source_settings& stored, const char* patch) {
  std::vector<scheme_error> errors;
  after out{json::serialize(merged_settings(stored, json::parse(patch).as_object(), errors)), {}};
  for (const auto& each : errors)
    out.wrong.push_back(each.pointer);
  return out;
}

const source_settings salts{R"({"public_url":"https://a.example"})", R"({"salts":{"1":"one","2":"two"}})"};
const source_settings keys{"{}", R"({"primary_key":"p","secondary_key":"s"})"};

} // namespace

BOOST_AUTO_TEST_SUITE(settings_patches)

// RFC 7396, appendix A, those whose target is what ours always is.
BOOST_AUTO_TEST_CASE(a_patch_is_merged_as_the_rfc_says) {
  BOOST_TEST(merged(R"({"a":"b"})", R"({"a":"c"})") == R"({"a":"c"})");
  BOOST_TEST(merged(R"({"a":"b"})", R"({"b":"c"})") == R"({"a":"b","b":"c"})");
  BOOST_TEST(merged(R"({"a":"b"})", R"({"a":null})") == "{}");
  BOOST_TEST(merged(R"({"a":"b","b":"c"})", R"({"a":null})") == R"({"b":"c"})");
  BOOST_TEST(merged(R"({"a":["b"]})", R"({"a":"c"})") == R"({"a":"c"})");
  BOOST_TEST(merged(R"({"a":"c"})", R"({"a":["b"]})") == R"({"a":["b"]})");
  BOOST_TEST(merged(R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})") == R"({"a":{"b":"d"}})");
  BOOST_TEST(merged(R"({"a":[{"b":"c"}]})", R"({"a":[1]})") == R"({"a":[1]})");
  BOOST_TEST(merged(R"({"e":null})", R"({"a":1})") == R"({"e":null,"a":1})");
  BOOST_TEST(merged(R"([1,2])", R"({"a":"b","c":null})") == R"({"a":"b"})");
  BOOST_TEST(merged("{}", R"({"a":{"bb":{"ccc":null}}})") == R"({"a":{"bb":{}}})");
}

BOOST_AUTO_TEST_CASE(what_is_written_back_as_it_was_read_changes_nothing) {
  BOOST_TEST(patched(keys, R"({"primary_key":{"set":true},"secondary_key":{"set":true}})").settings ==
             R"({"primary_key":"p","secondary_key":"s"})");
  BOOST_TEST(patched(salts, R"({"public_url":"https://b.example","salts":{"set":true}})").settings ==
             R"({"public_url":"https://b.example","salts":{"1":"one","2":"two"}})");
  BOOST_TEST(patched(salts, "{}").settings == R"({"public_url":"https://a.example","salts":{"1":"one","2":"two"}})");
}

BOOST_AUTO_TEST_CASE(a_secret_setting_is_changed_alone) {
  BOOST_TEST(patched(keys, R"({"primary_key":"new","secondary_key":{"set":true}})").settings ==
             R"({"primary_key":"new","secondary_key":"s"})");
  BOOST_TEST(patched(keys, R"({"secondary_key":null})").settings == R"({"primary_key":"p"})");
}

BOOST_AUTO_TEST_CASE(salts_are_rotated_one_by_one) {
  BOOST_TEST(patched(salts, R"({"salts":{"3":"three"}})").settings ==
             R"({"public_url":"https://a.example","salts":{"1":"one","2":"two","3":"three"}})");
  BOOST_TEST(patched(salts, R"({"salts":{"set":true,"1":null}})").settings ==
             R"({"public_url":"https://a.example","salts":{"2":"two"}})");
}

BOOST_AUTO_TEST_CASE(the_mark_of_what_is_not_set_is_a_mistake) {
  const auto out = patched({"{}", ""}, R"({"verify_token":{"set":true}})");
  BOOST_TEST(out.wrong == std::vector<std::string>{"/verify_token"}, boost::test_tools::per_element());
  BOOST_TEST(out.settings == "{}");
  // Only that word is the mark, and only of a secret.
  BOOST_TEST(patched(keys, R"({"primary_key":{"set":false}})").settings ==
             R"({"primary_key":{"set":false},"secondary_key":"s"})");
  BOOST_TEST(patched({"{}", ""}, R"({"public_url":{"set":true}})").settings == R"({"public_url":{"set":true}})");
}

BOOST_AUTO_TEST_SUITE_END()
