#include "core/endpoint_clock.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>
#include <random>

using namespace postrider;
using namespace std::chrono_literals;

namespace {

constexpr mono_time start{1000h};
constexpr wall_time wall{24h * 365 * 50};
constexpr std::uint32_t most = 32;

endpoint_clock slowed_to(std::uint32_t window) {
  endpoint_clock clock;
  for (auto at = start; window_of(clock, most) > window; at += 1s)
    clock = slowed(clock, at, at, {}, most);
  return clock;
}

} // namespace

BOOST_AUTO_TEST_SUITE(endpoint_clocks)

BOOST_AUTO_TEST_CASE(a_new_endpoint_gets_what_its_configuration_allows) {
  BOOST_TEST(window_of({}, most) == most);
  BOOST_TEST(window_of({}, 1) == 1U);
  BOOST_TEST((succeeded({}, true, most) == endpoint_clock{}));
}

BOOST_AUTO_TEST_CASE(one_decrease_for_all_that_was_sent_before_it) {
  auto clock = slowed({}, start, start + 1s, {}, most);
  BOOST_TEST(window_of(clock, most) == 16U);
  for (int late = 0; late < 31; ++late)
    clock = slowed(clock, start, start + 2s, {}, most);
  BOOST_TEST(window_of(clock, most) == 16U);
  clock = slowed(clock, start + 1'001ms, start + 3s, {}, most); // sent when the narrower window was in force
  BOOST_TEST(window_of(clock, most) == 8U);
}

BOOST_AUTO_TEST_CASE(it_never_closes_the_window) {
  auto clock = slowed_to(1);
  clock = slowed(clock, start + 1h, start + 1h, {}, most);
  BOOST_TEST(window_of(clock, most) == 1U);
}

BOOST_AUTO_TEST_CASE(a_round_trip_of_successes_adds_one) {
  auto clock = slowed_to(8);
  for (int i = 0; i < 9; ++i)
    clock = succeeded(clock, true, most);
  BOOST_TEST(window_of(clock, most) == 9U);
}

BOOST_AUTO_TEST_CASE(a_window_that_is_not_used_up_does_not_grow) {
  const auto clock = slowed_to(8);
  BOOST_TEST((succeeded(clock, false, most) == clock));
}

BOOST_AUTO_TEST_CASE(once_as_wide_as_allowed_nothing_is_remembered) {
  auto clock = slowed_to(16);
  int successes = 0;
  while (clock.window && successes < 10'000) {
    clock = succeeded(clock, true, most);
    ++successes;
  }
  BOOST_TEST(!clock.window.has_value());
  BOOST_TEST(successes > 300);             // about 16 + 17 + … + 31: not all at once
  BOOST_TEST(window_of(clock, 64) == 64U); // also of a configuration that allows more
}

BOOST_AUTO_TEST_CASE(after_the_breaker_closed_it_starts_at_one_and_doubles_to_half) {
  auto clock = reopened({}, most);
  BOOST_TEST(window_of(clock, most) == 1U);
  int successes = 0;
  for (; window_of(clock, most) < most / 2; ++successes)
    clock = succeeded(clock, true, most);
  BOOST_TEST(successes == 15);
  clock = succeeded(clock, true, most);
  BOOST_TEST(window_of(clock, most) == most / 2); // from here on by one a round trip
}

BOOST_AUTO_TEST_CASE(one_at_a_time_is_not_started_more_gently_than_that) {
  BOOST_TEST((reopened({}, 1) == endpoint_clock{}));
}

BOOST_AUTO_TEST_CASE(reopening_ends_a_hold) {
  const auto clock = slowed({}, start, start, 30s, most);
  BOOST_TEST(is_held(clock, start));
  BOOST_TEST(!is_held(reopened(clock, most), start));
}

BOOST_AUTO_TEST_CASE(a_retry_after_holds_the_endpoint_within_bounds) {
  auto clock = slowed({}, start, start, 5s, most);
  BOOST_TEST(is_held(clock, start + 4'999ms));
  BOOST_TEST(!is_held(clock, start + 5s));
  clock = slowed(clock, start, start + 1s, 1s, most); // a shorter word takes nothing back
  BOOST_TEST(is_held(clock, start + 4'999ms));
  clock = slowed(clock, start, start + 1s, 24h, most);
  BOOST_TEST(is_held(clock, start + 60s));
  BOOST_TEST(!is_held(clock, start + 61s));
  BOOST_TEST(!slowed({}, start, start, 0s, most).held_until.has_value());
}

BOOST_AUTO_TEST_CASE(what_is_stored_goes_on_after_a_restart) {
  const auto clock = slowed(slowed_to(8), start + 1h, start + 1h, 20s, most);
  const auto stored = to_store(clock, start + 1h + 5s, wall);
  BOOST_TEST((stored.held_until == wall + 15s));
  const auto again = restored_clock(stored, start + 9h, wall + 5s);
  BOOST_TEST(window_of(again, most) == window_of(clock, most));
  BOOST_TEST(again.threshold == clock.threshold);
  BOOST_TEST((again.held_until == start + 9h + 10s));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_is_not_believed) {
  const auto far = restored_clock({.held_until = wall + 24h * 365}, start, wall);
  BOOST_TEST(!is_held(far, start + 60s));
  const auto past = restored_clock({.held_until = wall - 1s}, start, wall);
  BOOST_TEST(!past.held_until.has_value());
  const auto odd = restored_clock({.window = -3, .threshold = std::numeric_limits<double>::infinity()}, start, wall);
  BOOST_TEST(window_of(odd, most) == 1U);
  BOOST_TEST(odd.threshold == 0.0);
}

BOOST_AUTO_TEST_CASE(whatever_happens_the_window_stays_within_its_bounds) {
  std::mt19937_64 random{20261121};
  for (int run = 0; run < 200; ++run) {
    endpoint_clock clock;
    auto now = start;
    for (int i = 0; i < 500; ++i) {
      now += milliseconds{random() % 1'000};
      const auto limit = static_cast<std::uint32_t>(1 + random() % 1'000);
      switch (random() % 4) {
      case 0:
        clock = slowed(clock, now - milliseconds{random() % 2'000}, now,
                       random() % 2 == 0 ? std::nullopt : std::optional{milliseconds{random() % 100'000}}, limit);
        break;
      case 1:
        clock = random() % 20 == 0 ? reopened(clock, limit) : clock;
        break;
      default:
        clock = succeeded(clock, random() % 2 == 0, limit);
      }
      const auto window = window_of(clock, limit);
      BOOST_REQUIRE_MESSAGE((window >= 1 && window <= limit), "run " << run << " step " << i << ": " << window);
      BOOST_REQUIRE(!is_held(clock, now + endpoint_hold_max));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
