#include "core/metrics.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>

using namespace postrider;

BOOST_AUTO_TEST_SUITE(metric_values)

BOOST_AUTO_TEST_CASE(counters_only_grow_and_gauges_go_both_ways) {
  counter count;
  count.add();
  count.add(41);
  BOOST_TEST(count.value() == 42U);
  gauge level;
  level.set(5);
  level.add(-7);
  BOOST_TEST(level.value() == -2);
}

BOOST_AUTO_TEST_CASE(histogram_counts_a_value_in_the_first_bucket_that_holds_it) {
  for (std::size_t i = 0; i < latency_histogram::bounds_us.size(); ++i) {
    latency_histogram histogram;
    histogram.observe(latency_histogram::bounds_us[i]);
    histogram.observe(latency_histogram::bounds_us[i] + 1);
    BOOST_TEST(histogram.bucket(i) == 1U);
    BOOST_TEST(histogram.bucket(i + 1) == 1U);
    BOOST_TEST(histogram.sum_us() == 2 * latency_histogram::bounds_us[i] + 1);
  }
  latency_histogram histogram;
  histogram.observe(0);
  histogram.observe(std::numeric_limits<std::uint64_t>::max());
  BOOST_TEST(histogram.bucket(0) == 1U);
  BOOST_TEST(histogram.bucket(latency_histogram::bounds_us.size()) == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
