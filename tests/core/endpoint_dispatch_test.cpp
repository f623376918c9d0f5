#include "core/endpoint_dispatch.hpp"

#include "tests/support/dispatch_bench.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace postrider::test;
using namespace std::chrono_literals;

namespace {

constexpr auto good = dispatch_bench::good;
constexpr auto bad = dispatch_bench::bad;

dispatch_policy window_of(std::uint32_t attempts) {
  dispatch_policy policy;
  policy.max_in_flight = attempts;
  return policy;
}

claim_answer away(fence under) {
  claim_answer answer;
  answer.available = false;
  answer.under = under;
  return answer;
}

} // namespace

BOOST_AUTO_TEST_SUITE(endpoint_dispatches)

BOOST_AUTO_TEST_CASE(a_ride_starts_at_once_while_the_window_has_room) {
  dispatch_bench bench{window_of(2)};
  bench.ride(1);
  BOOST_REQUIRE(bench.out.starts.size() == 1U);
  BOOST_TEST((bench.out.starts[0].delivery == dispatch_bench::id(1)));
  BOOST_TEST(bench.out.starts[0].number == 1U);
  BOOST_TEST(bench.out.writes.empty());
  bench.ride(2, 2);
  BOOST_TEST(bench.out.starts.size() == 1U);
  BOOST_TEST(bench.dispatch.sending() == 2U);
  BOOST_TEST(bench.dispatch.ready() == 1U);
}

BOOST_AUTO_TEST_CASE(waiting_for_the_window_burns_nothing_and_keeps_the_order) {
  dispatch_bench bench{window_of(1)};
  bench.ride(1, 3);
  const auto first = bench.out.starts.at(0);
  bench.advance(1h);
  bench.finish(first, good);
  BOOST_REQUIRE(bench.out.starts.size() == 1U);
  BOOST_TEST((bench.out.starts[0].delivery == dispatch_bench::id(2)));
  BOOST_TEST(bench.out.starts[0].number == 1U);
  BOOST_TEST(bench.out.writes.size() == 1U); // the success alone: nothing was released or counted
}

BOOST_AUTO_TEST_CASE(a_success_is_written_under_the_fence_it_was_sent_under_and_then_forgotten) {
  dispatch_bench bench;
  bench.ride(1);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, good);
  BOOST_REQUIRE(bench.out.writes.size() == 1U);
  const auto& write = bench.out.writes[0];
  BOOST_TEST((write.to == delivery_state::succeeded));
  BOOST_TEST(write.under == dispatch_bench::fence_);
  BOOST_TEST(write.number == 1U);
  BOOST_TEST(!write.next_attempt_at.has_value());
  BOOST_TEST(write.result_index == 0);
  BOOST_TEST(!bench.dispatch.idle());
  bench.record(dispatch_bench::id(1));
  BOOST_TEST(bench.dispatch.idle());
}

BOOST_AUTO_TEST_CASE(a_failure_is_scheduled_one_step_on_by_the_seed_of_the_delivery) {
  dispatch_bench bench;
  bench.ride(1);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, bad);
  const auto& write = bench.out.writes.at(0);
  BOOST_TEST((write.to == delivery_state::retry_wait));
  BOOST_TEST((write.outcome == attempt_outcome::failed));
  BOOST_TEST(write.step == 1U);
  const auto delay = backoff_delay(default_retry_policy(), 1, 1, {});
  BOOST_TEST((*write.next_attempt_at == bench.wall + *delay));
  bench.record(dispatch_bench::id(1));
  BOOST_TEST((bench.dispatch.next_due() == bench.wall + *delay));
}

BOOST_AUTO_TEST_CASE(the_last_step_of_the_schedule_ends_as_exhausted) {
  dispatch_policy policy;
  policy.retry.schedule = {1s};
  dispatch_bench bench{policy};
  bench.due();
  bench.brings(1, 1); // attempt 2 after one failed step
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, bad);
  BOOST_TEST((bench.out.writes.at(0).to == delivery_state::dead));
  BOOST_TEST((bench.out.writes.at(0).reason == delivery_reason::exhausted));
  BOOST_TEST(!bench.out.writes.at(0).next_attempt_at.has_value());
}

BOOST_AUTO_TEST_CASE(an_interrupted_attempt_is_due_at_once_and_advances_no_step) {
  dispatch_bench bench;
  bench.ride(1);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, {.failure = attempt_reason::interrupted});
  const auto& write = bench.out.writes.at(0);
  BOOST_TEST((write.to == delivery_state::retry_wait));
  BOOST_TEST((write.outcome == attempt_outcome::interrupted));
  BOOST_TEST(write.step == 0U);
  BOOST_TEST((*write.next_attempt_at == bench.wall));
  BOOST_TEST(bench.dispatch.gate().consecutive_failures == 0U);
}

BOOST_AUTO_TEST_CASE(an_attempt_that_was_never_sent_is_uncounted_and_tried_a_little_later) {
  dispatch_bench bench;
  bench.ride(1);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, {.failure = attempt_reason::connect_timeout}, false);
  const auto& write = bench.out.writes.at(0);
  BOOST_TEST((write.to == delivery_state::pending));
  BOOST_TEST(write.uncount);
  BOOST_TEST((*write.next_attempt_at > bench.wall));
  BOOST_TEST(bench.dispatch.gate().consecutive_failures == 0U);
}

BOOST_AUTO_TEST_CASE(a_410_ends_the_delivery_disables_the_endpoint_and_releases_what_waits) {
  dispatch_bench bench{window_of(1)};
  bench.ride(1, 2);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, {.http_status = 410});
  BOOST_TEST(bench.out.disable_endpoint);
  BOOST_TEST(bench.out.disable_reason == "endpoint_gone");
  BOOST_TEST(bench.out.starts.empty());
  BOOST_REQUIRE(bench.out.writes.size() == 2U);
  BOOST_TEST((bench.out.writes[0].to == delivery_state::dead));
  BOOST_TEST((bench.out.writes[0].reason == delivery_reason::endpoint_gone));
  BOOST_TEST(bench.out.writes[1].uncount);
  BOOST_TEST(bench.dispatch.lendable(0, bench.mono) == 0);
}

BOOST_AUTO_TEST_CASE(a_claim_is_asked_once_and_only_when_something_is_due) {
  dispatch_bench bench;
  bench.ride(1);
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  bench.due(10s);
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  BOOST_TEST((bench.dispatch.wake_at(bench.now()) == bench.mono + 10s));
  bench.advance(9'999ms);
  bench.timer();
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  bench.advance(1ms);
  bench.timer();
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  BOOST_TEST(!bench.out.wanted_claim->backoff_before.has_value());
  bench.due();
  bench.timer();
  BOOST_TEST(!bench.out.wanted_claim.has_value()); // one runs
  BOOST_TEST(!bench.dispatch.wake_at(bench.now()).has_value());
}

BOOST_AUTO_TEST_CASE(what_was_heard_of_while_a_claim_ran_is_claimed_next) {
  dispatch_bench bench;
  bench.due();
  bench.due();
  bench.brings(1, 1);
  BOOST_TEST(bench.out.starts.size() == 1U);
  BOOST_TEST(bench.out.wanted_claim.has_value());
  bench.brings(2, 0);
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  BOOST_TEST(!bench.dispatch.next_due().has_value());
}

BOOST_AUTO_TEST_CASE(a_claimed_row_starts_with_its_own_number) {
  dispatch_bench bench;
  bench.due();
  bench.brings(1, 1, {}, 7);
  BOOST_TEST(bench.out.starts.at(0).number == 7U);
}

BOOST_AUTO_TEST_CASE(a_store_that_is_away_is_asked_again_a_second_later_and_not_before) {
  dispatch_bench bench;
  bench.due();
  bench.claimed(away(dispatch_bench::fence_));
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  bench.due();
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  BOOST_TEST((bench.dispatch.wake_at(bench.now()) == bench.mono + 1s));
  BOOST_TEST(bench.wake());
  BOOST_TEST(bench.out.wanted_claim.has_value());
}

BOOST_AUTO_TEST_CASE(a_claim_that_brings_nothing_of_what_is_due_is_not_repeated_at_once) {
  dispatch_bench bench;
  bench.due();
  bench.brings(1, 0, bench.wall - 1s); // somebody else holds the row locked
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  BOOST_TEST((bench.dispatch.wake_at(bench.now()) == bench.mono + 1s));
  BOOST_TEST(bench.wake());
  BOOST_TEST(bench.out.wanted_claim.has_value());
}

BOOST_AUTO_TEST_CASE(a_late_result_changes_nothing) {
  dispatch_bench bench;
  bench.ride(1);
  const auto started = bench.out.starts.at(0);
  bench.finish({{dispatch_bench::id(1), 2, 0, good, true}}); // another attempt's
  bench.finish({{dispatch_bench::id(9), 1, 0, good, true}}); // nobody's
  BOOST_TEST(bench.out.writes.empty());
  bench.finish(started, good);
  BOOST_TEST(bench.out.writes.size() == 1U);
  bench.finish(started, bad);
  BOOST_TEST(bench.out.writes.empty());
  bench.record(dispatch_bench::id(1));
  bench.finish(started, bad);
  BOOST_TEST(bench.out.writes.empty());
  BOOST_TEST(bench.dispatch.idle());
  BOOST_TEST(bench.dispatch.sending() == 0U);
}

BOOST_AUTO_TEST_CASE(credits_are_lent_for_what_has_room_and_fewer_while_a_backlog_is_due) {
  dispatch_bench bench{window_of(4)};
  BOOST_TEST(bench.dispatch.lendable(0, bench.mono) == 8);
  BOOST_TEST(bench.dispatch.lendable(5, bench.mono) == 3);
  BOOST_TEST(bench.dispatch.lendable(50, bench.mono) == 0);
  bench.ride(1, 3);
  BOOST_TEST(bench.dispatch.lendable(0, bench.mono) == 5);
  bench.due();
  BOOST_TEST(bench.dispatch.lendable(0, bench.mono) == 1);
}

BOOST_AUTO_TEST_CASE(a_quick_endpoint_gets_more_room_and_an_endpoint_gone_slow_loses_it) {
  dispatch_bench bench{window_of(2)};
  for (std::uint32_t i = 0; i < 50; ++i) {
    bench.ride(i);
    bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, good);
    bench.record(dispatch_bench::id(i));
  }
  BOOST_TEST(bench.dispatch.room() == 54U);
  bench.advance(10s);
  bench.ride(100);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, good);
  BOOST_TEST(bench.dispatch.room() == 5U);
}

BOOST_AUTO_TEST_CASE(memory_is_bounded_by_weight_before_the_first_event_is_known_and_after) {
  dispatch_bench bench{window_of(1'000)};
  constexpr std::size_t megabyte = 1U << 20U;
  BOOST_TEST(bench.dispatch.lendable(0, bench.mono) <= 50);
  bench.due();
  BOOST_TEST(bench.out.wanted_claim->limit <= 50U);
  std::uint32_t next = 0;
  while (bench.out.wanted_claim) {
    const auto count = bench.out.wanted_claim->limit;
    bench.brings(next, count, bench.wall, 2, megabyte);
    next += count;
    BOOST_REQUIRE(next <= 51U);
  }
  BOOST_TEST(next >= 48U);
  BOOST_TEST(bench.dispatch.lendable(0, bench.mono) <= 1);
}

BOOST_AUTO_TEST_CASE(a_window_that_is_full_asks_for_no_more_than_its_room) {
  dispatch_bench bench{window_of(2)};
  bench.due();
  BOOST_TEST(bench.out.wanted_claim->limit == 4U);
  bench.brings(1, 4, bench.wall);
  BOOST_TEST(bench.out.starts.size() == 2U);
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  BOOST_TEST(!bench.dispatch.wake_at(bench.now()).has_value()); // a result makes room, no timer
  bench.finish({{dispatch_bench::id(1), 2, 0, good, true}});
  BOOST_TEST(bench.out.wanted_claim.has_value());
}

BOOST_AUTO_TEST_SUITE_END()
