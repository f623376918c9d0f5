#include "core/rate_limit.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

using namespace postrider;
using namespace std::chrono_literals;

namespace {

constexpr mono_time start{1'000h};

/// Takes one unit as often as it is admitted, at one moment.
int taken_at_once(token_bucket& bucket, mono_time now, const rate_limit& limit) {
  int taken = 0;
  for (auto step = take(bucket, 1, now, limit); step.admitted(); step = take(bucket, 1, now, limit)) {
    bucket = step.next;
    ++taken;
  }
  return taken;
}

struct admission {
  mono_time at;
  double cost;
};

/// In any window that begins with an admission and ends with another, no more than the limit says. What a window
/// without admissions at its ends holds, a smaller one with them holds too.
void check_every_window(const std::vector<admission>& all, const rate_limit& limit, double cost_max) {
  const auto slack = std::max(cost_max - limit.burst, 0.0) + limit.burst * 1e-9;
  for (std::size_t first = 0; first < all.size(); ++first) {
    double sum = 0;
    for (std::size_t last = first; last < all.size(); ++last) {
      sum += all[last].cost;
      const std::chrono::duration<double> window = all[last].at - all[first].at;
      BOOST_REQUIRE_LE(sum, limit.per_second * window.count() + limit.burst + slack);
    }
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(rate_limits)

BOOST_AUTO_TEST_CASE(the_default_burst_is_one_second_and_at_least_one) {
  BOOST_TEST((rate_of(250) == rate_limit{250, 250}));
  BOOST_TEST((rate_of(0.1) == rate_limit{0.1, 1}));
}

BOOST_AUTO_TEST_CASE(a_new_bucket_is_full_and_admits_its_burst_at_once_and_no_more) {
  const rate_limit limit{.per_second = 10, .burst = 25};
  token_bucket bucket;
  BOOST_TEST(tokens_left(bucket, start, limit) == 25);
  BOOST_TEST(taken_at_once(bucket, start, limit) == 25);
  BOOST_TEST(tokens_left(bucket, start, limit) == 0);
}

BOOST_AUTO_TEST_CASE(what_is_refused_changes_nothing_and_is_told_when) {
  const auto limit = rate_of(10);
  token_bucket bucket;
  taken_at_once(bucket, start, limit);
  const auto refused = take(bucket, 1, start, limit);
  BOOST_TEST((refused.next == bucket));
  BOOST_REQUIRE(refused.wait_until.has_value());
  BOOST_TEST((*refused.wait_until == start + 100ms));
  BOOST_TEST(!take(bucket, 1, start + 100ms - 1ns, limit).admitted());
  BOOST_TEST(take(bucket, 1, *refused.wait_until, limit).admitted());
  BOOST_TEST((*take(bucket, 5, start, limit).wait_until == start + 500ms));
}

BOOST_AUTO_TEST_CASE(tokens_come_back_with_time_and_never_beyond_the_burst) {
  const auto limit = rate_of(10);
  token_bucket bucket;
  taken_at_once(bucket, start, limit);
  BOOST_TEST(tokens_left(bucket, start + 250ms, limit) == 2.5);
  BOOST_TEST(taken_at_once(bucket, start + 250ms, limit) == 2);
  BOOST_TEST(taken_at_once(bucket, start + 300ms, limit) == 1);
  BOOST_TEST(taken_at_once(bucket, start + 1'000h, limit) == 10);
}

BOOST_AUTO_TEST_CASE(a_cost_above_the_burst_waits_for_a_full_bucket_and_is_paid_back_afterwards) {
  const auto limit = rate_of(100);
  token_bucket bucket;
  bucket = take(bucket, 1, start, limit).next;
  const auto refused = take(bucket, 1'000, start, limit);
  BOOST_REQUIRE(!refused.admitted());
  BOOST_TEST((*refused.wait_until == start + 10ms));
  const auto admitted = take(bucket, 1'000, start + 10ms, limit);
  BOOST_REQUIRE(admitted.admitted());
  BOOST_TEST(tokens_left(admitted.next, start + 10ms, limit) == -900);
  BOOST_TEST((*take(admitted.next, 1, start + 10ms, limit).wait_until == start + 10ms + 9'010ms));
}

BOOST_AUTO_TEST_CASE(a_cost_of_nothing_waits_only_while_more_than_the_burst_is_owed) {
  const auto limit = rate_of(1);
  token_bucket bucket;
  BOOST_TEST(take(bucket, 0, start, limit).admitted());
  bucket = take(bucket, 1, start, limit).next;
  BOOST_TEST(take(bucket, 0, start, limit).admitted());
  bucket = take(bucket, 3, start + 1s, limit).next;
  BOOST_TEST(!take(bucket, 0, start + 2s, limit).admitted());
  BOOST_TEST(take(bucket, 0, start + 3s, limit).admitted());
}

BOOST_AUTO_TEST_CASE(a_clock_that_goes_back_pays_nothing_back_and_counts_no_time_twice) {
  const auto limit = rate_of(10);
  token_bucket bucket;
  taken_at_once(bucket, start, limit);
  BOOST_TEST(tokens_left(bucket, start - 5s, limit) == 0);
  const auto early = take(bucket, 1, start - 5s, limit);
  BOOST_REQUIRE(!early.admitted());
  BOOST_TEST((*early.wait_until == start + 100ms));
  BOOST_TEST(taken_at_once(bucket, start - 5s, limit) == 0);
  BOOST_TEST(taken_at_once(bucket, start + 500ms, limit) == 5);
  bucket = give_back(bucket, 1, start - 1h, limit);
  BOOST_TEST(taken_at_once(bucket, start + 500ms, limit) == 1);
}

BOOST_AUTO_TEST_CASE(what_was_not_used_can_be_taken_again_but_fills_no_further_than_full) {
  const auto limit = rate_of(10);
  token_bucket bucket;
  taken_at_once(bucket, start, limit);
  bucket = give_back(bucket, 4, start, limit);
  BOOST_TEST(taken_at_once(bucket, start, limit) == 4);
  bucket = give_back(bucket, 1'000, start, limit);
  BOOST_TEST(tokens_left(bucket, start, limit) == 10);
}

BOOST_AUTO_TEST_CASE(asking_a_million_times_in_between_costs_no_precision) {
  const auto limit = rate_of(3); // a third of a second is no number of nanoseconds
  token_bucket bucket;
  taken_at_once(bucket, start, limit);
  auto now = start;
  int taken = 0;
  for (int i = 0; i < 1'000'000; ++i) { // 100 s in steps of 100 us
    now += 100us;
    taken += taken_at_once(bucket, now, limit);
  }
  BOOST_TEST(taken >= 299);
  BOOST_TEST(taken <= 300);
}

BOOST_AUTO_TEST_CASE(whoever_comes_when_told_is_admitted_for_any_rate_and_cost) {
  std::mt19937_64 random{7};
  std::uniform_real_distribution<double> exponent{-4, 12};
  for (int i = 0; i < 20'000; ++i) {
    const auto limit = rate_of(std::pow(10.0, exponent(random)));
    token_bucket bucket;
    auto now = start + std::chrono::nanoseconds{random() % 1'000'000'000'000'000};
    for (int j = 0; j < 5; ++j) {
      const auto cost = 1 + random() % (1U << (random() % 30));
      auto step = take(bucket, cost, now, limit);
      if (!step.admitted()) {
        BOOST_REQUIRE((*step.wait_until > now));
        BOOST_REQUIRE((*step.wait_until <= now + rate_wait_max));
        const bool cut = *step.wait_until == now + rate_wait_max;
        now = *step.wait_until;
        step = take(bucket, cost, now, limit);
        BOOST_REQUIRE(cut || step.admitted());
      }
      bucket = step.next;
    }
  }
}

BOOST_AUTO_TEST_CASE(extremes_neither_overflow_nor_wait_for_ever) {
  const rate_limit slow{.per_second = 1e-300, .burst = 1};
  auto bucket = take({}, std::uint64_t{1} << 63U, start, slow).next;
  const auto told = take(bucket, 1, start, slow);
  BOOST_REQUIRE(!told.admitted());
  BOOST_TEST((*told.wait_until == start + rate_wait_max));
  const rate_limit fast{.per_second = 1e300, .burst = 1};
  bucket = take({}, std::uint64_t{1} << 63U, start, fast).next;
  BOOST_TEST(take(bucket, std::uint64_t{1} << 63U, start + 1ns, fast).admitted());
  const token_bucket long_ago{.owed = 5, .at = mono_time::min()};
  BOOST_TEST(take(long_ago, 1, mono_time::max() - 48h, rate_of(1)).admitted());
}

BOOST_AUTO_TEST_CASE(a_seeded_walk_admits_in_no_window_more_than_rate_and_burst) {
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U}) {
    std::mt19937_64 random{seed};
    const rate_limit limit{.per_second = 0.5 + static_cast<double>(random() % 500),
                           .burst = 1 + static_cast<double>(random() % 300)};
    const std::uint64_t cost_max = 1 + random() % 400; // also above the burst
    // Asked for is some five times the rate, but for a rest now and then that fills the bucket.
    const auto gap_max = 1 + static_cast<std::uint64_t>(2e8 / limit.per_second * static_cast<double>(cost_max));
    const std::chrono::nanoseconds rest{static_cast<std::int64_t>(1e9 * limit.burst / limit.per_second)};
    token_bucket bucket;
    std::vector<admission> admitted;
    auto now = start;
    auto highest = start;
    int refused = 0;
    for (int i = 0; i < 1'500; ++i) {
      now += std::chrono::nanoseconds{random() % gap_max};
      if (random() % 100 == 0)
        now += rest;
      const auto cost = 1 + random() % cost_max;
      const auto seen = random() % 10 == 0 ? now - 3 * std::chrono::nanoseconds{gap_max}
                                           : now; // a clock that goes back: windows are on its highest time
      highest = std::max(highest, seen);
      const auto step = take(bucket, cost, seen, limit);
      bucket = step.next;
      if (step.admitted())
        admitted.push_back({highest, static_cast<double>(cost)});
      else
        ++refused;
    }
    BOOST_TEST_CONTEXT("seed " << seed) {
      BOOST_TEST(admitted.size() > 100U);
      BOOST_TEST(refused > 100);
      check_every_window(admitted, limit, static_cast<double>(cost_max));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
