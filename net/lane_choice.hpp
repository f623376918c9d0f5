#pragma once

#include "core/ids.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace postrider {

/// Which io threads serve an endpoint: as many as it may have requests in flight, at most all, beginning with one that
/// depends on its number. So a hot endpoint uses every core, and one that takes one request at a time keeps to one
/// thread and one connection.
struct lane_choice {
  std::size_t threads = 1; ///< io threads in all, >= 1
  std::size_t first = 0;
  std::size_t used = 1; ///< threads that serve this endpoint
  std::uint32_t max_in_flight = 1;

  lane_choice(endpoint_no endpoint, std::uint32_t most, std::size_t all) noexcept
      : threads(all)
      , first(static_cast<std::size_t>((static_cast<std::uint64_t>(endpoint) * 0x9e3779b97f4a7c15ULL) >> 32) % all)
      , used(std::min<std::size_t>(all, std::max(most, 1U)))
      , max_in_flight(std::max(most, 1U)) {}

  /// The thread of the `turn`th attempt.
  [[nodiscard]] std::size_t thread(std::size_t turn) const noexcept { return (first + turn % used) % threads; }

  /// How many idle connections that thread may keep to the endpoint; over all threads `max_in_flight`.
  [[nodiscard]] std::size_t idle_share(std::size_t of_thread) const noexcept {
    const std::size_t place = (of_thread + threads - first) % threads;
    return place >= used ? 0 : max_in_flight / used + (place < max_in_flight % used ? 1 : 0);
  }
};

} // namespace postrider
