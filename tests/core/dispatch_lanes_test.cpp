#include "core/dispatch_lanes.hpp"

#include "tests/support/claim_choice.hpp"
#include "tests/support/dispatch_bench.hpp"

#include <boost/test/unit_test.hpp>

#include <numeric>

using namespace postrider;
using namespace postrider::test;
using enum delivery_lane;

namespace {

void fill(dispatch_lanes& lanes, delivery_lane lane, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    lanes.push(lane, dispatch_bench::id(i));
    lanes.hold(lane);
  }
}

/// Starts all that may be started; how many of each lane.
by_lane<std::uint32_t> start_all(dispatch_lanes& lanes, std::uint32_t window, bool background_due = false) {
  by_lane<std::uint32_t> out{};
  while (const auto lane = lanes.next(window, background_due)) {
    lanes.start_front(*lane);
    ++out[index_of(*lane)];
  }
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(dispatch_of_lanes)

BOOST_AUTO_TEST_CASE(each_lane_by_itself_has_what_the_table_says_of_every_window) {
  for (std::uint32_t window = 1; window <= 1'000; ++window)
    for (const auto lane : all_lanes) {
      dispatch_lanes lanes;
      fill(lanes, lane, window + 1);
      const auto most = is_live(lane) ? window : lane == retry ? window - window / 4 : window - window / 2;
      BOOST_REQUIRE_EQUAL(start_all(lanes, window)[index_of(lane)], most);
      BOOST_REQUIRE_GT(most, 0U);
      BOOST_REQUIRE(lanes.uses_up(lane, window, false));
    }
}

BOOST_AUTO_TEST_CASE(a_backlog_of_replays_leaves_places_for_what_comes) {
  dispatch_lanes lanes;
  fill(lanes, replay, 100);
  BOOST_TEST(start_all(lanes, 32)[index_of(replay)] == 16U);
  fill(lanes, retry, 100);
  BOOST_TEST(start_all(lanes, 32)[index_of(retry)] == 8U); // all but a quarter, together
  fill(lanes, live_low, 100);
  BOOST_TEST(start_all(lanes, 32)[index_of(live_low)] == 8U);
}

BOOST_AUTO_TEST_CASE(first_attempts_leave_a_quarter_to_retries_that_are_ready_or_due) {
  dispatch_lanes lanes;
  fill(lanes, live_high, 100);
  BOOST_TEST(start_all(lanes, 32, true)[index_of(live_high)] == 24U);
  BOOST_TEST(start_all(lanes, 32, false)[index_of(live_high)] == 8U);
}

BOOST_AUTO_TEST_CASE(within_their_capacity_lanes_have_turns_by_weight) {
  dispatch_lanes lanes;
  for (const auto lane : all_lanes)
    fill(lanes, lane, 2'000);
  by_lane<std::uint32_t> sent{};
  for (int i = 0; i < 2'300; ++i) { // one at a time, each ending before the next
    const auto lane = lanes.next(1, true).value();
    lanes.start_front(lane);
    lanes.finish(lane);
    ++sent[index_of(lane)];
  }
  for (const auto lane : all_lanes)
    BOOST_TEST(sent[index_of(lane)] == 100 * lane_weights[index_of(lane)], to_string(lane));
}

BOOST_AUTO_TEST_CASE(a_claim_brings_no_more_of_a_lane_than_its_part_of_the_room_and_of_the_window) {
  dispatch_lanes lanes;
  BOOST_TEST((lanes.room(256, 32, 64, false) == by_lane<std::uint32_t>{64, 64, 64, 48, 32, 64}));
  BOOST_TEST((lanes.room(256, 32, 64, true) == by_lane<std::uint32_t>{48, 48, 48, 48, 32, 48}));
  BOOST_TEST((lanes.room(10, 32, 64, true) == by_lane<std::uint32_t>{10, 10, 10, 10, 10, 10}));
  fill(lanes, replay, 32);
  BOOST_TEST((lanes.room(256, 32, 64, false) == by_lane<std::uint32_t>{32, 32, 32, 0, 0, 32}));
  fill(lanes, live_medium, 32);
  BOOST_TEST((lanes.room(256, 32, 80, false) == by_lane<std::uint32_t>{0, 0, 0, 0, 0, 0}));
}

BOOST_AUTO_TEST_CASE(what_is_ready_counts_as_wanted_and_what_is_taken_away_does_not) {
  dispatch_lanes lanes;
  fill(lanes, live_medium, 40);
  fill(lanes, retry, 1);
  lanes.erase(retry, dispatch_bench::id(0));
  BOOST_TEST(lanes.ready() == 40U);
  BOOST_TEST(start_all(lanes, 32)[index_of(live_medium)] == 32U);
  std::size_t seen = 0;
  lanes.take_all([&](const delivery_id&) { ++seen; });
  BOOST_TEST(seen == 8U);
  BOOST_TEST(lanes.ready() == 0U);
  BOOST_TEST(!lanes.next_of_all().has_value());
}

// The rule of the claim statement, run claim after claim against lanes of any size: shares converge to the weights,
// whatever the size of a claim, and no lane that has rows waits for long.
BOOST_AUTO_TEST_CASE(claims_of_any_size_share_by_weight) {
  for (const std::uint32_t size : {1U, 2U, 3U, 7U, 64U, 256U}) {
    dispatch_lanes lanes;
    by_lane<std::vector<delivery_lane>> rows;
    for (const auto lane : all_lanes)
      rows[index_of(lane)].assign(300, lane);
    by_lane<std::uint32_t> limits{}, got{}, since{};
    limits.fill(size);
    std::uint32_t all = 0;
    while (all < 230 * 10) {
      by_lane<std::uint32_t> now{};
      for (const auto lane : choose_by_turns(rows, lanes.turns(limits), size)) {
        lanes.claimed(lane);
        ++now[index_of(lane)];
        ++all;
      }
      for (std::size_t i = 0; i < lane_count; ++i) {
        got[i] += now[i];
        since[i] = now[i] > 0 ? 0 : since[i] + size;
        BOOST_REQUIRE_LE(since[i], 2 * 23U + size);
      }
    }
    for (std::size_t i = 0; i < lane_count; ++i)
      BOOST_TEST(std::abs(static_cast<double>(got[i]) - all * lane_weights[i] / 23.0) <= 10.0,
                 size << ": " << to_string(all_lanes[i]) << " " << got[i] << " of " << all);
  }
}

BOOST_AUTO_TEST_CASE(what_is_due_is_known_by_lane_or_somewhere) {
  const wall_time at{std::chrono::hours{1}};
  lanes_due due;
  BOOST_TEST(!due.earliest().has_value());
  due.note(at + milliseconds{5}, replay);
  BOOST_TEST((due.earliest() == at + milliseconds{5}));
  BOOST_TEST(!due.live_by(at + milliseconds{5}));
  BOOST_TEST(due.background_by(at + milliseconds{5}));
  BOOST_TEST(!due.background_by(at));
  BOOST_TEST(!due.earliest_in({1, 1, 1, 1, 0}).has_value());
  due.note(at + milliseconds{9});
  BOOST_TEST((due.earliest_in({1, 1, 1, 1, 0}) == at + milliseconds{9}));
  BOOST_TEST(due.live_by(at + milliseconds{9})); // it may be anything
  lanes_due other;
  other.note(at, live_low);
  due.merge(other);
  BOOST_TEST((due.earliest() == at));
  BOOST_TEST((due.in(live_low) == at));
}

BOOST_AUTO_TEST_CASE(words_and_weights_of_priorities) {
  using enum delivery_priority;
  for (const auto each : {high, medium, low}) {
    BOOST_TEST((parse_delivery_priority(to_string(each)) == each));
    BOOST_TEST(is_live(live_lane(each)));
    BOOST_TEST((lane_after_failure(live_lane(each)) == retry));
  }
  BOOST_TEST(!parse_delivery_priority("urgent").has_value());
  BOOST_TEST(weight_of(high) == 4U);
  BOOST_TEST(weight_of(medium) == 2U);
  BOOST_TEST(weight_of(low) == 1U);
  BOOST_TEST((lane_after_failure(replay) == replay));
  BOOST_TEST((lane_after_failure(retry) == retry));
}

BOOST_AUTO_TEST_SUITE_END()
