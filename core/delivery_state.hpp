#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace postrider {

/// The state of a delivery. The numbers are stored (`delivery.state`): never renumber.
enum class delivery_state : std::uint8_t {
  pending = 0,
  in_flight = 1,
  retry_wait = 2,
  succeeded = 3,
  dead = 4,
  cancelled = 5
};
inline constexpr std::size_t delivery_state_count = 6;

/// What can happen to a delivery.
enum class delivery_input : std::uint8_t {
  claim,     ///< an owner counted an attempt and is about to send it
  succeed,   ///< the endpoint answered 2xx
  fail,      ///< the attempt failed and another is due later
  give_up,   ///< the attempt failed for good, or the delivery cannot go on
  interrupt, ///< the attempt was cut short (crash, take-over, abort); advances no step of the schedule
  release,   ///< claimed, but no byte was sent: the attempt is uncounted again
  cancel,    ///< a person's or an erasure's wish; in flight the running attempt decides
  revive,    ///< retry or replay by a person: a new generation
};
inline constexpr std::size_t delivery_input_count = 8;

/// The next state, or nothing where the input is refused (a guard that did not hold). Total over states x inputs:
///
///              claim      succeed    fail        give_up  interrupt   release  cancel      revive
///   pending    in_flight  -          -           dead     -           -        cancelled   -
///   in_flight  -          succeeded  retry_wait  dead     retry_wait  pending  cancelled*  -
///   retry_wait in_flight  -          -           dead     -           -        cancelled   -
///   succeeded  -          -          -           -        -           -        -           pending
///   dead       -          -          -           -        -           -        -           pending
///   cancelled  -          -          -           -        -           -        -           pending
///
/// *: only as the end of an attempt whose delivery was asked to be cancelled and that did not succeed.
std::optional<delivery_state> next_state(delivery_state from, delivery_input input) noexcept;

constexpr bool is_final(delivery_state state) noexcept {
  return state >= delivery_state::succeeded;
}

/// The word of api.md: `pending`, `in_flight`, …
std::string_view to_string(delivery_state state) noexcept;
std::optional<delivery_state> parse_delivery_state(std::string_view word) noexcept;

/// Why a delivery is `dead` or `cancelled`. Stored as numbers: never renumber.
enum class delivery_reason : std::uint8_t {
  none = 0,
  exhausted = 1,
  endpoint_gone = 2,
  aborted_by_receiver = 3,
  endpoint_deleted = 4,
  expired = 5,
  quarantined = 6,
  cancelled_by_user = 7,
  erased = 8,
  tenant_deleted = 9,
};
inline constexpr std::size_t delivery_reason_count = 10;
/// The word of api.md; empty for `none`.
std::string_view to_string(delivery_reason reason) noexcept;

} // namespace postrider
