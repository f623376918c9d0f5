#include "core/time.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace std::chrono_literals;

namespace {

wall_time at_ms(std::int64_t ms) {
  return wall_time{milliseconds{ms}};
}

/// The text reads as that number of milliseconds since 1970.
void check_reads(std::string_view text, std::int64_t ms) {
  BOOST_TEST_CONTEXT(text) {
    const auto at = parse_rfc3339(text);
    BOOST_REQUIRE(at.has_value());
    BOOST_TEST(at->time_since_epoch().count() == ms);
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(times)

BOOST_AUTO_TEST_CASE(times_are_written_in_utc_with_milliseconds) {
  BOOST_TEST(to_rfc3339(at_ms(0)) == "1970-01-01T00:00:00.000Z");
  BOOST_TEST(to_rfc3339(at_ms(1795258923004)) == "2026-11-21T11:02:03.004Z");
  BOOST_TEST(to_rfc3339(at_ms(-1)) == "1969-12-31T23:59:59.999Z");
  BOOST_TEST(to_rfc3339(at_ms(951'782'400'000)) == "2000-02-29T00:00:00.000Z");
}

BOOST_AUTO_TEST_CASE(times_that_rfc_3339_cannot_name_are_written_as_its_first_or_last) {
  BOOST_TEST(to_rfc3339(wall_time::min()) == "0000-01-01T00:00:00.000Z");
  BOOST_TEST(to_rfc3339(wall_time::max()) == "9999-12-31T23:59:59.999Z");
}

BOOST_AUTO_TEST_CASE(what_was_written_reads_as_the_same_time) {
  for (std::int64_t ms = -62'167'219'200'000; ms <= 253'402'300'799'999; ms += 86'399'999'123) {
    const auto text = to_rfc3339(at_ms(ms));
    check_reads(text, ms);
  }
}

BOOST_AUTO_TEST_CASE(examples_of_rfc_3339_section_5_8_are_read) {
  check_reads("1985-04-12T23:20:50.52Z", 482'196'050'520);
  check_reads("1996-12-19T16:39:57-08:00", 851'042'397'000);
  check_reads("1990-12-31T23:59:60Z", 662'688'000'000);
  check_reads("1990-12-31T15:59:60-08:00", 662'688'000'000);
  check_reads("1937-01-01T12:00:27.87+00:20", -1'041'337'172'130);
}

BOOST_AUTO_TEST_CASE(fractions_are_cut_to_milliseconds) {
  check_reads("1970-01-01T00:00:00Z", 0);
  check_reads("1970-01-01T00:00:00.1Z", 100);
  check_reads("1970-01-01T00:00:00.12Z", 120);
  check_reads("1970-01-01T00:00:00.1239Z", 123);
  check_reads("1970-01-01T00:00:00.999999999Z", 999);
  check_reads("1969-12-31T23:59:59.9999Z", -1);
}

BOOST_AUTO_TEST_CASE(offsets_move_the_time_and_may_cross_a_year) {
  check_reads("1970-01-01T00:00:00+00:00", 0);
  check_reads("1970-01-01T00:00:00-00:00", 0);
  check_reads("1970-01-01T05:30:00+05:30", 0);
  check_reads("1969-12-31T19:00:00-05:00", 0);
  check_reads("1970-01-01t00:00:00z", 0);
  check_reads("1970-01-01T23:59:00+23:59", 0);
}

BOOST_AUTO_TEST_CASE(only_leap_years_have_a_29th_of_february) {
  check_reads("2024-02-29T00:00:00Z", 1'709'164'800'000);
  check_reads("2000-02-29T00:00:00Z", 951'782'400'000);
  BOOST_TEST(!parse_rfc3339("2023-02-29T00:00:00Z"));
  BOOST_TEST(!parse_rfc3339("1900-02-29T00:00:00Z"));
  BOOST_TEST(!parse_rfc3339("2100-02-29T00:00:00Z"));
}

BOOST_AUTO_TEST_CASE(garbage_is_refused) {
  for (const std::string_view text : {"",
                                      " ",
                                      "now",
                                      "2026",
                                      "2026-11-21",
                                      "2026-11-21T11:02:03",
                                      "2026-11-21 11:02:03Z",
                                      "2026-11-21T11:02Z",
                                      "2026-11-21T11:02:03.Z",
                                      "2026-11-21T11:02:03.1234567890Z",
                                      "2026-11-21T11:02:03,5Z",
                                      "2026-13-01T00:00:00Z",
                                      "2026-00-01T00:00:00Z",
                                      "2026-01-00T00:00:00Z",
                                      "2026-04-31T00:00:00Z",
                                      "2026-01-01T24:00:00Z",
                                      "2026-01-01T00:60:00Z",
                                      "2026-01-01T00:00:61Z",
                                      "2026-01-01T00:00:60Z",
                                      "2026-01-01T12:59:60Z",
                                      "2026-11-21T11:02:03+1:00",
                                      "2026-11-21T11:02:03+0100",
                                      "2026-11-21T11:02:03+24:00",
                                      "2026-11-21T11:02:03+01:60",
                                      "2026-11-21T11:02:03+01",
                                      "2026-11-21T11:02:03Z ",
                                      " 2026-11-21T11:02:03Z",
                                      "2026-11-21T11:02:03ZZ",
                                      "+2026-11-21T11:02:03Z",
                                      "-026-11-21T11:02:03Z",
                                      "2026-1-21T11:02:03Z",
                                      "2026-11-21T11:02:0xZ",
                                      "2026/11/21T11:02:03Z",
                                      "20261121T110203Z",
                                      "1795258923"})
    BOOST_TEST(!parse_rfc3339(text), text);
  BOOST_TEST(!parse_rfc3339(std::string_view{"2026-11-21T11:02:03Z\0", 21}));
}

BOOST_AUTO_TEST_CASE(microseconds_of_the_database_come_back_as_the_same_time) {
  for (const std::int64_t ms : {0LL, 1LL, 1'795'258'923'004LL, -1'000LL})
    BOOST_TEST((from_unix_us(to_unix_us(at_ms(ms))) == at_ms(ms)));
  BOOST_TEST((from_unix_us(1'999) == at_ms(1)));
}

BOOST_AUTO_TEST_SUITE_END()
