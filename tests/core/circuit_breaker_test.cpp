#include "core/circuit_breaker.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace postrider;
using namespace std::chrono_literals;

namespace {

using state = breaker_state;
using input = breaker_input;

constexpr mono_time start{1'000h};

/// A breaker with its driver: knows the time, keeps the last step.
struct driven {
  breaker_policy policy{};
  breaker now_is{};
  mono_time now = start;
  double draw = 0.5; // in the middle: no jitter
  breaker_step last{};

  breaker_step give(input in, std::uint32_t epoch) {
    last = step(now_is, in, epoch, now, draw, policy);
    now_is = last.next;
    return last;
  }
  breaker_step give(input in) { return give(in, now_is.epoch); }
  void repeat(input in, int times) {
    for (int i = 0; i < times; ++i)
      give(in);
  }
  void wait(milliseconds time) { now += time; }
  /// Jumps to the wake-up that the breaker asked for, and sends it.
  breaker_step wake() {
    BOOST_REQUIRE(now_is.next_at.has_value());
    now = std::max(now, *now_is.next_at);
    return give(input::timer);
  }
};

/// Trips at the first failure, so that a test can get anywhere in few steps.
driven quick(std::uint32_t probes = 1) {
  return {.policy = {.failures = 1, .probes = probes}};
}

driven opened(std::uint32_t probes = 1) {
  auto out = quick(probes);
  out.give(input::failure);
  return out;
}

driven half_opened(std::uint32_t probes = 1) {
  auto out = opened(probes);
  out.wake();
  return out;
}

milliseconds cool_down_of(const driven& b) {
  BOOST_REQUIRE(b.last.wake_at.has_value());
  return std::chrono::duration_cast<milliseconds>(*b.last.wake_at - b.now);
}

} // namespace

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

BOOST_AUTO_TEST_CASE(half_open_admits_as_many_probes_as_asked_for_and_closes_after_their_successes) {
  auto b = half_opened(3);
  for (int i = 0; i < 3; ++i)
    BOOST_TEST(b.give(input::admit).admitted);
  BOOST_TEST(!b.give(input::admit).admitted);
  b.give(input::success);
  BOOST_TEST((b.now_is.state == state::half_open));
  BOOST_TEST(!b.give(input::admit).admitted, "one success and two running are enough");
  b.give(input::success);
  BOOST_TEST((b.now_is.state == state::half_open));
  b.give(input::success);
  BOOST_TEST((b.now_is.state == state::closed));
  BOOST_TEST(b.now_is.consecutive_failures == 0U);
  BOOST_TEST(!b.now_is.next_at);
}

BOOST_AUTO_TEST_CASE(first_failed_probe_opens_it_again_whatever_the_others_say) {
  auto b = half_opened(3);
  b.repeat(input::admit, 3);
  const auto epoch = b.now_is.epoch;
  b.give(input::success);
  b.give(input::failure);
  BOOST_TEST((b.now_is.state == state::open));
  b.give(input::success, epoch);
  BOOST_TEST((b.now_is.state == state::open));
  BOOST_TEST(b.now_is.epoch == epoch + 1);
}

BOOST_AUTO_TEST_CASE(probe_that_says_nothing_gives_its_place_back) {
  auto b = half_opened();
  BOOST_TEST(b.give(input::admit).admitted);
  BOOST_TEST(!b.give(input::admit).admitted);
  b.give(input::void_);
  BOOST_TEST((b.now_is.state == state::half_open));
  BOOST_TEST(b.give(input::admit).admitted);
}

BOOST_AUTO_TEST_CASE(probe_that_never_reports_opens_it_again) {
  auto b = half_opened();
  const auto admitted = b.give(input::admit);
  BOOST_TEST((admitted.wake_at == b.now + b.policy.probe_timeout));
  b.wake();
  BOOST_TEST((b.now_is.state == state::open));
  BOOST_TEST((cool_down_of(b) == 2s));
}

BOOST_AUTO_TEST_CASE(timer_of_a_probe_that_has_reported_does_not_hurt_the_next) {
  auto b = half_opened();
  b.give(input::admit);
  const auto first_deadline = *b.now_is.next_at;
  b.wait(10s);
  b.give(input::void_);
  BOOST_TEST(!b.now_is.next_at);
  b.give(input::admit);
  const auto second_deadline = *b.now_is.next_at;
  b.now = first_deadline;
  const auto out = b.give(input::timer);
  BOOST_TEST((out.next.state == state::half_open));
  BOOST_TEST((out.wake_at == second_deadline));
  b.give(input::void_);
  b.now = second_deadline;
  BOOST_TEST((b.give(input::timer).next.state == state::half_open), "nobody is out");
}

BOOST_AUTO_TEST_CASE(reports_of_probes_that_were_never_admitted_do_not_close_it) {
  auto b = half_opened();
  b.give(input::success);
  BOOST_TEST((b.now_is.state == state::half_open));
  BOOST_TEST(b.now_is.probes_running == 0U);
}

BOOST_AUTO_TEST_CASE(fewer_probes_in_a_changed_policy_leave_no_breaker_stuck) {
  auto b = half_opened(3);
  b.give(input::admit);
  b.give(input::success);
  b.policy.probes = 1;
  BOOST_TEST(b.give(input::admit).admitted);
  b.give(input::success);
  BOOST_TEST((b.now_is.state == state::closed));
}

BOOST_AUTO_TEST_CASE(reset_closes_and_forgets_from_every_state) {
  auto failing = driven{};
  failing.repeat(input::failure, 3);
  auto probing = half_opened();
  probing.give(input::admit);
  for (auto b : {failing, opened(), half_opened(), probing}) {
    const auto before = b.now_is;
    b.give(input::reset);
    BOOST_TEST((b.now_is.state == state::closed));
    BOOST_TEST(b.now_is.consecutive_failures == 0U);
    BOOST_TEST(b.now_is.opened_in_a_row == 0U);
    BOOST_TEST(b.now_is.probes_running == 0U);
    BOOST_TEST(!b.now_is.next_at);
    BOOST_TEST((b.now_is.window == breaker{}.window));
    BOOST_TEST(b.now_is.epoch == before.epoch + (before.state == state::closed ? 0 : 1));
  }
}

BOOST_AUTO_TEST_CASE(recovery_that_lasts_a_window_resets_the_cool_down_and_a_shorter_one_does_not) {
  for (const bool sustained : {false, true}) {
    auto b = half_opened();
    b.give(input::admit);
    b.give(input::failure); // second in a row: 2 s
    b.wake();
    b.give(input::admit);
    b.give(input::success);
    BOOST_TEST((b.now_is.state == state::closed));
    b.wait(sustained ? b.policy.window : b.policy.window - 1ms);
    b.give(input::failure);
    BOOST_TEST((b.now_is.state == state::open));
    BOOST_TEST((cool_down_of(b) == (sustained ? 1s : 4s)));
  }
}

BOOST_AUTO_TEST_CASE(old_failures_do_not_open_it_right_after_it_closed) {
  driven b{.policy = {.failures = 5, .min_requests = 5}};
  b.repeat(input::failure, 5);
  b.wake();
  b.give(input::admit);
  b.give(input::success);
  b.repeat(input::failure, 4);
  BOOST_TEST((b.now_is.state == state::closed));
}

BOOST_AUTO_TEST_CASE(words_are_the_contracts) {
  BOOST_TEST(to_string(state::closed) == "closed");
  BOOST_TEST(to_string(state::open) == "open");
  BOOST_TEST(to_string(state::half_open) == "half_open");
  BOOST_TEST(to_string(static_cast<state>(3)).empty());
}

BOOST_AUTO_TEST_SUITE_END()
