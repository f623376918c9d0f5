#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

/// Lanes: the queues of one endpoint that share its capacity by weight (docs/decisions/0013-fairness.md).
namespace postrider {

/// How much a tenant wants of an endpoint, or of a published event, against its own others.
enum class delivery_priority : std::uint8_t { high, medium, low };

/// Its share against the tenant's other endpoints: 4, 2, 1.
[[nodiscard]] constexpr std::uint32_t weight_of(delivery_priority priority) noexcept {
  return 4U >> static_cast<unsigned>(priority);
}
[[nodiscard]] std::string_view to_string(delivery_priority priority) noexcept;
/// Nothing: no such word.
[[nodiscard]] std::optional<delivery_priority> parse_delivery_priority(std::string_view word) noexcept;

/// `delivery.lane`, by number. A delivery is in one lane at a time:
///
/// | lane     | weight | enters by | leaves by |
/// | --- | --- | --- | --- |
/// | live_…   | 8 4 2 | accepted: the endpoint's priority, or the published event's own | a failed attempt → retry; a
/// person → replay | | retry    | 4 | a failed attempt of a live one | a person → replay | | replay   | 1 | a person's
/// retry, replay, or job; it stays there when it fails | – | | in_order | 4 | what has a place in an endpoint's order,
/// always (core/order_book.hpp) | – |
///
/// What was released, or cut short by a crash, stays where it was.
enum class delivery_lane : std::uint8_t { live_high, live_medium, live_low, retry, replay, in_order };
inline constexpr std::size_t lane_count = 6;
template <class T>
using by_lane = std::array<T, lane_count>;
inline constexpr by_lane<delivery_lane> all_lanes{delivery_lane::live_high, delivery_lane::live_medium,
                                                  delivery_lane::live_low,  delivery_lane::retry,
                                                  delivery_lane::replay,    delivery_lane::in_order};
/// Of what is sent while all lanes have something, lane by lane.
inline constexpr by_lane<std::uint32_t> lane_weights{8, 4, 2, 4, 1, 4};

[[nodiscard]] constexpr std::size_t index_of(delivery_lane lane) noexcept {
  return static_cast<std::size_t>(lane);
}
[[nodiscard]] constexpr bool is_live(delivery_lane lane) noexcept {
  return lane < delivery_lane::retry || lane == delivery_lane::in_order;
}
[[nodiscard]] constexpr delivery_lane live_lane(delivery_priority priority) noexcept {
  return static_cast<delivery_lane>(priority);
}
[[nodiscard]] constexpr delivery_lane lane_after_failure(delivery_lane lane) noexcept {
  return lane >= delivery_lane::replay ? lane : delivery_lane::retry;
}
[[nodiscard]] std::string_view to_string(delivery_lane lane) noexcept;

} // namespace postrider
