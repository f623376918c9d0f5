#include "core/restart_budget.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace std::chrono_literals;

namespace {

constexpr mono_time start{1'000h};

} // namespace

BOOST_AUTO_TEST_SUITE(restart_budgets)

BOOST_AUTO_TEST_CASE(crashes_close_together_wait_longer_each_and_end_in_quarantine) {
  const restart_policy policy{.crashes_max = 5, .window = 60s, .delay_first = 100ms, .delay_max = 1s};
  restart_budget budget;
  for (const auto expected : {100ms, 200ms, 400ms, 800ms, 1'000ms}) {
    const auto out = on_crash(budget, start, policy);
    BOOST_TEST(!out.quarantined);
    BOOST_TEST((out.restart_after == expected));
    budget = out.next;
  }
  for (int i = 0; i < 100; ++i) {
    const auto out = on_crash(budget, start + milliseconds{i}, policy);
    BOOST_TEST(out.quarantined);
    BOOST_TEST((out.restart_after == policy.quarantine));
    BOOST_TEST(out.next.crashes.size() == 6U, "memory stays bounded");
    budget = out.next;
  }
  BOOST_TEST(budget.total == 105U);
}

BOOST_AUTO_TEST_CASE(crashes_that_left_the_window_are_forgotten) {
  const restart_policy policy{.crashes_max = 2, .window = 60s};
  restart_budget budget;
  budget = on_crash(budget, start, policy).next;
  budget = on_crash(budget, start + 30s, policy).next;
  BOOST_TEST(on_crash(budget, start + 59'999ms, policy).quarantined);
  const auto later = on_crash(budget, start + 60s, policy); // the first is a window old
  BOOST_TEST((later.restart_after == 200ms));
  BOOST_TEST(later.next.crashes.size() == 2U);
  BOOST_TEST(later.next.total == 3U);
  BOOST_TEST((on_crash(budget, start + 24h, policy).restart_after == 100ms));
}

BOOST_AUTO_TEST_CASE(child_that_crashes_now_and_then_is_restarted_for_ever) {
  restart_budget budget;
  for (int i = 0; i < 1'000; ++i) {
    const auto out = on_crash(budget, start + i * 20s, {});
    BOOST_REQUIRE(!out.quarantined);
    BOOST_REQUIRE(out.next.crashes.size() <= 3U);
    budget = out.next;
  }
}

BOOST_AUTO_TEST_CASE(quarantine_ends_by_itself_and_a_relapse_is_the_next_one_at_once) {
  const restart_policy policy{.crashes_max = 1, .window = 60s, .quarantine = 300s};
  auto budget = on_crash({}, start, policy).next;
  const auto first = on_crash(budget, start + 1s, policy);
  BOOST_TEST(first.quarantined);
  const auto released = start + 1s + first.restart_after;
  const auto relapse = on_crash(first.next, released + 59s, policy);
  BOOST_TEST(relapse.quarantined);
  BOOST_TEST((relapse.restart_after == 300s));
  const auto recovered = on_crash(first.next, released + 60s, policy);
  BOOST_TEST(!recovered.quarantined);
  BOOST_TEST((recovered.restart_after == policy.delay_first));
}

BOOST_AUTO_TEST_CASE(no_budget_means_quarantine_at_the_first_crash) {
  const auto out = on_crash({}, start, {.crashes_max = 0});
  BOOST_TEST(out.quarantined);
  BOOST_TEST(out.next.crashes.size() == 1U);
}

BOOST_AUTO_TEST_CASE(delay_grows_to_its_cap_without_overflow) {
  const restart_policy policy{
    .crashes_max = 1'000, .window = 1h, .delay_first = 1ms, .delay_max = milliseconds::max() / 2};
  restart_budget budget;
  milliseconds before{};
  for (int i = 0; i < 1'000; ++i) {
    const auto out = on_crash(budget, start, policy);
    BOOST_REQUIRE((out.restart_after >= before && out.restart_after <= policy.delay_max));
    before = out.restart_after;
    budget = out.next;
  }
  BOOST_TEST((before == policy.delay_max));
}

BOOST_AUTO_TEST_SUITE_END()
