#include "core/header_block.hpp"

#include <boost/test/unit_test.hpp>

#include <array>

using namespace postrider;

namespace {

constexpr std::string_view block = "Host: example.com\r\n"
                                   "X-GitHub-Event:  push \t\r\n"
                                   "X-Empty:\r\n"
                                   "x-github-event: second\r\n"
                                   "Authorization: Bearer abc\r\n"
                                   "cookie: a=b\r\n"
                                   "Proxy-Authorization: Basic x\r\n"
                                   "PROXY-Anything: y\r\n"
                                   "Proxy: kept\r\n"
                                   "X-Token: t\r\n";

} // namespace

BOOST_AUTO_TEST_SUITE(header_blocks)

BOOST_AUTO_TEST_CASE(the_first_header_of_a_name_is_found_in_any_case_and_trimmed) {
  BOOST_TEST(find_header(block, "x-GITHUB-event").found);
  BOOST_TEST(find_header(block, "x-GITHUB-event").value == "push");
  BOOST_TEST(find_header(block, "host").value == "example.com");
}

BOOST_AUTO_TEST_CASE(an_empty_header_is_found_and_an_absent_one_is_not) {
  BOOST_TEST(find_header(block, "X-Empty").found);
  BOOST_TEST(find_header(block, "X-Empty").value.empty());
  BOOST_TEST(!find_header(block, "X-Absent").found);
  BOOST_TEST(!find_header("", "Host").found);
}

BOOST_AUTO_TEST_CASE(a_name_is_compared_whole) {
  BOOST_TEST(!find_header(block, "X-GitHub").found);
  BOOST_TEST(!find_header(block, "X-GitHub-Event-Id").found);
  BOOST_TEST(!find_header(block, "").found);
  BOOST_TEST(!find_header(block, "push").found); // a value is no name
}

BOOST_AUTO_TEST_CASE(a_colon_in_the_value_belongs_to_the_value) {
  BOOST_TEST(find_header("Referer: https://a/b:c\r\n", "referer").value == "https://a/b:c");
}

BOOST_AUTO_TEST_CASE(a_last_line_without_its_end_is_still_read) {
  BOOST_TEST(find_header("A: 1\r\nB: 2", "b").value == "2");
  BOOST_TEST(only_headers("A: 1\r\nB: 2", std::array<std::string, 1>{"b"}) == "B: 2");
}

BOOST_AUTO_TEST_CASE(credentials_never_stay_in_what_is_stored) {
  const std::array<std::string, 1> also{"x-token"};
  BOOST_TEST(without_credentials(block, also) == "Host: example.com\r\n"
                                                 "X-GitHub-Event:  push \t\r\n"
                                                 "X-Empty:\r\n"
                                                 "x-github-event: second\r\n"
                                                 "Proxy: kept\r\n");
}

BOOST_AUTO_TEST_CASE(forwarded_headers_keep_their_order_and_their_bytes) {
  const std::array<std::string, 2> names{"X-Token", "X-GitHub-Event"};
  BOOST_TEST(only_headers(block, names) == "X-GitHub-Event:  push \t\r\nx-github-event: second\r\nX-Token: t\r\n");
  BOOST_TEST(only_headers(block, {}).empty());
}

BOOST_AUTO_TEST_SUITE_END()
