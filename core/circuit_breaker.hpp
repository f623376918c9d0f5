#pragma once

#include "core/time.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace postrider {

/// Stored as numbers (`endpoint_runtime.breaker_state`): never renumber.
enum class breaker_state : std::uint8_t { closed = 0, open = 1, half_open = 2 };
inline constexpr std::size_t breaker_state_count = 3;
std::string_view to_string(breaker_state state) noexcept;

enum class breaker_input : std::uint8_t {
  admit,   ///< may one attempt start now?
  success, ///< an admitted attempt succeeded
  failure, ///< an admitted attempt failed and counts
  void_,   ///< an admitted attempt ended without saying anything about the endpoint (interrupted, released)
  timer,   ///< the wake-up asked for has come
  reset,   ///< an operator closes it
};
inline constexpr std::size_t breaker_input_count = 6;

/// Fields and defaults of api.md's `breaker`.
struct breaker_policy {
  std::uint32_t failures = 10;     ///< consecutive failures that open it, >= 1
  double failure_rate = 0.5;       ///< (0, 1]; opens when reached over the window …
  std::uint32_t min_requests = 20; ///< … with at least so many requests in it
  milliseconds window{60'000};     ///< sliding, in 10 slices
  milliseconds cool_down{1'000};   ///< the first; doubles on each failed probe
  milliseconds cool_down_max{60'000};
  double jitter = 0.25;               ///< cool-down x uniform(1 - j, 1 + j)
  std::uint32_t probes = 1;           ///< admitted at once while half open; closes after so many successes
  milliseconds probe_timeout{65'000}; ///< a probe not reported by then counts as failed

  friend bool operator==(const breaker_policy&, const breaker_policy&) = default;
};

/// The whole state: plain, copyable, inspectable, storable.
struct breaker {
  breaker_state state = breaker_state::closed;
  std::uint32_t epoch = 0;                ///< +1 on every change of state; late reports and old timers carry another
  std::uint32_t consecutive_failures = 0; ///< while closed
  std::uint32_t opened_in_a_row = 0;      ///< exponent of the cool-down; 0 after a sustained recovery
  std::uint32_t probes_running = 0;       ///< while half open
  std::uint32_t probes_succeeded = 0;     ///< while half open
  std::optional<mono_time> next_at{}; ///< open: when probes start; half open: when an unreported probe counts as failed
                                      ///< (of the last one admitted)
  std::optional<mono_time> closed_since{}; ///< for "sustained recovery": one full window closed resets the exponent
  struct slice {
    std::uint32_t successes = 0;
    std::uint32_t failures = 0;
    friend bool operator==(const slice&, const slice&) = default;
  };
  std::array<slice, 10> window{}; ///< ring of window/10 each
  std::int64_t window_index = 0;  ///< absolute index of the newest slice

  friend bool operator==(const breaker&, const breaker&) = default;
};

/// What is kept of a breaker in the database, on its clock.
struct stored_breaker {
  breaker_state state = breaker_state::closed;
  std::uint32_t opened_in_a_row = 0;
  wall_time since{};                        ///< when it entered the state
  std::optional<wall_time> next_probe_at{}; ///< open: when probes start
};
/// The breaker as it goes on after a restart. Open stays open until its stored probe time; half open is open with a
/// probe due (what was admitted is lost); closed goes on counting its recovery. Times that lie wrong (a clock that was
/// set) are taken as now.
breaker restored_breaker(const stored_breaker& stored, mono_time now, wall_time wall) noexcept;

struct breaker_step {
  breaker next{};
  bool admitted = false;              ///< answer to `admit`; tag the attempt with `next.epoch`
  bool changed = false;               ///< the state changed: persist it
  std::optional<mono_time> wake_at{}; ///< send `timer` with next.epoch at this time
};

/// Total table, guards in the implementation:
///
///              admit        success            failure          void_        timer        reset
///   closed     closed +     closed             closed|open      closed       closed       closed
///   open       open -       open               open             open         half_open    closed
///   half_open  half_open ±  half_open|closed   open             half_open    half_open|open closed
///
/// `epoch` is that of the input's birth; success, failure, void_ and timer of another epoch change nothing (`admit` and
/// `reset` are born now). `draw` in [0, 1) jitters the cool-down. A half-open timer means an unreported probe: it opens
/// again.
breaker_step step(const breaker& current, breaker_input input, std::uint32_t epoch, mono_time now, double draw,
                  const breaker_policy& policy) noexcept;

} // namespace postrider
