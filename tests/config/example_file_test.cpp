#include "config/example_file.hpp"

#include "config/load.hpp"
#include "config/setting_keys.hpp"
#include "config/toml_file.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

using namespace postrider;

namespace {

const std::string path = POSTRIDER_SOURCE_DIR "/config/postrider.example.toml";

std::string text_of_the_file() {
  std::ifstream in{path, std::ios::binary};
  BOOST_REQUIRE(in);
  return {std::istreambuf_iterator<char>{in}, {}};
}

} // namespace

BOOST_AUTO_TEST_SUITE(config_example_file)

BOOST_AUTO_TEST_CASE(holds_every_key_once_and_no_other) {
  std::multiset<std::string> listed, known;
  for (const auto& entry : read_toml(text_of_the_file()).entries)
    listed.insert(entry.name);
  for (const auto& key : setting_keys())
    known.insert(std::string{key.name});
  BOOST_TEST(listed == known, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(loads_and_changes_no_default) {
  auto loaded = load_settings({.file = path, .environment = {}, .flags = {}});
  BOOST_TEST(loaded.errors.empty());
  settings defaults;
  for (const auto& key : setting_keys())
    std::visit([&](auto reach) { BOOST_TEST((reach(loaded.values) == reach(defaults)), key.name); }, key.at);
}

BOOST_AUTO_TEST_CASE(is_what_check_config_prints) {
  BOOST_TEST(text_of_the_file() == example_file(), "write it anew: postrider check-config --example");
}

BOOST_AUTO_TEST_CASE(every_key_stands_in_a_section_with_a_help_and_sane_bounds) {
  std::set<std::string_view> flags;
  for (const auto& key : setting_keys()) {
    const auto section = std::ranges::find(setting_sections(), key.section(), &setting_section::name);
    BOOST_TEST((section != setting_sections().end()), key.name);
    BOOST_TEST(!key.help.empty(), key.name);
    BOOST_TEST((key.kind == setting_kind::integer) == (key.max > key.min), key.name);
    BOOST_TEST((key.kind == setting_kind::choice) == !key.choices.empty(), key.name);
    if (!key.flag.empty())
      BOOST_TEST(flags.insert(key.flag).second, key.flag);
  }
}

BOOST_AUTO_TEST_SUITE_END()
