#include "core/fair_share.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <random>
#include <vector>

using namespace postrider;

namespace {

by_lane<bool> all_want() {
  by_lane<bool> out{};
  out.fill(true);
  return out;
}

/// Serves `turns` times whoever is next.
std::map<fair_share::key, std::uint64_t> served(fair_share& shares, int turns) {
  std::map<fair_share::key, std::uint64_t> out;
  for (int i = 0; i < turns; ++i) {
    const auto next = shares.next().value();
    ++out[next];
    shares.serve(next);
  }
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(fair_shares)

BOOST_AUTO_TEST_CASE(lanes_that_all_have_work_are_served_exactly_by_their_weights) {
  lane_share share;
  const auto sum = std::accumulate(lane_weights.begin(), lane_weights.end(), 0U);
  by_lane<std::uint32_t> got{};
  for (std::uint32_t i = 0; i < 100 * sum; ++i) {
    const auto lane = share.next(all_want()).value();
    share.serve(lane);
    ++got[index_of(lane)];
  }
  for (const auto lane : all_lanes)
    BOOST_TEST(got[index_of(lane)] == 100 * lane_weights[index_of(lane)], to_string(lane));
}

// Every subset of lanes with work: the one with least weight is served at least once in each round of all weights.
BOOST_AUTO_TEST_CASE(no_lane_with_work_waits_longer_than_one_round_of_weights) {
  for (unsigned subset = 1; subset < 1U << lane_count; ++subset) {
    by_lane<bool> want{};
    std::uint32_t sum = 0, others = 0;
    for (std::size_t i = 0; i < lane_count; ++i)
      if ((want[i] = (subset >> i & 1U) != 0)) {
        sum += lane_weights[i];
        ++others;
      }
    lane_share share;
    by_lane<std::uint32_t> waited{};
    for (int turn = 0; turn < 500; ++turn) {
      const auto lane = share.next(want).value();
      BOOST_REQUIRE(want[index_of(lane)]);
      share.serve(lane);
      for (std::size_t i = 0; i < lane_count; ++i) {
        waited[i] = !want[i] || i == index_of(lane) ? 0 : waited[i] + 1;
        BOOST_REQUIRE_LE(waited[i], (sum + lane_weights[i] - 1) / lane_weights[i] + others);
      }
    }
  }
  BOOST_TEST(!lane_share{}.next({}).has_value());
}

BOOST_AUTO_TEST_CASE(a_lane_that_was_idle_has_earned_nothing_and_owes_nothing) {
  lane_share share;
  share.serve(delivery_lane::replay, 1'000'000); // alone, for long
  const auto fresh = share.next(all_want());
  BOOST_TEST((fresh == delivery_lane::live_high));
  by_lane<std::uint32_t> got{};
  for (int i = 0; i < 230; ++i) {
    const auto lane = share.next(all_want()).value();
    share.serve(lane);
    ++got[index_of(lane)];
  }
  BOOST_TEST(got[index_of(delivery_lane::replay)] >= 9U); // its share from here on: it pays for nothing
  BOOST_TEST(got[index_of(delivery_lane::replay)] <= 11U);
  BOOST_TEST(got[index_of(delivery_lane::live_low)] <= 22U); // it did not save up while it was idle
}

BOOST_AUTO_TEST_CASE(keys_are_served_by_weight_and_equal_ones_by_turns) {
  fair_share shares;
  shares.add(1, 4);
  shares.add(2, 2);
  shares.add(3, 1);
  shares.add(4, 1);
  BOOST_TEST(shares.next().value() == 1);
  const auto got = served(shares, 800);
  BOOST_TEST(got.at(1) == 400U);
  BOOST_TEST(got.at(2) == 200U);
  BOOST_TEST(got.at(3) == 100U);
  BOOST_TEST(got.at(4) == 100U);
}

BOOST_AUTO_TEST_CASE(a_key_that_comes_new_is_next_but_once_however_much_others_had) {
  fair_share shares;
  shares.add(1);
  served(shares, 100'000);
  shares.add(2);
  const auto got = served(shares, 10);
  BOOST_TEST(got.at(1) == 5U);
  BOOST_TEST(got.at(2) == 5U);
}

BOOST_AUTO_TEST_CASE(leaving_and_coming_back_gains_nothing) {
  fair_share shares;
  shares.add(1);
  shares.add(2);
  std::map<fair_share::key, int> got;
  for (int i = 0; i < 1'000; ++i) {
    const auto next = shares.next().value();
    ++got[next];
    shares.serve(next);
    if (next == 2) { // it has one thing at a time
      shares.remove(2);
      shares.add(2);
    }
  }
  BOOST_TEST(std::abs(got[1] - got[2]) <= 1);
}

BOOST_AUTO_TEST_CASE(nothing_that_is_unknown_or_without_work_is_served) {
  fair_share shares;
  BOOST_TEST(!shares.next().has_value());
  shares.serve(7);
  shares.remove(7);
  BOOST_TEST(shares.known() == 0U);
  shares.add(7, 0); // as weight 1
  shares.serve(7, 0);
  BOOST_TEST(shares.next().value() == 7);
  shares.remove(7);
  BOOST_TEST(shares.empty());
  BOOST_TEST(shares.known() == 0U);
}

BOOST_AUTO_TEST_CASE(the_idle_that_are_remembered_are_bounded) {
  fair_share shares;
  shares.add(0);
  for (fair_share::key each = 1; each < 50'000; ++each) {
    shares.add(each);
    shares.serve(each, 1'000); // far ahead of virtual time
    shares.remove(each);
    BOOST_REQUIRE_LE(shares.known(), fair_share::idle_max + 1);
  }
}

// Keys come and go, with weights and loads by seed. While two keys both have work all the time, what they got, by
// weight, differs by less than a unit of each; and nobody with work waits for more than a round of all weights.
BOOST_AUTO_TEST_CASE(random_walks_stay_within_the_bounds_of_fairness) {
  for (std::uint32_t seed = 1; seed <= 300; ++seed) {
    std::mt19937 random{seed};
    constexpr fair_share::key keys = 6;
    std::array<std::uint32_t, keys> weights{};
    std::array<double, keys> got{};
    std::array<bool, keys> working{};
    std::array<int, keys> waited{};
    fair_share shares;
    for (auto& each : weights)
      each = std::array<std::uint32_t, 4>{1, 2, 4, 8}[random() % 4];
    const auto start = [&](std::size_t key) {
      shares.add(static_cast<fair_share::key>(key), weights[key]);
      working[key] = true;
      waited[key] = 0;
    };
    start(0); // these two always have work
    start(1);
    for (int turn = 0; turn < 3'000; ++turn) {
      const auto other = 2 + random() % (keys - 2);
      if (random() % 5 == 0 && !working[other]) {
        start(other);
      } else if (random() % 9 == 0 && working[other]) {
        shares.remove(static_cast<fair_share::key>(other));
        working[other] = false;
      }
      const auto next = static_cast<std::size_t>(shares.next().value());
      BOOST_REQUIRE(working[next]);
      shares.serve(static_cast<fair_share::key>(next));
      got[next] += 1.0 / weights[next];
      BOOST_REQUIRE_MESSAGE(std::abs(got[0] - got[1]) <= 1.0 / weights[0] + 1.0 / weights[1] + 1e-9, "seed " << seed);
      const auto sum = std::accumulate(weights.begin(), weights.end(), 0U);
      for (std::size_t key = 0; key < keys; ++key) {
        waited[key] = key == next || !working[key] ? 0 : waited[key] + 1;
        // Those that come meanwhile start at virtual time, so they are ahead of it once each.
        BOOST_REQUIRE_MESSAGE(waited[key] <= static_cast<int>(2 * sum / weights[key] + keys), "seed " << seed);
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
