#include "core/endpoint_dispatch.hpp"

#include "tests/support/dispatch_bench.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace postrider::test;
using namespace std::chrono_literals;
using enum delivery_lane;

namespace {

constexpr auto good = dispatch_bench::good;

dispatch_policy window_of(std::uint32_t most) {
  dispatch_policy policy;
  policy.max_in_flight = most;
  return policy;
}

/// A claim brings so many of that lane; more of it is due.
void brings(dispatch_bench& bench, delivery_lane lane, std::uint32_t first, std::uint32_t count, bool more = true) {
  claim_answer answer;
  answer.under = bench.dispatch.under();
  if (more) {
    answer.due_by_lane.note(bench.wall, lane);
    answer.next_due = bench.wall;
  }
  for (std::uint32_t i = 0; i < count; ++i)
    answer.claimed.push_back({dispatch_bench::id(first + i), dispatch_bench::event_of(100), 2, 1, first + i, lane});
  bench.claimed(std::move(answer));
}

} // namespace

BOOST_AUTO_TEST_SUITE(endpoint_dispatch_lanes)

BOOST_AUTO_TEST_CASE(a_backlog_of_replays_leaves_places_and_credits_to_first_attempts) {
  dispatch_bench bench{window_of(8)};
  bench.due();
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  BOOST_TEST(bench.out.wanted_claim->turns[index_of(replay)].most == 8U); // half of the room of 16
  BOOST_TEST(bench.out.wanted_claim->turns[index_of(retry)].most == 12U);
  BOOST_TEST(bench.out.wanted_claim->turns[index_of(live_low)].most == 16U);
  brings(bench, replay, 1, 8);
  BOOST_TEST(bench.out.starts.size() == 4U); // half of the window
  BOOST_TEST(bench.dispatch.ready() == 4U);
  BOOST_TEST(!bench.out.wanted_claim.has_value()); // replays have no room, and nothing else is known to be due
  BOOST_TEST(bench.dispatch.lendable(0, bench.mono) == 8);
  bench.ride(100, 4);
  BOOST_TEST(bench.out.starts.size() == 4U); // all of them, though replays are ready before
}

BOOST_AUTO_TEST_CASE(a_lane_without_room_is_claimed_again_when_something_of_it_has_ended) {
  dispatch_bench bench{window_of(8)};
  bench.due();
  brings(bench, replay, 1, 8);
  const auto first = bench.out.starts;
  BOOST_TEST(!bench.dispatch.wake_at(bench.now()).has_value()); // no timer could change anything
  for (std::uint32_t i = 0; i < 4; ++i) {
    bench.finish(first.at(i), good);
    if (bench.out.wanted_claim) // it proves quick: there is more room
      break;
    bench.record(first.at(i).delivery);
    if (bench.out.wanted_claim)
      break;
  }
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  BOOST_TEST(bench.out.wanted_claim->turns[index_of(replay)].most > 0U);
}

BOOST_AUTO_TEST_CASE(a_claim_that_leaves_a_full_lane_out_is_not_followed_by_a_pause) {
  dispatch_bench bench{window_of(8)};
  bench.due();
  brings(bench, replay, 1, 8);
  bench.due(); // says nothing of the lane
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  BOOST_TEST(bench.out.wanted_claim->turns[index_of(replay)].most == 0U);
  brings(bench, replay, 50, 0); // only the replays were meant
  bench.due();                  // now it is a first attempt
  BOOST_TEST(bench.out.wanted_claim.has_value());
}

BOOST_AUTO_TEST_CASE(retries_have_their_quarter_beside_first_attempts) {
  dispatch_bench bench{window_of(8)};
  bench.due();
  claim_answer answer;
  answer.under = bench.dispatch.under();
  answer.due_by_lane.note(bench.wall, retry);
  answer.next_due = bench.wall;
  for (std::uint32_t i = 1; i <= 10; ++i)
    answer.claimed.push_back({dispatch_bench::id(i), dispatch_bench::event_of(100), 1, 0, i, live_high});
  bench.claimed(std::move(answer));
  BOOST_TEST(bench.out.starts.size() == 6U);
  BOOST_REQUIRE(bench.out.wanted_claim.has_value()); // for the retries
  brings(bench, retry, 100, 5, false);
  BOOST_TEST(bench.out.starts.size() == 2U);
  for (const auto& each : bench.out.starts)
    BOOST_TEST((each.delivery >= dispatch_bench::id(100)));
}

BOOST_AUTO_TEST_CASE(what_is_ready_is_sent_by_weight) {
  dispatch_bench bench{window_of(1)};
  claim_answer answer;
  answer.under = bench.dispatch.under();
  for (std::uint32_t i = 0; i < 30; ++i)
    for (const auto lane : {replay, live_high})
      answer.claimed.push_back(
        {dispatch_bench::id(1 + 2 * i + (lane == replay ? 1 : 0)), dispatch_bench::event_of(100), 1, 0, i, lane});
  bench.due();
  bench.claimed(std::move(answer));
  std::uint32_t high = 0;
  for (int i = 0; i < 18; ++i) {
    BOOST_REQUIRE(bench.out.starts.size() == 1U);
    const auto started = bench.out.starts[0];
    high += started.delivery.value.bytes[15] % 2;
    bench.finish(started, good);
  }
  BOOST_TEST(high == 16U); // 8 to 1
}

BOOST_AUTO_TEST_CASE(retries_alone_widen_a_window_that_was_narrowed) {
  auto policy = window_of(32);
  policy.breaker = {.failures = 1, .cool_down = 1s, .cool_down_max = 1s, .jitter = 0};
  dispatch_bench bench{policy};
  bench.ride(1);
  const dispatch_effects::start failed = bench.out.starts.at(0);
  bench.finish(failed, {.http_status = 500});
  bench.record(failed.delivery);
  BOOST_REQUIRE(bench.wake());
  brings(bench, retry, 1, 1);
  std::deque<dispatch_effects::start> running(bench.out.starts.begin(), bench.out.starts.end());
  for (std::uint32_t next = 100; !running.empty() && bench.dispatch.window() < 12;) {
    const auto each = running.front();
    running.pop_front();
    bench.finish(each, good);
    running.insert(running.end(), bench.out.starts.begin(), bench.out.starts.end());
    const bool asked = bench.out.wanted_claim.has_value();
    bench.record(each.delivery);
    if (asked || bench.out.wanted_claim) {
      brings(bench, retry, next, 4);
      running.insert(running.end(), bench.out.starts.begin(), bench.out.starts.end());
      next += 4;
    }
    BOOST_REQUIRE(next < 1'000);
  }
  BOOST_TEST(bench.dispatch.window() >= 12U);
}

BOOST_AUTO_TEST_SUITE_END()
