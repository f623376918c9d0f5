#pragma once

#include "core/time.hpp"

#include <cstdint>
#include <optional>

/// How fast an endpoint is served: its adaptive window (how many requests at once) and a hold. Pure.
namespace postrider {

// clang-format off
/// The window follows what the endpoint bears: additive increase, multiplicative decrease (Chiu and Jain 1989), with
/// the slow start and the one decrease per round trip of TCP (RFC 5681).
///
/// | input                                              | window               | threshold  | held until |
/// | -------------------------------------------------- | -------------------- | ---------- | ---------- |
/// | succeeded, window used up, below the threshold     | + 1 (doubles a trip) |            |            |
/// | succeeded, window used up, at or above it          | + 1/window           |            |            |
/// | succeeded, there was room                          |                      |            |            |
/// | slowed (429, 502, 503, 504, time-out), sent since the last decrease | half, at least 1 | the same | its `Retry-After` |
/// | slowed, sent before that                           |                      |            | its `Retry-After`, if later |
/// | reopened (the breaker closed)                      | 1                    | half, at least 2 | nothing |
///
/// A window that reaches `most` is forgotten: it is then simply as wide as the configuration says.
// clang-format on
struct endpoint_clock {
  std::optional<double> window{};        ///< in [1, most); nothing: `most`
  double threshold = 0;                  ///< below it the window doubles
  std::optional<mono_time> slowed_at{};  ///< the last decrease
  std::optional<mono_time> held_until{}; ///< nothing is sent before

  friend bool operator==(const endpoint_clock&, const endpoint_clock&) = default;
};

/// A `Retry-After` holds the whole endpoint for no longer than that; the delivery it was said of waits for all of it.
constexpr milliseconds endpoint_hold_max{60'000};

/// `used_up`: as many requests ran as the window allows.
endpoint_clock succeeded(const endpoint_clock& clock, bool used_up, std::uint32_t most) noexcept;
endpoint_clock slowed(const endpoint_clock& clock, mono_time sent_at, mono_time now,
                      std::optional<milliseconds> retry_after, std::uint32_t most) noexcept;
endpoint_clock reopened(const endpoint_clock& clock, std::uint32_t most) noexcept;

/// Requests at once, 1 to `most`.
std::uint32_t window_of(const endpoint_clock& clock, std::uint32_t most) noexcept;
constexpr bool is_held(const endpoint_clock& clock, mono_time now) noexcept {
  return clock.held_until && now < *clock.held_until;
}

/// What is kept of it in the database, on its clock.
struct stored_endpoint_clock {
  std::optional<double> window{};
  double threshold = 0;
  std::optional<wall_time> held_until{};

  friend bool operator==(const stored_endpoint_clock&, const stored_endpoint_clock&) = default;
};
stored_endpoint_clock to_store(const endpoint_clock& clock, mono_time now, wall_time wall) noexcept;
/// As it goes on after a restart. A hold that lies further ahead than `endpoint_hold_max` is cut to that (a clock that
/// was set); a window of other bounds is brought into them.
endpoint_clock restored_clock(const stored_endpoint_clock& stored, mono_time now, wall_time wall) noexcept;

} // namespace postrider
