#pragma once

#include "core/time.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace postrider {

/// When a failed delivery is tried again. Either a list of delays or base x factor^n, capped.
struct retry_policy {
  std::vector<milliseconds> schedule; ///< n delays: n + 1 attempts; empty: exponential
  milliseconds base{5'000};           ///< exponential: first delay, >= 1 ms
  double factor = 2.0;                ///< exponential: >= 1
  milliseconds delay_max{3'600'000};  ///< exponential: cap of a step
  std::uint32_t attempts_max = 14;    ///< exponential: counts the first attempt, >= 1
  double jitter = 0.25;               ///< j in [0, 1]: each delay x uniform(1 - j, 1 + j)

  friend bool operator==(const retry_policy&, const retry_policy&) = default;
};

/// 5 s, 30 s, 2 min, 10 min, 30 min, 1 h, 2 h, 4 h, 8 h, 12 h, 14 h, 14 h, 14 h: about three days.
retry_policy default_retry_policy();

/// The number of attempts a generation may use up (interrupted ones are not counted).
std::uint32_t attempts_allowed(const retry_policy& policy) noexcept;

/// The step's delay before jitter; nothing when the schedule is over. `step` counts failed attempts of this generation,
/// from 1 (0, when all so far were interrupted, is taken as 1).
std::optional<milliseconds> step_delay(const retry_policy& policy, std::uint32_t step) noexcept;

/// How long to wait after the `step`th failure, or nothing: exhausted. Jitter is a pure function of (`seed`, `step`),
/// so that a stored seed explains and replays it. `retry_after` is clamped to [the step's own delay, with its jitter;
/// the schedule's greatest or `delay_max`, at most 24 h].
std::optional<milliseconds> backoff_delay(const retry_policy& policy, std::uint32_t step, std::uint32_t seed,
                                          std::optional<milliseconds> retry_after) noexcept;

/// SplitMix64 over (seed, step), as a double in [0, 1).
double jitter_draw(std::uint32_t seed, std::uint32_t step) noexcept;

} // namespace postrider
