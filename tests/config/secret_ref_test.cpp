#include "config/secret_ref.hpp"

#include "tests/config/temporary_file.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>

using namespace postrider;
using test::temporary_file;

namespace {

secret_ref in_file(const temporary_file& file) {
  return *parse_secret_ref("file:" + file.path());
}

std::string value_of(std::string_view text) {
  const temporary_file file{text};
  const auto read = read_secret(in_file(file));
  return read ? *read : "error: " + read.error().detail;
}

} // namespace

BOOST_AUTO_TEST_SUITE(config_secret_ref)

BOOST_AUTO_TEST_CASE(only_the_two_forms_are_taken) {
  BOOST_TEST(to_string(*parse_secret_ref("file:/run/key")) == "file:/run/key");
  BOOST_TEST(to_string(*parse_secret_ref("env:KEY")) == "env:KEY");
  for (const auto* text : {"", "file:", "env:", "FILE:/x", "vault:x", "c2VjcmV0", " file:/x"})
    BOOST_TEST(!parse_secret_ref(text).has_value(), text);
}

BOOST_AUTO_TEST_CASE(one_trailing_newline_of_a_file_is_no_part_of_it) {
  BOOST_TEST(value_of("abc") == "abc");
  BOOST_TEST(value_of("abc\n") == "abc");
  BOOST_TEST(value_of("abc\r\n") == "abc");
  BOOST_TEST(value_of("abc\n\n") == "abc\n");
  BOOST_TEST(value_of(" abc ") == " abc ");
  BOOST_TEST(value_of("\n") == "error: is empty");
  BOOST_TEST(value_of(std::string(65 * 1024, 'x')) == "error: is larger than 64 KiB: that is no secret");
}

BOOST_AUTO_TEST_CASE(a_variable_is_taken_as_it_is) {
  ::setenv("POSTRIDER_TEST_SECRET", "abc\n", 1);
  BOOST_TEST(*read_secret(*parse_secret_ref("env:POSTRIDER_TEST_SECRET")) == "abc\n");
  ::unsetenv("POSTRIDER_TEST_SECRET");
  const auto gone = read_secret(*parse_secret_ref("env:POSTRIDER_TEST_SECRET"));
  BOOST_REQUIRE(!gone);
  BOOST_TEST(to_string(gone.error()) == "env:POSTRIDER_TEST_SECRET is not set");
}

BOOST_AUTO_TEST_CASE(a_missing_file_is_named) {
  const auto missing = read_secret(*parse_secret_ref("file:/nonexistent/key"));
  BOOST_REQUIRE(!missing);
  BOOST_TEST(to_string(missing.error()) == "file:/nonexistent/key cannot be read: No such file or directory");
}

BOOST_AUTO_TEST_CASE(a_master_key_is_the_base64_of_exactly_32_bytes) {
  const temporary_file good{"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"};
  const auto key = read_secret_key(in_file(good));
  BOOST_REQUIRE(key);
  BOOST_TEST((*key)[31] == 31);
  const temporary_file short_one{"c2hvcnQtU0VDUkVU"};
  const auto refused = read_secret_key(in_file(short_one));
  BOOST_REQUIRE(!refused);
  BOOST_TEST(refused.error().detail == "does not hold the base64 of 32 bytes");
}

BOOST_AUTO_TEST_SUITE_END()
