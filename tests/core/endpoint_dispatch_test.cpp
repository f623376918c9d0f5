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
claim_answer not_owned(fence under) {
  claim_answer answer;
  answer.owned = false;
  answer.under = under;
  return answer;
}

/// A bench whose breaker opened at one failure, with a second ride running and a third in the window's queue.
dispatch_bench tripped(std::uint32_t probes = 1) {
  auto policy = window_of(2);
  policy.breaker.failures = 1;
  policy.breaker.probes = probes;
  dispatch_bench bench{policy};
  bench.ride(1, 3);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, bad);
  return bench;
}

/// The same with everything recorded and one row due in the database: half open is one timer away.
dispatch_bench cooling(std::uint32_t probes = 1) {
  auto bench = tripped(probes);
  bench.finish({{dispatch_bench::id(2), 1, 0, good, true}});
  for (std::uint32_t i = 1; i <= 3; ++i)
    bench.record(dispatch_bench::id(i));
  return bench;
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
  BOOST_TEST(bench.dispatch.lendable(0) == 0);
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
  BOOST_TEST(!bench.out.wanted_claim->even_if_not_due);
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

BOOST_AUTO_TEST_CASE(a_ready_attempt_is_released_not_burnt_when_the_breaker_opens) {
  auto bench = tripped();
  BOOST_TEST((bench.dispatch.gate().state == breaker_state::open));
  BOOST_TEST(bench.out.breaker_changed);
  BOOST_TEST(bench.out.starts.empty());
  BOOST_REQUIRE(bench.out.writes.size() == 2U);
  const auto& released = bench.out.writes[1];
  BOOST_TEST((released.delivery == dispatch_bench::id(3)));
  BOOST_TEST((released.to == delivery_state::pending));
  BOOST_TEST(released.uncount);
  BOOST_TEST(released.step == 0U);
  BOOST_TEST((*released.next_attempt_at == bench.wall));
  BOOST_TEST(bench.dispatch.ready() == 0U);
}

BOOST_AUTO_TEST_CASE(while_open_nothing_starts_nothing_is_claimed_nothing_is_lent) {
  auto bench = tripped();
  bench.ride(10, 2);
  BOOST_TEST(bench.out.starts.empty());
  BOOST_TEST(bench.out.writes.size() == 2U);
  bench.due();
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  BOOST_TEST(bench.dispatch.lendable(0) == 0);
  BOOST_TEST((bench.dispatch.wake_at(bench.now()) == *bench.dispatch.gate().next_at));
}

BOOST_AUTO_TEST_CASE(half_open_claims_exactly_the_probes) {
  auto bench = cooling(2);
  BOOST_TEST(bench.wake());
  BOOST_TEST((bench.dispatch.gate().state == breaker_state::half_open));
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  BOOST_TEST(bench.out.wanted_claim->limit == 2U);
  BOOST_TEST(!bench.out.wanted_claim->even_if_not_due); // the released one is due
  bench.brings(3, 2, bench.wall);
  BOOST_TEST(bench.out.starts.size() == 2U);
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  const auto probes = bench.out.starts;
  bench.finish(probes[0], good);
  BOOST_TEST(!bench.out.wanted_claim.has_value()); // the other one decides
  bench.finish(probes[1], good);
  BOOST_TEST((bench.dispatch.gate().state == breaker_state::closed));
  BOOST_TEST(bench.out.wanted_claim.has_value());
}

BOOST_AUTO_TEST_CASE(half_open_asks_only_for_the_successes_that_are_still_missing) {
  auto bench = cooling(2);
  bench.wake();
  bench.brings(3, 1, bench.wall + 1h); // no more were due
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, good);
  BOOST_TEST((bench.dispatch.gate().state == breaker_state::half_open));
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  BOOST_TEST(bench.out.wanted_claim->limit == 1U);
}

BOOST_AUTO_TEST_CASE(half_open_with_nothing_due_probes_with_the_oldest_in_backoff) {
  dispatch_policy policy;
  policy.breaker.failures = 1;
  dispatch_bench bench{policy};
  bench.ride(1);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, bad);
  bench.record(dispatch_bench::id(1)); // due in about 5 s, the cool-down is 1 s
  BOOST_TEST(bench.wake());
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  BOOST_TEST(bench.out.wanted_claim->even_if_not_due);
  BOOST_TEST(bench.out.wanted_claim->limit == 1U);
  bench.brings(1, 0, bench.wall + 4s); // it was not there after all
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  BOOST_TEST((bench.dispatch.wake_at(bench.now()) == bench.mono + 1s));
}

BOOST_AUTO_TEST_CASE(a_failed_probe_opens_again_and_a_probe_that_never_reports_does_too) {
  auto bench = cooling();
  bench.wake();
  bench.brings(3, 1);
  const auto probe = bench.out.starts.at(0);
  bench.advance(milliseconds{bench.dispatch.policy().breaker.probe_timeout});
  bench.timer();
  BOOST_TEST((bench.dispatch.gate().state == breaker_state::open));
  bench.finish(probe, good); // late, for an older epoch
  BOOST_TEST((bench.dispatch.gate().state == breaker_state::open));
  BOOST_TEST((bench.out.writes.at(0).to == delivery_state::succeeded)); // the endpoint did answer it
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

BOOST_AUTO_TEST_CASE(losing_the_shard_forgets_what_was_ready_and_lends_nothing) {
  dispatch_bench bench{window_of(1)};
  bench.ride(1, 3);
  bench.own(0);
  BOOST_TEST(bench.dispatch.ready() == 0U);
  BOOST_TEST(bench.out.writes.empty()); // the rows are the next owner's
  BOOST_TEST(bench.dispatch.sending() == 1U);
  BOOST_TEST(bench.dispatch.lendable(0) == 0);
  bench.due();
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  BOOST_TEST(!bench.dispatch.wake_at(bench.now()).has_value());
  bench.own(78);
  BOOST_TEST(bench.out.wanted_claim.has_value());
}

BOOST_AUTO_TEST_CASE(a_ride_under_another_fence_is_left_to_its_owner) {
  dispatch_bench bench;
  bench.ride(1, 1, 76);
  BOOST_TEST(bench.out.starts.empty());
  BOOST_TEST(bench.dispatch.idle());
}

BOOST_AUTO_TEST_CASE(a_claim_that_was_answered_not_owned_ends_ownership_of_that_fence_only) {
  dispatch_bench bench;
  bench.due();
  bench.own(78);
  bench.claimed(not_owned(77));
  BOOST_TEST(bench.dispatch.under() == 78);
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  bench.claimed(not_owned(78));
  BOOST_TEST(bench.dispatch.under() == 0);
  BOOST_TEST(bench.dispatch.next_due().has_value()); // asked again when it is owned again
}

BOOST_AUTO_TEST_CASE(rows_claimed_under_a_fence_that_was_lost_meanwhile_are_not_sent) {
  dispatch_bench bench;
  bench.due();
  bench.own(78);
  claim_answer answer;
  answer.under = 77;
  answer.claimed.push_back({dispatch_bench::id(1), dispatch_bench::event_of(10), 2, 1, 1});
  bench.claimed(std::move(answer));
  BOOST_TEST(bench.out.starts.empty());
  BOOST_TEST(bench.dispatch.open() == 0U);
}

BOOST_AUTO_TEST_CASE(an_overdue_attempt_that_nobody_knows_is_closed_as_interrupted) {
  dispatch_bench bench;
  bench.ride(1);
  bench.due();
  claim_answer answer;
  answer.under = bench.dispatch.under();
  answer.overdue = {{dispatch_bench::id(1), 77, 1, 0}, {dispatch_bench::id(2), 70, 3, 2}};
  bench.claimed(std::move(answer));
  BOOST_REQUIRE(bench.out.writes.size() == 1U); // the first runs here
  const auto& write = bench.out.writes[0];
  BOOST_TEST((write.delivery == dispatch_bench::id(2)));
  BOOST_TEST(write.under == 70);
  BOOST_TEST((write.outcome == attempt_outcome::interrupted));
  BOOST_TEST(write.number == 3U);
  BOOST_TEST(write.step == 2U);
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  bench.record(dispatch_bench::id(2));
  BOOST_TEST(bench.out.wanted_claim.has_value()); // due at once
}

BOOST_AUTO_TEST_CASE(a_row_claimed_before_the_word_of_its_release_came_is_not_dropped) {
  auto bench = cooling(); // open; number 3 was released and recorded
  bench.wake();
  bench.brings(3, 1, {}, 1);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, good); // closed again; its write is under way
  bench.due();
  bench.brings(3, 1, {}, 2); // a person revived it meanwhile, and the claim saw that first
  BOOST_REQUIRE(bench.out.starts.size() == 1U);
  const auto second = bench.out.starts[0];
  bench.record(dispatch_bench::id(3)); // of the first
  BOOST_TEST(bench.dispatch.knows(dispatch_bench::id(3)));
  bench.finish(second, good);
  BOOST_REQUIRE(bench.out.writes.size() == 1U);
  BOOST_TEST(bench.out.writes[0].number == 2U);
  bench.record(dispatch_bench::id(3));
  BOOST_TEST(bench.dispatch.idle());
}

BOOST_AUTO_TEST_CASE(a_row_claimed_again_while_its_old_attempt_runs_is_put_back_not_sent_twice_not_lost) {
  dispatch_bench bench;
  bench.ride(1);
  const auto old = bench.out.starts.at(0);
  bench.own(0);
  bench.own(78);
  bench.due();
  bench.brings(1, 1);
  BOOST_TEST(bench.out.starts.empty());
  BOOST_REQUIRE(bench.out.writes.size() == 1U);
  BOOST_TEST(bench.out.writes[0].uncount);
  BOOST_TEST(bench.out.writes[0].under == 78);
  BOOST_TEST((bench.dispatch.next_due() == bench.wall + 1s));
  bench.record(dispatch_bench::id(1)); // the release
  bench.finish(old, good);
  BOOST_TEST(bench.out.writes.at(0).under == 77);
  bench.record(dispatch_bench::id(1), false);
  BOOST_TEST(bench.dispatch.idle());
}

BOOST_AUTO_TEST_CASE(a_write_that_missed_its_row_is_forgotten_without_a_due_time) {
  dispatch_bench bench;
  bench.ride(1);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, bad);
  bench.record(dispatch_bench::id(1), false);
  BOOST_TEST(bench.dispatch.idle());
  BOOST_TEST(!bench.dispatch.next_due().has_value());
}

BOOST_AUTO_TEST_CASE(pausing_releases_what_is_ready_and_resuming_claims_it) {
  dispatch_bench bench{window_of(1)};
  bench.ride(1, 2);
  auto paused = window_of(1);
  paused.active = false;
  bench.configure(paused);
  BOOST_REQUIRE(bench.out.writes.size() == 1U);
  BOOST_TEST(bench.out.writes[0].uncount);
  bench.record(dispatch_bench::id(2));
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  BOOST_TEST(!bench.dispatch.wake_at(bench.now()).has_value());
  bench.configure(window_of(1));
  BOOST_TEST(bench.out.wanted_claim.has_value());
}

BOOST_AUTO_TEST_CASE(drain_releases_what_is_ready_and_is_idle_when_the_rest_has_ended) {
  dispatch_bench bench{window_of(1)};
  bench.ride(1, 2);
  const auto running = bench.out.starts.at(0);
  bench.drain();
  BOOST_TEST(bench.out.writes.at(0).uncount);
  BOOST_TEST(!bench.dispatch.idle());
  bench.record(dispatch_bench::id(2));
  bench.ride(3); // its credit was taken before
  BOOST_TEST(bench.out.starts.empty());
  BOOST_TEST(bench.out.writes.at(0).uncount);
  bench.record(dispatch_bench::id(3));
  BOOST_TEST(!bench.dispatch.idle());
  bench.finish(running, good);
  BOOST_TEST(!bench.dispatch.idle());
  bench.record(dispatch_bench::id(1));
  BOOST_TEST(bench.dispatch.idle());
  BOOST_TEST(!bench.dispatch.wake_at(bench.now()).has_value());
  BOOST_TEST(bench.dispatch.lendable(0) == 0);
}

BOOST_AUTO_TEST_CASE(a_claim_that_was_running_at_the_drain_is_released) {
  dispatch_bench bench;
  bench.due();
  bench.drain();
  BOOST_TEST(!bench.dispatch.idle());
  bench.brings(1, 3);
  BOOST_TEST(bench.out.starts.empty());
  BOOST_TEST(bench.out.writes.size() == 3U);
  for (std::uint32_t i = 1; i <= 3; ++i)
    bench.record(dispatch_bench::id(i));
  BOOST_TEST(bench.dispatch.idle());
}

BOOST_AUTO_TEST_CASE(a_restored_open_breaker_waits_for_its_stored_probe_time) {
  dispatch_bench bench;
  bench.restore({.state = breaker_state::open, .opened_in_a_row = 3, .next_at = bench.mono + 20s});
  bench.due();
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  BOOST_TEST((bench.dispatch.wake_at(bench.now()) == bench.mono + 20s));
  BOOST_TEST(bench.wake());
  BOOST_TEST(bench.out.wanted_claim->limit == 1U);
}

BOOST_AUTO_TEST_CASE(credits_are_lent_for_what_has_room_and_fewer_while_a_backlog_is_due) {
  dispatch_bench bench{window_of(4)};
  BOOST_TEST(bench.dispatch.lendable(0) == 8);
  BOOST_TEST(bench.dispatch.lendable(5) == 3);
  BOOST_TEST(bench.dispatch.lendable(50) == 0);
  bench.ride(1, 3);
  BOOST_TEST(bench.dispatch.lendable(0) == 5);
  bench.due();
  BOOST_TEST(bench.dispatch.lendable(0) == 1);
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
  BOOST_TEST(bench.dispatch.lendable(0) <= 50);
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
  BOOST_TEST(bench.dispatch.lendable(0) <= 1);
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
