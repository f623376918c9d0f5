// What an endpoint does with its share of the node's memory, and which of its claims are late.
#include "core/endpoint_dispatch.hpp"

#include "tests/support/dispatch_bench.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace postrider::test;
using namespace std::chrono_literals;

namespace {

constexpr auto good = dispatch_bench::good;

claim_answer nothing_claimed(const dispatch_bench& bench, delivery_lane lane, wall_time due) {
  claim_answer answer;
  answer.under = bench.dispatch.under();
  answer.next_due = due;
  answer.due_by_lane.note(due, lane);
  return answer;
}

} // namespace

BOOST_AUTO_TEST_SUITE(endpoint_dispatch_rooms)

BOOST_AUTO_TEST_CASE(a_claim_asks_for_no_more_rows_than_there_is_room_for) {
  dispatch_bench bench;
  bench.may_hold = {5, 1 << 20};
  bench.due();
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  BOOST_TEST(bench.out.wanted_claim->limit == 1U); // of a megabyte, until it knows better
  bench.may_hold = {5, 100 << 20};
  bench.brings(1, 1, bench.wall);
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  BOOST_TEST(bench.out.wanted_claim->limit == 4U);
  BOOST_TEST((bench.dispatch.held().rows == 1U));
}

BOOST_AUTO_TEST_CASE(without_room_nothing_is_claimed_and_it_asks_again_soon) {
  dispatch_bench bench;
  bench.may_hold = {};
  bench.due();
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  BOOST_TEST(bench.dispatch.lendable(0, bench.mono) == 0);
  const auto at = bench.dispatch.wake_at(bench.now());
  BOOST_REQUIRE(at.has_value());
  BOOST_TEST((*at - bench.mono == endpoint_dispatch::room_asked_every));
  BOOST_REQUIRE(bench.wake());
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  bench.may_hold = {10, 100 << 20}; // others have made room
  BOOST_REQUIRE(bench.wake());
  BOOST_TEST(bench.out.wanted_claim.has_value());
}

BOOST_AUTO_TEST_CASE(what_is_due_later_is_asked_for_then) {
  dispatch_bench bench;
  bench.may_hold = {};
  bench.due(5s);
  const auto at = bench.dispatch.wake_at(bench.now());
  BOOST_REQUIRE(at.has_value());
  BOOST_TEST((*at - bench.mono == 5s));
}

BOOST_AUTO_TEST_CASE(bytes_alone_leave_no_room_either) {
  dispatch_bench bench;
  bench.ride(1, 1, dispatch_bench::fence_, 2'000);
  bench.may_hold = {1'000, 1'500};
  bench.due();
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  BOOST_TEST(bench.dispatch.lendable(0, bench.mono) == 0);
}

BOOST_AUTO_TEST_CASE(what_is_in_memory_is_sent_whatever_room_there_is) {
  dispatch_bench bench;
  bench.may_hold = {};
  bench.ride(1, 3);
  BOOST_TEST(bench.out.starts.size() == 3U);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, good);
  bench.record(dispatch_bench::id(1));
  BOOST_TEST((bench.dispatch.held().rows == 2U));
}

BOOST_AUTO_TEST_CASE(a_probe_needs_room_too) {
  dispatch_policy policy;
  policy.breaker = {.failures = 1, .cool_down = 1s, .cool_down_max = 1s, .jitter = 0};
  dispatch_bench bench{policy};
  bench.ride(1);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, dispatch_bench::bad);
  bench.record(dispatch_bench::id(1));
  bench.may_hold = {};
  BOOST_REQUIRE(bench.wake());
  BOOST_REQUIRE((bench.dispatch.gate().state == breaker_state::half_open));
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  bench.may_hold = {1, 100 << 20};
  BOOST_REQUIRE(bench.wake());
  BOOST_TEST(bench.out.wanted_claim.has_value());
  BOOST_TEST(!bench.out.wanted_claim->late);
}

BOOST_AUTO_TEST_CASE(what_has_been_due_for_more_than_a_second_is_late) {
  dispatch_bench bench;
  bench.due(-500ms);
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  BOOST_TEST(!bench.out.wanted_claim->late);
  bench.claimed(nothing_claimed(bench, delivery_lane::live_medium, bench.wall - 1s));
  BOOST_TEST(!bench.out.wanted_claim.has_value()); // it brought nothing although something was due
  BOOST_REQUIRE(bench.wake());
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  BOOST_TEST(bench.out.wanted_claim->late);
}

BOOST_AUTO_TEST_CASE(fresh_news_of_an_endpoint_with_a_backlog_does_not_hurry_it) {
  dispatch_bench bench;
  bench.due(-10s);
  BOOST_TEST(bench.out.wanted_claim->late);
  bench.due();
  bench.brings(1, 1, bench.wall - 9s);
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  BOOST_TEST(bench.out.wanted_claim->late);
}

BOOST_AUTO_TEST_CASE(replays_alone_are_late_at_once_and_retries_are_not) {
  dispatch_bench bench;
  bench.due(50ms);
  bench.advance(50ms);
  bench.timer();
  bench.claimed(nothing_claimed(bench, delivery_lane::replay, bench.wall + 20ms));
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  BOOST_REQUIRE(bench.wake());
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  BOOST_TEST(bench.out.wanted_claim->late);
  BOOST_TEST(bench.out.wanted_claim->replays);
  bench.claimed(nothing_claimed(bench, delivery_lane::retry, bench.wall + 20ms));
  BOOST_REQUIRE(bench.wake());
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  BOOST_TEST(!bench.out.wanted_claim->late);
  BOOST_TEST(!bench.out.wanted_claim->replays);
}

BOOST_AUTO_TEST_CASE(a_look_at_a_paused_endpoint_is_not_late) {
  dispatch_policy paused;
  paused.active = false;
  dispatch_bench bench{paused};
  bench.due(-10s);
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  BOOST_TEST(bench.out.wanted_claim->limit == 0U);
  BOOST_TEST(!bench.out.wanted_claim->late);
}

BOOST_AUTO_TEST_SUITE_END()
