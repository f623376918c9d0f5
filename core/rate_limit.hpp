#pragma once

#include "core/time.hpp"

#include <cstdint>
#include <optional>

namespace postrider {

/// How much of something may happen: `per_second` in the long run, and at most `burst` at once after a rest. Units are
/// the caller's (requests, bytes).
struct rate_limit {
  double per_second = 1; ///< finite, > 0
  double burst = 1;      ///< finite, >= 1

  friend bool operator==(const rate_limit&, const rate_limit&) = default;
};

/// One second's worth of burst, and at least one unit: a rate below one a second still lets one through at a time.
rate_limit rate_of(double per_second) noexcept;

/// A token bucket: plain, copyable. It keeps what is owed, not what is there: `owed` at `at`, paid back by `per_second`
/// since, never below nothing. A new bucket owes nothing, so it is full. What is refused changes nothing, so that
/// asking often costs no precision, and each rest that fills the bucket forgets the rounding of before.
///
/// | owed at `now`                    | `take` of a cost                                                      |
/// | -------------------------------- | --------------------------------------------------------------------- |
/// | nothing (full)                   | admitted, also above `burst`, or it would wait for ever: the bucket   |
/// |                                  | then owes more than `burst`, and whoever comes next waits for that    |
/// | owed + cost <= burst             | admitted                                                              |
/// | owed + cost > burst              | refused until so much is paid back, at the latest until it is full    |
///
/// So in any window W no more is admitted than `per_second` x W + `burst`, and at most one cost above `burst` on top.
/// A `now` before `at` pays back nothing (the clock went back): no time is ever counted twice.
struct token_bucket {
  double owed = 0;
  mono_time at{};

  friend bool operator==(const token_bucket&, const token_bucket&) = default;
};

struct rate_step {
  token_bucket next;
  /// Nothing: admitted. Else after `now`, at most `rate_wait_max` away: whoever takes the same then, with nobody in
  /// between, is admitted (or, if the wait was cut to that length, is told again how long).
  std::optional<mono_time> wait_until{};

  [[nodiscard]] bool admitted() const noexcept { return !wait_until; }
};

/// No wait is longer than that, whatever the rate: times do not overflow.
constexpr std::chrono::hours rate_wait_max{24};

rate_step take(const token_bucket& bucket, std::uint64_t cost, mono_time now, const rate_limit& limit) noexcept;

/// What was taken and not used (another limit refused, nothing was sent). More than is owed fills the bucket.
token_bucket give_back(const token_bucket& bucket, std::uint64_t cost, mono_time now, const rate_limit& limit) noexcept;

/// What is left at `now`: from `burst` down, below zero after a cost above `burst`. To be shown, and to know how many
/// units fit.
double tokens_left(const token_bucket& bucket, mono_time now, const rate_limit& limit) noexcept;

} // namespace postrider
