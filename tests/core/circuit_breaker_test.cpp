#include "tests/core/circuit_breaker_driver.hpp"

#include <boost/test/unit_test.hpp>

#include <array>

using namespace postrider;
using namespace postrider::test::breakers;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(circuit_breakers)

BOOST_AUTO_TEST_CASE(every_cell_of_the_table_is_as_documented) {
  struct cell {
    driven from;
    input in;
    state to;
    bool admitted;
  };
  // Guards hold: one failure trips, the cool-down is over, a probe is running and overdue.
  auto due = opened();
  due.now = *due.now_is.next_at;
  auto probing = half_opened();
  probing.give(input::admit);
  probing.wait(probing.policy.probe_timeout);
  const std::array<cell, breaker_state_count * breaker_input_count> cells{{
    {quick(), input::admit, state::closed, true},
    {quick(), input::success, state::closed, false},
    {quick(), input::failure, state::open, false},
    {quick(), input::void_, state::closed, false},
    {quick(), input::timer, state::closed, false},
    {quick(), input::reset, state::closed, false},
    {due, input::admit, state::open, false},
    {due, input::success, state::open, false},
    {due, input::failure, state::open, false},
    {due, input::void_, state::open, false},
    {due, input::timer, state::half_open, false},
    {due, input::reset, state::closed, false},
    {half_opened(), input::admit, state::half_open, true},
    {probing, input::success, state::closed, false},
    {probing, input::failure, state::open, false},
    {probing, input::void_, state::half_open, false},
    {probing, input::timer, state::open, false},
    {probing, input::reset, state::closed, false},
  }};
  for (auto [from, in, to, admitted] : cells)
    BOOST_TEST_CONTEXT(to_string(from.now_is.state) << " + input " << static_cast<int>(in)) {
      const auto before = from.now_is;
      const auto out = from.give(in);
      BOOST_TEST(to_string(out.next.state) == to_string(to));
      BOOST_TEST(out.admitted == admitted);
      BOOST_TEST(out.changed == (before.state != to));
      BOOST_TEST(out.next.epoch == before.epoch + (before.state != to ? 1 : 0));
    }
}

BOOST_AUTO_TEST_CASE(late_replies_and_old_timers_change_nothing) {
  auto probing = half_opened(2);
  probing.give(input::admit);
  for (auto b : {quick(), opened(), probing}) {
    b.now_is.epoch = 7;
    b.wait(1h);
    for (const auto in : {input::success, input::failure, input::void_, input::timer})
      for (const std::uint32_t epoch : {0U, 6U, 8U, 0xffffffffU}) {
        const auto out = step(b.now_is, in, epoch, b.now, b.draw, b.policy);
        BOOST_TEST((out.next == b.now_is));
        BOOST_TEST((!out.admitted && !out.changed && !out.wake_at));
      }
  }
}

BOOST_AUTO_TEST_CASE(admit_and_reset_are_born_now_whatever_epoch_they_carry) {
  auto b = quick();
  BOOST_TEST(b.give(input::admit, 99U).admitted);
  auto c = opened();
  BOOST_TEST((c.give(input::reset, 99U).next.state == state::closed));
}

BOOST_AUTO_TEST_CASE(consecutive_failures_open_it_and_a_success_starts_the_count_again) {
  driven b{.policy = {.failures = 3, .min_requests = 1'000}};
  b.repeat(input::failure, 2);
  b.give(input::success);
  b.repeat(input::failure, 2);
  BOOST_TEST((b.now_is.state == state::closed));
  b.give(input::void_);
  BOOST_TEST(b.now_is.consecutive_failures == 2U, "what says nothing counts for nothing");
  b.give(input::failure);
  BOOST_TEST((b.now_is.state == state::open));
  BOOST_TEST(b.last.changed);
}

BOOST_AUTO_TEST_CASE(failure_rate_opens_it_only_with_enough_requests) {
  driven b{.policy = {.failures = 1'000, .failure_rate = 0.5, .min_requests = 20}};
  for (int i = 0; i < 9; ++i) {
    b.give(input::failure);
    b.give(input::success);
  }
  b.give(input::failure); // 10 of 19
  BOOST_TEST((b.now_is.state == state::closed));
  b.give(input::success); // 10 of 20, but a success opens nothing
  BOOST_TEST((b.now_is.state == state::closed));
  b.give(input::failure); // 11 of 21
  BOOST_TEST((b.now_is.state == state::open));
}

BOOST_AUTO_TEST_CASE(failure_rate_below_the_threshold_keeps_it_closed) {
  driven b{.policy = {.failures = 1'000, .failure_rate = 0.5, .min_requests = 20}};
  for (int i = 0; i < 10'000; ++i) { // one of three fails
    b.give(i % 3 == 0 ? input::failure : input::success);
    b.wait(1ms);
  }
  BOOST_TEST((b.now_is.state == state::closed));
}

BOOST_AUTO_TEST_CASE(what_has_left_the_window_counts_no_more) {
  const breaker_policy policy{.failures = 1'000, .failure_rate = 0.5, .min_requests = 20, .window = 60s};
  driven b{.policy = policy};
  b.repeat(input::failure, 19);
  b.wait(60s);
  b.repeat(input::failure, 19);
  BOOST_TEST((b.now_is.state == state::closed));
  b.give(input::failure);
  BOOST_TEST((b.now_is.state == state::open));
  driven c{.policy = policy};
  c.repeat(input::failure, 19);
  c.wait(53s); // less than nine slices: still there
  c.give(input::failure);
  BOOST_TEST((c.now_is.state == state::open));
}

BOOST_AUTO_TEST_CASE(window_slides_slice_by_slice) {
  driven b{.policy = {.failures = 1'000, .failure_rate = 1.0, .min_requests = 1'000'000, .window = 60s}};
  const auto counted = [&b] {
    std::uint32_t sum = 0;
    for (const auto& slice : b.now_is.window)
      sum += slice.failures;
    return sum;
  };
  for (std::uint32_t i = 1; i <= 10; ++i) {
    b.give(input::failure);
    BOOST_TEST(counted() == i);
    b.wait(6s);
  }
  for (int i = 0; i < 20; ++i) { // from here on each new slice pushes the oldest out
    b.give(input::failure);
    BOOST_TEST(counted() == 10U);
    b.wait(6s);
  }
  b.wait(1'000h);
  b.give(input::failure);
  BOOST_TEST(counted() == 1U);
}

BOOST_AUTO_TEST_CASE(another_window_width_or_clock_starts_the_window_afresh) {
  driven b{.policy = {.failures = 1'000, .failure_rate = 1.0, .min_requests = 20, .window = 1s}};
  b.repeat(input::failure, 19);
  b.policy.window = 60s; // slices are numbered anew: far smaller numbers
  b.give(input::failure);
  BOOST_TEST((b.now_is.state == state::closed));
  b.now = mono_time{-5s};
  b.repeat(input::failure, 19);
  BOOST_TEST((b.now_is.state == state::closed));
  b.give(input::failure);
  BOOST_TEST((b.now_is.state == state::open));
}

BOOST_AUTO_TEST_CASE(cool_down_doubles_with_each_failed_probe_up_to_the_cap) {
  auto b = opened();
  BOOST_TEST((cool_down_of(b) == 1s));
  for (const auto expected : {2s, 4s, 8s, 16s, 32s, 60s, 60s, 60s}) {
    b.wake();
    b.give(input::admit);
    b.give(input::failure);
    BOOST_TEST((b.now_is.state == state::open));
    BOOST_TEST((cool_down_of(b) == expected));
  }
  for (int i = 0; i < 200; ++i) { // far beyond any shift of 64 bits
    b.wake();
    b.give(input::admit);
    b.give(input::failure);
  }
  BOOST_TEST((cool_down_of(b) == 60s));
}

BOOST_AUTO_TEST_CASE(cool_down_is_jittered_within_its_bounds) {
  for (const double jitter : {0.0, 0.25, 1.0})
    for (const double draw : {0.0, 0.3, 0.5, 0.999999}) {
      auto b = quick();
      b.policy.jitter = jitter;
      b.draw = draw;
      b.give(input::failure);
      const auto expected = 1'000 * (1 - jitter + 2 * jitter * draw);
      BOOST_TEST(std::abs(static_cast<double>(cool_down_of(b).count()) - expected) <= 1.0);
    }
}

BOOST_AUTO_TEST_CASE(cool_down_without_bounds_does_not_overflow) {
  auto b = quick();
  b.policy.cool_down = milliseconds::max();
  b.policy.cool_down_max = milliseconds::max();
  b.draw = 0.999;
  b.give(input::failure);
  BOOST_TEST((*b.last.wake_at > b.now));
}

BOOST_AUTO_TEST_CASE(timer_before_its_time_is_asked_for_again) {
  auto b = opened();
  const auto due = *b.now_is.next_at;
  b.wait(999ms);
  const auto early = b.give(input::timer);
  BOOST_TEST((early.next.state == state::open));
  BOOST_TEST((early.wake_at == due));
  b.wait(1ms);
  BOOST_TEST((b.give(input::timer).next.state == state::half_open));
}

BOOST_AUTO_TEST_SUITE_END()
