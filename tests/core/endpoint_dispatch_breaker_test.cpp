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

BOOST_AUTO_TEST_SUITE(endpoint_dispatch_breakers)

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
  BOOST_TEST(bench.dispatch.lendable(0, bench.mono) == 0);
  BOOST_TEST((bench.dispatch.wake_at(bench.now()) == *bench.dispatch.gate().next_at));
}

BOOST_AUTO_TEST_CASE(half_open_claims_exactly_the_probes) {
  auto bench = cooling(2);
  BOOST_TEST(bench.wake());
  BOOST_TEST((bench.dispatch.gate().state == breaker_state::half_open));
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  BOOST_TEST(bench.out.wanted_claim->limit == 2U);
  BOOST_TEST(!bench.out.wanted_claim->backoff_before.has_value()); // the released one is due
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
  BOOST_TEST(bench.out.wanted_claim->backoff_before.has_value());
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

BOOST_AUTO_TEST_CASE(a_row_claimed_before_the_word_of_its_release_came_is_not_dropped) {
  auto bench = cooling(); // open; number 3 was released and recorded
  bench.wake();
  bench.brings(3, 1, {}, 1);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, good); // closed again; its write is under way
  bench.brings(9, 0);                                                  // nothing waits on backoff
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

BOOST_AUTO_TEST_CASE(the_late_word_of_an_earlier_write_does_not_answer_for_the_next_one) {
  auto bench = cooling();
  bench.wake();
  bench.brings(3, 1, {}, 1);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, good);
  bench.brings(9, 0); // nothing waits on backoff
  bench.due();
  bench.brings(3, 1, {}, 2);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, bad);
  const auto due = *bench.out.writes.at(0).next_attempt_at;
  bench.record(dispatch_bench::id(3), false, recorded_write::row{delivery_state::in_flight, dispatch_bench::fence_});
  BOOST_TEST(bench.dispatch.knows(dispatch_bench::id(3)));
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  bench.record(dispatch_bench::id(3));
  BOOST_TEST(!bench.dispatch.knows(dispatch_bench::id(3)));
  BOOST_TEST((bench.dispatch.next_due() == due));
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

BOOST_AUTO_TEST_CASE(a_probe_does_not_wait_for_requests_from_before_the_breaker_opened) {
  auto bench = tripped(); // of a window of two, one still runs
  bench.record(dispatch_bench::id(1));
  bench.record(dispatch_bench::id(3));
  BOOST_TEST(bench.dispatch.sending() == 1U);
  BOOST_TEST(bench.wake());
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  bench.brings(3, 1);
  BOOST_TEST(bench.out.starts.size() == 1U);
  BOOST_TEST(bench.dispatch.gate().probes_running == 1U);
}

BOOST_AUTO_TEST_CASE(with_the_window_full_of_old_requests_a_probe_is_claimed_when_a_place_is_free) {
  auto policy = window_of(1);
  policy.breaker.failures = 1;
  dispatch_bench bench{policy};
  policy.max_in_flight = 2;
  bench.configure(policy);
  bench.ride(1, 2);
  const auto old = bench.out.starts.at(1);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, bad);
  bench.record(dispatch_bench::id(1));
  policy.max_in_flight = 1;
  bench.configure(policy);
  BOOST_TEST(bench.wake());
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  bench.finish(old, bad);
  BOOST_TEST(bench.out.wanted_claim.has_value());
}

BOOST_AUTO_TEST_SUITE_END()
