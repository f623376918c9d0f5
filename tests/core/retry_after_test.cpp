#include "core/outcome.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace std::chrono_literals;

namespace {

// Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110 section 5.6.7.
const wall_time example{milliseconds{784'111'777'000}};

} // namespace

BOOST_AUTO_TEST_SUITE(retry_after)

BOOST_AUTO_TEST_CASE(seconds_are_read) {
  BOOST_TEST((parse_retry_after("0", example) == 0ms));
  BOOST_TEST((parse_retry_after("120", example) == 120s));
  BOOST_TEST((parse_retry_after("007", example) == 7s));
  BOOST_TEST((parse_retry_after(" \t120 ", example) == 120s));
}

BOOST_AUTO_TEST_CASE(more_seconds_than_fit_count_as_two_to_the_31) {
  const auto most = std::chrono::seconds{std::int64_t{1} << 31};
  BOOST_TEST((parse_retry_after("2147483647", example) == most - 1s));
  BOOST_TEST((parse_retry_after("2147483648", example) == most));
  BOOST_TEST((parse_retry_after("9223372036854775808", example) == most));
  BOOST_TEST((parse_retry_after(std::string(10'000, '9'), example) == most));
}

BOOST_AUTO_TEST_CASE(all_three_forms_of_an_http_date_are_relative_to_now) {
  for (const std::string_view text :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"}) {
    BOOST_TEST((parse_retry_after(text, example - 90s) == 90s), text);
    BOOST_TEST((parse_retry_after(text, example - 1ms) == 1ms), text);
    BOOST_TEST((parse_retry_after(text, example) == 0ms), text);
    BOOST_TEST((parse_retry_after(text, example + 1h) == 0ms), text);
  }
  BOOST_TEST((parse_retry_after("Sat Nov 26 08:49:37 1994", example) == 24h * 20));
}

BOOST_AUTO_TEST_CASE(two_digit_years_are_within_50_years_of_now) {
  const auto now = *parse_rfc3339("2026-11-21T00:00:00Z");
  const auto in_2076 = *parse_rfc3339("2076-11-21T00:00:00Z");
  BOOST_TEST((parse_retry_after("Saturday, 21-Nov-76 00:00:00 GMT", now) == in_2076 - now));
  BOOST_TEST((parse_retry_after("Monday, 21-Nov-77 00:00:00 GMT", now) == 0ms), "1977, not 2077");
  const auto in_2099 = *parse_rfc3339("2099-11-21T00:00:00Z");
  const auto in_2149 = *parse_rfc3339("2149-11-21T00:00:00Z");
  BOOST_TEST((parse_retry_after("Friday, 21-Nov-49 00:00:00 GMT", in_2099) == in_2149 - in_2099));
  BOOST_TEST((parse_retry_after("Monday, 21-Nov-50 00:00:00 GMT", in_2099) == 0ms), "2050, not 2150");
  const auto before_the_turn = *parse_rfc3339("1999-12-31T23:59:00Z");
  BOOST_TEST((parse_retry_after("Saturday, 01-Jan-00 00:00:00 GMT", before_the_turn) == 1min));
}

BOOST_AUTO_TEST_CASE(what_is_neither_seconds_nor_a_date_says_nothing) {
  for (const std::string_view text : {"",
                                      " ",
                                      "-1",
                                      "-120",
                                      "+5",
                                      "1.5",
                                      "5s",
                                      "0x10",
                                      "1e3",
                                      "12 0",
                                      "soon",
                                      "Sun",
                                      "Sun, 06 Nov 1994 08:49:37",
                                      "Sun, 06 Nov 1994 08:49:37 UTC",
                                      "Sun, 6 Nov 1994 08:49:37 GMT",
                                      "sun, 06 nov 1994 08:49:37 gmt",
                                      "Xxx, 06 Nov 1994 08:49:37 GMT",
                                      "Sun, 32 Nov 1994 08:49:37 GMT",
                                      "Sun, 00 Nov 1994 08:49:37 GMT",
                                      "Sun, 29 Feb 1995 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 24:00:00 GMT",
                                      "Sun, 06 Nov 1994 08:60:00 GMT",
                                      "Sun, 06 Nov 1994 08:49:61 GMT",
                                      "Sun, 06 Nov 1994 08-49-37 GMT",
                                      "Sun, -6 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Nov -994 08:49:37 GMT",
                                      "Sunday, 06-Nov-1994 08:49:37 GMT",
                                      "Sun, 06-Nov-94 08:49:37 GMT",
                                      "Sunday, 06-Nov-9x 08:49:37 GMT",
                                      "Sun Nov 6 08:49:37 1994",
                                      "Sun Nov  6 08:49:37 1994 GMT",
                                      "Sun Nov 06 08:49:37 94",
                                      "Sun Nov  x 08:49:37 1994",
                                      "2026-11-21T11:02:03Z",
                                      "1994\n"})
    BOOST_TEST(!parse_retry_after(text, example), text);
}

BOOST_AUTO_TEST_SUITE_END()
