#include "core/endpoint_dispatch.hpp"

#include "tests/support/dispatch_bench.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace postrider::test;
using namespace std::chrono_literals;

namespace {

constexpr auto good = dispatch_bench::good;
constexpr attempt_facts busy{.http_status = 503};

dispatch_policy wide(std::uint32_t most = 8) {
  dispatch_policy policy;
  policy.max_in_flight = most;
  policy.breaker.failures = 1'000;
  policy.breaker.min_requests = 1'000;
  return policy;
}

dispatch_policy paced(double per_second) {
  auto policy = wide();
  policy.rate = rate_of(per_second);
  return policy;
}

/// Opens at the first failure.
dispatch_policy brittle() {
  auto policy = wide();
  policy.breaker = {.failures = 1, .cool_down = 1s, .cool_down_max = 1s, .jitter = 0};
  return policy;
}

/// One attempt fails, the breaker opens, cools down, and the same delivery's probe succeeds: it is closed again.
void fail_and_recover(dispatch_bench& bench) {
  bench.ride(1);
  const dispatch_effects::start failed = bench.out.starts.at(0);
  bench.finish(failed, {.http_status = 500});
  bench.record(failed.delivery);
  BOOST_REQUIRE(bench.wake());
  BOOST_REQUIRE((bench.dispatch.gate().state == breaker_state::half_open));
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  bench.brings(1, 1);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, good);
  BOOST_REQUIRE((bench.dispatch.gate().state == breaker_state::closed));
}

} // namespace

BOOST_AUTO_TEST_SUITE(endpoint_dispatch_paces)

BOOST_AUTO_TEST_CASE(a_busy_endpoint_gets_half_as_many_at_once) {
  dispatch_bench bench{wide()};
  bench.ride(1, 10);
  BOOST_TEST(bench.out.starts.size() == 8U);
  const auto first = bench.out.starts;
  bench.finish(dispatch_effects::start{first.at(0)}, busy);
  BOOST_TEST(bench.dispatch.window() == 4U);
  BOOST_TEST(bench.out.starts.empty()); // 7 still run
  BOOST_TEST(bench.out.clock_changed);
  BOOST_TEST(bench.dispatch.lendable(0, bench.mono) == 0);
  bench.finish(dispatch_effects::start{first.at(1)}, busy); // sent before the decrease
  BOOST_TEST(bench.dispatch.window() == 4U);
}

BOOST_AUTO_TEST_CASE(another_failure_slows_nothing) {
  dispatch_bench bench{wide()};
  bench.ride(1);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, {.http_status = 500});
  BOOST_TEST(bench.dispatch.window() == 8U);
  BOOST_TEST(!bench.out.clock_changed);
}

BOOST_AUTO_TEST_CASE(what_changes_all_the_time_is_stored_now_and_then) {
  dispatch_bench bench{wide()};
  bench.ride(1, 3);
  const auto starts = bench.out.starts;
  bench.finish(dispatch_effects::start{starts.at(0)}, busy);
  BOOST_TEST(bench.out.clock_changed);
  bench.advance(1s);
  bench.ride(4);
  const dispatch_effects::start second = bench.out.starts.at(0);
  bench.finish(second, busy);
  BOOST_TEST(!bench.out.clock_changed);
  BOOST_TEST((bench.dispatch.wake_at(bench.now()) == bench.mono + 4s));
  BOOST_TEST(bench.wake());
  BOOST_TEST(bench.out.clock_changed);
}

BOOST_AUTO_TEST_CASE(a_retry_after_holds_all_that_waits_and_burns_no_attempt) {
  auto policy = wide(1);
  dispatch_bench bench{policy};
  bench.ride(1, 2);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, {.http_status = 429, .retry_after = 7s});
  BOOST_TEST(bench.out.starts.empty());
  BOOST_REQUIRE(bench.out.writes.size() == 2U);
  BOOST_TEST(bench.out.writes[1].uncount);
  BOOST_TEST(bench.dispatch.lendable(0, bench.mono) == 0);
  bench.record(dispatch_bench::id(1));
  bench.record(dispatch_bench::id(2));
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  bench.advance(6'999ms);
  bench.timer();
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  BOOST_TEST((bench.dispatch.wake_at(bench.now()) == bench.mono + 1ms));
  bench.advance(1ms);
  bench.timer();
  BOOST_TEST(bench.out.wanted_claim.has_value());
  BOOST_TEST(bench.dispatch.lendable(0, bench.mono) > 0);
}

BOOST_AUTO_TEST_CASE(no_more_is_sent_than_the_rate_allows_and_the_rest_waits_for_its_time) {
  dispatch_bench bench{paced(2)};
  bench.ride(1, 4);
  BOOST_TEST(bench.out.starts.size() == 2U);
  BOOST_TEST(bench.dispatch.ready() == 2U);
  BOOST_TEST((bench.dispatch.wake_at(bench.now()) == bench.mono + 500ms));
  BOOST_TEST(bench.wake());
  BOOST_TEST(bench.out.starts.size() == 1U);
  BOOST_TEST(bench.out.writes.empty());
  BOOST_TEST(bench.wake());
  BOOST_TEST(bench.out.starts.size() == 1U);
  BOOST_TEST(!bench.dispatch.wake_at(bench.now()).has_value());
}

BOOST_AUTO_TEST_CASE(a_slow_rate_lends_and_claims_only_what_it_can_send_soon) {
  dispatch_bench bench{paced(0.1)};
  BOOST_TEST(bench.dispatch.lendable(0, bench.mono) == 1);
  bench.due();
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  BOOST_TEST(bench.out.wanted_claim->limit == 1U);
}

BOOST_AUTO_TEST_CASE(what_was_not_sent_gives_its_token_back) {
  dispatch_bench bench{paced(1)};
  bench.ride(1);
  const dispatch_effects::start first = bench.out.starts.at(0);
  bench.finish(first, {.failure = attempt_reason::connect_timeout}, false);
  bench.ride(2);
  BOOST_TEST(bench.out.starts.size() == 1U);
}

BOOST_AUTO_TEST_CASE(waiting_for_the_rate_admits_no_probe) {
  auto policy = brittle();
  policy.rate = rate_of(0.1);
  dispatch_bench bench{policy};
  bench.ride(1);
  const dispatch_effects::start failed = bench.out.starts.at(0);
  bench.finish(failed, {.http_status = 500});
  bench.record(failed.delivery);
  BOOST_REQUIRE(bench.wake());
  bench.brings(1, 1);
  BOOST_TEST(bench.out.starts.empty());
  BOOST_TEST(bench.dispatch.gate().probes_running == 0U);
  while (bench.out.starts.empty())
    BOOST_REQUIRE(bench.wake());
  BOOST_TEST(bench.dispatch.gate().probes_running == 1U);
}

BOOST_AUTO_TEST_CASE(a_closed_breaker_starts_gently_and_takes_up_what_waited_on_backoff) {
  dispatch_bench bench{brittle()};
  fail_and_recover(bench);
  const auto closed_at = bench.wall;
  BOOST_TEST(bench.dispatch.window() == 1U);
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  BOOST_TEST((bench.out.wanted_claim->backoff_before == closed_at));
  const auto far = bench.wall + 1h;
  bench.brings(2, 2, far); // not due, but in backoff since before
  BOOST_TEST(bench.out.starts.size() == 1U);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, good);
  BOOST_TEST(bench.dispatch.window() == 2U);
  BOOST_TEST(bench.out.starts.size() == 1U);
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  bench.brings(9, 0, far); // nothing is left
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  BOOST_TEST((bench.dispatch.next_due() == far));
  bench.timer();
  BOOST_TEST(!bench.out.wanted_claim.has_value());
}

BOOST_AUTO_TEST_CASE(after_a_restart_the_taking_up_goes_on) {
  dispatch_bench bench{wide()};
  bench.look();
  const auto closed_at = bench.wall - 10s;
  bench.dispatch.restore({.clock = {.window = 2, .threshold = 4}, .closed_at = closed_at}, bench.now(), bench.out);
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  BOOST_TEST((bench.out.wanted_claim->backoff_before == closed_at));
  BOOST_TEST(bench.dispatch.window() == 2U);
}

BOOST_AUTO_TEST_CASE(nothing_but_failures_for_long_disables_the_endpoint) {
  auto policy = wide();
  policy.disable_after = 24h;
  dispatch_bench bench{policy};
  const auto attempt = [&](std::uint32_t n, attempt_facts facts) {
    bench.ride(n);
    bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, facts);
  };
  attempt(1, {.http_status = 500});
  BOOST_TEST(!bench.out.clock_changed);
  bench.advance(23h);
  attempt(2, {.http_status = 500});
  BOOST_TEST(bench.out.clock_changed); // since when it fails is stored
  BOOST_TEST(!bench.out.disable_endpoint);
  attempt(3, good);
  BOOST_TEST(!bench.dispatch.failing_since().has_value());
  bench.advance(2h);
  attempt(4, {.http_status = 500});
  BOOST_TEST(!bench.out.disable_endpoint);
  bench.advance(24h);
  attempt(5, {.failure = attempt_reason::interrupted}); // says nothing about it
  BOOST_TEST(!bench.out.disable_endpoint);
  attempt(6, {.failure = attempt_reason::connect_refused});
  BOOST_TEST(bench.out.disable_endpoint);
  BOOST_TEST(bench.out.disable_reason == "failing");
  BOOST_TEST(!bench.dispatch.failing_since().has_value());
  BOOST_TEST(bench.out.clock_changed); // and that is stored: a restart must not remember it
  auto again = policy;
  again.active = true;
  bench.configure(again);
  attempt(7, {.http_status = 500}); // enabled again: its time begins anew
  BOOST_TEST(!bench.out.disable_endpoint);
}

BOOST_AUTO_TEST_CASE(time_spent_paused_is_no_time_of_failures) {
  auto policy = wide();
  policy.disable_after = 24h;
  dispatch_bench bench{policy};
  bench.ride(1);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, {.http_status = 500});
  auto paused = policy;
  paused.active = false;
  bench.configure(paused);
  bench.advance(48h);
  bench.configure(policy);
  bench.ride(2);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, {.http_status = 500});
  BOOST_TEST(!bench.out.disable_endpoint);
}

BOOST_AUTO_TEST_CASE(without_a_time_it_is_never_disabled_for_failing) {
  dispatch_bench bench{wide()};
  bench.ride(1);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, {.http_status = 500});
  bench.advance(24h * 1'000);
  bench.ride(2);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, {.http_status = 500});
  BOOST_TEST(!bench.out.disable_endpoint);
}

BOOST_AUTO_TEST_SUITE_END()
