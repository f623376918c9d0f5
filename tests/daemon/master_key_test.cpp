#include "daemon/master_key.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <sys/stat.h>

using namespace postrider;

namespace {

struct directory {
  std::filesystem::path path;
  directory() {
    auto pattern = (std::filesystem::temp_directory_path() / "postrider_key_XXXXXX").string();
    BOOST_REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path = pattern;
  }
  ~directory() { std::filesystem::remove_all(path); }
  directory(const directory&) = delete;
  directory& operator=(const directory&) = delete;
};

} // namespace

BOOST_AUTO_TEST_SUITE(daemon_master_key)

BOOST_AUTO_TEST_CASE(the_key_of_dev_is_made_once_kept_and_readable_by_its_owner_alone) {
  const directory at;
  const auto first = insecure_master_key_file(at.path);
  BOOST_REQUIRE(first);
  BOOST_TEST((*first != secret_key{}));
  const auto second = insecure_master_key_file(at.path);
  BOOST_REQUIRE(second);
  BOOST_TEST((*first == *second));
  struct stat found {};
  BOOST_REQUIRE(::stat((at.path / "insecure_master_key").c_str(), &found) == 0);
  BOOST_TEST((found.st_mode & 0777U) == 0600U);
  BOOST_TEST(std::distance(std::filesystem::directory_iterator{at.path}, {}) == 1);
}

BOOST_AUTO_TEST_CASE(a_damaged_key_is_an_error_and_stays_as_it_is) {
  const directory at;
  std::ofstream{at.path / "insecure_master_key"} << "bm8ga2V5";
  const auto key = insecure_master_key_file(at.path);
  BOOST_REQUIRE(!key);
  BOOST_TEST(key.error().detail.find("does not hold the base64 of 32 bytes") != std::string::npos);
  BOOST_TEST(key.error().detail.find("bm8ga2V5") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_configured_key_is_read_or_named) {
  settings values;
  BOOST_REQUIRE(configured_master_key(values));
  BOOST_TEST(!configured_master_key(values)->has_value());
  ::setenv("POSTRIDER_TEST_MASTER_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", 1);
  values.secrets.master_key = *parse_secret_ref("env:POSTRIDER_TEST_MASTER_KEY");
  BOOST_REQUIRE(configured_master_key(values));
  BOOST_TEST(configured_master_key(values)->value()[1] == 1);
  ::unsetenv("POSTRIDER_TEST_MASTER_KEY");
  const auto missing = configured_master_key(values);
  BOOST_REQUIRE(!missing);
  BOOST_TEST(missing.error().detail == "secrets.master_key: env:POSTRIDER_TEST_MASTER_KEY is not set");
}

BOOST_AUTO_TEST_SUITE_END()
