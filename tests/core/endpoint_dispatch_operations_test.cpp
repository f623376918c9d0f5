#include "tests/support/dispatch_bench.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace postrider::test;
using namespace std::chrono_literals;

namespace {

dispatch_policy one_at_a_time() {
  dispatch_policy policy;
  policy.max_in_flight = 1;
  return policy;
}

} // namespace

BOOST_AUTO_TEST_SUITE(endpoint_dispatch_operations)

BOOST_AUTO_TEST_CASE(what_is_withdrawn_while_it_waits_for_its_turn_is_released_and_never_sent) {
  dispatch_bench bench{one_at_a_time()};
  bench.ride(1, 3);
  const auto first = bench.out.starts.at(0);
  bench.withdraw({dispatch_bench::id(2)});
  BOOST_REQUIRE(bench.out.writes.size() == 1U);
  BOOST_TEST((bench.out.writes[0].delivery == dispatch_bench::id(2)));
  BOOST_TEST(bench.out.writes[0].uncount);
  BOOST_TEST(bench.dispatch.records(dispatch_bench::id(2)));
  bench.finish(first, dispatch_bench::good);
  BOOST_REQUIRE(bench.out.starts.size() == 1U);
  BOOST_TEST((bench.out.starts[0].delivery == dispatch_bench::id(3)));
  bench.record(dispatch_bench::id(2), false, recorded_write::row{delivery_state::cancelled, dispatch_bench::fence_});
  BOOST_TEST(!bench.dispatch.knows(dispatch_bench::id(2)));
  BOOST_TEST(!bench.dispatch.next_due().has_value());
}

BOOST_AUTO_TEST_CASE(what_is_withdrawn_while_it_is_sent_goes_on_to_its_outcome) {
  dispatch_bench bench;
  bench.ride(1);
  const auto started = bench.out.starts.at(0);
  bench.withdraw({dispatch_bench::id(1)});
  BOOST_TEST(bench.out.writes.empty());
  bench.finish(started, dispatch_bench::good);
  BOOST_REQUIRE(bench.out.writes.size() == 1U);
  BOOST_TEST((bench.out.writes[0].to == delivery_state::succeeded));
}

BOOST_AUTO_TEST_CASE(what_was_on_its_way_here_when_it_was_withdrawn_is_not_sent_but_its_next_attempt_is) {
  dispatch_bench bench;
  bench.withdraw({dispatch_bench::id(1), dispatch_bench::id(5)});
  bench.ride(1, 2); // committed before the wish
  BOOST_REQUIRE(bench.out.starts.size() == 1U);
  BOOST_TEST((bench.out.starts[0].delivery == dispatch_bench::id(2)));
  BOOST_REQUIRE(bench.out.writes.size() == 1U);
  BOOST_TEST(bench.out.writes[0].uncount);
  bench.due();
  BOOST_REQUIRE(bench.out.wanted_claim.has_value());
  bench.brings(5, 2); // claimed before the wish
  BOOST_REQUIRE(bench.out.starts.size() == 1U);
  BOOST_TEST((bench.out.starts[0].delivery == dispatch_bench::id(6)));
  BOOST_REQUIRE(bench.out.writes.size() == 1U);
  BOOST_TEST(bench.out.writes[0].claimed_until.has_value());
  bench.record(dispatch_bench::id(5), false, recorded_write::row{delivery_state::cancelled, dispatch_bench::fence_});
  bench.due();
  bench.brings(5, 1, {}, 3); // somebody has retried it since
  BOOST_REQUIRE(bench.out.starts.size() == 1U);
  BOOST_TEST((bench.out.starts[0].delivery == dispatch_bench::id(5)));
}

BOOST_AUTO_TEST_CASE(a_withdrawal_is_forgotten_in_time) {
  dispatch_bench bench;
  bench.withdraw({dispatch_bench::id(1)});
  bench.advance(endpoint_dispatch::withdrawn_lasts);
  bench.ride(1);
  BOOST_TEST(bench.out.starts.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_breaker_that_is_reset_lets_what_waits_through_at_once) {
  dispatch_policy policy;
  policy.breaker.failures = 1;
  dispatch_bench bench{policy};
  bench.ride(1);
  bench.finish(dispatch_effects::start{bench.out.starts.at(0)}, dispatch_bench::bad);
  BOOST_REQUIRE((bench.dispatch.gate().state == breaker_state::open));
  bench.due();
  BOOST_TEST(!bench.out.wanted_claim.has_value());
  bench.reset_breaker();
  BOOST_TEST((bench.dispatch.gate().state == breaker_state::closed));
  BOOST_TEST(bench.out.breaker_changed);
  BOOST_TEST(bench.out.breaker_cause == "reset_by_operator");
  BOOST_TEST(bench.out.wanted_claim.has_value());
  bench.reset_breaker();
  BOOST_TEST(!bench.out.breaker_changed);
}

BOOST_AUTO_TEST_SUITE_END()
