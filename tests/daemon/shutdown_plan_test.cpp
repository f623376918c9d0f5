#include "daemon/shutdown_plan.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(daemon_shutdown_plan)

BOOST_AUTO_TEST_CASE(all_steps_share_one_deadline) {
  const mono_time start{1h};
  const shutdown_plan plan{start, 2s, 20s};
  BOOST_TEST((plan.to_linger(start) == 2s));
  BOOST_TEST((plan.to_linger(start + 3s) == 0s));
  BOOST_TEST((plan.to_finish(start + 2s) == 18s));
  BOOST_TEST((plan.to_finish(start + 21s) == 0s));
  BOOST_TEST((plan.to_end(start + 20s) == 2s)); // kept for the outcomes
  BOOST_TEST((plan.to_end(start + 30s) == 0s));
}

BOOST_AUTO_TEST_CASE(without_patience_nothing_waits) {
  const mono_time start{};
  const shutdown_plan plan{start, 0s, 0s};
  BOOST_TEST((plan.to_linger(start) == 0s));
  BOOST_TEST((plan.to_finish(start) == 0s));
  BOOST_TEST((plan.to_end(start) == 0s));
}

BOOST_AUTO_TEST_CASE(a_short_drain_keeps_a_tenth_for_the_outcomes) {
  const mono_time start{};
  const shutdown_plan plan{start, 0s, 1s};
  BOOST_TEST((plan.to_finish(start) == 900ms));
}

BOOST_AUTO_TEST_SUITE_END()
