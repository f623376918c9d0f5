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

claim_answer not_owned(fence under) {
  claim_answer answer;
  answer.owned = false;
  answer.under = under;
  return answer;
}

} // namespace

BOOST_AUTO_TEST_SUITE(endpoint_dispatch_ownership)

BOOST_AUTO_TEST_CASE(without_the_shard_nothing_is_sent_claimed_or_lent_and_another_fence_forgets_what_was_ready) {
  dispatch_bench bench{window_of(1)};
  bench.ride(1, 3);
  const auto running = bench.out.starts.at(0);
  bench.own(0);
  BOOST_TEST(bench.dispatch.under() == 0);
  BOOST_TEST(bench.dispatch.ready() == 2U);
  BOOST_TEST(bench.dispatch.lendable(0, bench.mono) == 0);
  bench.due();
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  bench.finish(running, good);
  BOOST_TEST(bench.out.starts.empty());
  bench.own(78);
  BOOST_TEST(bench.dispatch.ready() == 0U);
  BOOST_TEST(bench.out.starts.empty());
  BOOST_TEST(bench.out.writes.empty()); // the rows are closed by the sweep of the take-over
  BOOST_TEST(bench.out.wanted_claim.has_value());
}

BOOST_AUTO_TEST_CASE(the_same_fence_again_goes_on_with_what_was_ready_and_with_what_came_meanwhile) {
  dispatch_bench bench{window_of(2)};
  bench.ride(1, 3);
  bench.due();
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  bench.own(0);
  bench.ride(4);
  claim_answer answer;
  answer.under = dispatch_bench::fence_;
  answer.claimed.push_back({dispatch_bench::id(5), dispatch_bench::event_of(10), 2, 1, 1});
  bench.claimed(std::move(answer));
  BOOST_TEST(bench.out.starts.empty());
  BOOST_TEST(bench.dispatch.ready() == 3U);
  bench.own(dispatch_bench::fence_);
  bench.configure(window_of(10));
  BOOST_TEST(bench.out.starts.size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_ready_attempt_whose_claim_ran_out_meanwhile_is_released_not_sent) {
  dispatch_bench bench{window_of(1)};
  bench.ride(1);
  const auto running = bench.out.starts.at(0);
  bench.due();
  const auto until = bench.out.wanted_claim.value().until;
  bench.brings(2, 1);
  bench.own(0);
  bench.advance(until - bench.wall);
  bench.own(dispatch_bench::fence_);
  bench.finish(running, good);
  BOOST_TEST(bench.out.starts.empty());
  BOOST_REQUIRE(bench.out.writes.size() == 2U);
  BOOST_TEST(bench.out.writes[1].uncount);
  BOOST_TEST((bench.out.writes[1].claimed_until == until));
  bench.record(dispatch_bench::id(2));
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  BOOST_TEST((bench.out.wanted_claim->until > until));
}

BOOST_AUTO_TEST_CASE(what_waits_for_a_fence_that_never_comes_is_forgotten_in_the_end) {
  dispatch_bench bench{window_of(1)};
  bench.ride(1, 2);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, good);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, good);
  bench.record(dispatch_bench::id(1));
  bench.record(dispatch_bench::id(2));
  bench.own(0);
  bench.ride(3);
  BOOST_TEST(bench.dispatch.ready() == 1U);
  BOOST_TEST(bench.wake());
  BOOST_TEST(bench.dispatch.idle());
  BOOST_TEST(!bench.dispatch.wake_at(bench.now()).has_value());
}

BOOST_AUTO_TEST_CASE(a_drain_without_the_shard_releases_what_is_ready) {
  dispatch_bench bench{window_of(1)};
  bench.ride(1, 2);
  bench.own(0);
  bench.drain();
  BOOST_REQUIRE(bench.out.writes.size() == 1U); // guarded by its fence: without effect if the row is another's
  BOOST_TEST(bench.out.writes[0].under == dispatch_bench::fence_);
}

BOOST_AUTO_TEST_CASE(a_refused_claim_is_asked_again_after_a_while_unless_node_says_that_the_shard_is_lost) {
  dispatch_bench bench;
  bench.due();
  bench.claimed(not_owned(dispatch_bench::fence_));
  BOOST_TEST(bench.dispatch.under() == 0);
  BOOST_TEST((bench.dispatch.wake_at(bench.now()) == bench.mono + endpoint_dispatch::claim_retry_delay));
  bench.due();
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  BOOST_TEST(bench.wake());
  BOOST_TEST(bench.out.wanted_claim.has_value());
  bench.claimed(not_owned(dispatch_bench::fence_));
  bench.own(0);
  BOOST_TEST(!bench.dispatch.wake_at(bench.now()).has_value());
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
  BOOST_TEST(bench.dispatch.sending() == 1U);
  bench.finish(old, good);
  BOOST_TEST(bench.out.writes.at(0).under == 77);
  bench.record(dispatch_bench::id(1), false);
  BOOST_TEST(bench.dispatch.idle());
}

BOOST_AUTO_TEST_CASE(a_write_that_missed_its_row_is_forgotten_and_looked_at_again_only_where_the_row_is_live_and_ours) {
  const auto missed = [](std::optional<recorded_write::row> found) {
    dispatch_bench bench;
    bench.ride(1);
    bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, bad);
    bench.record(dispatch_bench::id(1), false, found);
    BOOST_TEST(!bench.dispatch.knows(dispatch_bench::id(1)));
    return bench.out.wanted_claim.has_value();
  };
  constexpr auto ours = dispatch_bench::fence_;
  BOOST_TEST(!missed(std::nullopt)); // gone
  for (std::size_t i = 0; i < delivery_state_count; ++i) {
    const auto state = static_cast<delivery_state>(i);
    BOOST_TEST(!missed(recorded_write::row{state, ours + 1}));
    BOOST_TEST(missed(recorded_write::row{state, ours}) == !is_final(state));
  }
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

BOOST_AUTO_TEST_CASE(while_it_is_paused_only_what_is_overdue_is_looked_for_once_a_fence) {
  auto paused = window_of(1);
  paused.active = false;
  dispatch_bench bench{paused};
  bench.due();
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  BOOST_TEST(bench.out.wanted_claim->limit == 0U);
  claim_answer away;
  away.available = false;
  bench.claimed(away);
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  BOOST_REQUIRE(bench.wake()); // again, after a while
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  claim_answer found;
  found.under = dispatch_bench::fence_;
  found.next_due = bench.wall;
  found.overdue = {{dispatch_bench::id(9), 5, 3, 1}};
  bench.claimed(found);
  BOOST_REQUIRE(bench.out.writes.size() == 1U);
  BOOST_TEST((bench.out.writes[0].outcome == attempt_outcome::interrupted));
  BOOST_REQUIRE(bench.out.wanted_claim.has_value()); // there may be more of them
  BOOST_TEST(bench.out.wanted_claim->limit == 0U);
  bench.record(dispatch_bench::id(9));
  found.overdue.clear();
  bench.claimed(found);
  BOOST_TEST(!bench.dispatch.wake_at(bench.now()).has_value());
  bench.due();
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  bench.own(dispatch_bench::fence_ + 1);
  BOOST_TEST(bench.out.wanted_claim.has_value());
  BOOST_TEST(bench.out.starts.empty());
}

BOOST_AUTO_TEST_CASE(what_was_looked_for_under_a_former_fence_is_looked_for_again) {
  auto paused = window_of(1);
  paused.active = false;
  dispatch_bench bench{paused};
  bench.due();
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  bench.own(dispatch_bench::fence_ + 1); // while the answer is on its way
  claim_answer former;
  former.under = dispatch_bench::fence_;
  former.next_due = bench.wall;
  bench.claimed(former);
  BOOST_REQUIRE(bench.wake());
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  BOOST_TEST(bench.out.wanted_claim->limit == 0U);
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
  BOOST_TEST(bench.dispatch.lendable(0, bench.mono) == 0);
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

BOOST_AUTO_TEST_SUITE_END()
