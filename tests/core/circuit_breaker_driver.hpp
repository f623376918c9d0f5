#pragma once

#include "core/circuit_breaker.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

namespace postrider::test::breakers {

using state = breaker_state;
using input = breaker_input;

inline constexpr mono_time start{std::chrono::hours{1'000}};

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
inline driven quick(std::uint32_t probes = 1) {
  return {.policy = {.failures = 1, .probes = probes}};
}

inline driven opened(std::uint32_t probes = 1) {
  auto out = quick(probes);
  out.give(input::failure);
  return out;
}

inline driven half_opened(std::uint32_t probes = 1) {
  auto out = opened(probes);
  out.wake();
  return out;
}

inline milliseconds cool_down_of(const driven& b) {
  BOOST_REQUIRE(b.last.wake_at.has_value());
  return std::chrono::duration_cast<milliseconds>(*b.last.wake_at - b.now);
}

} // namespace postrider::test::breakers
