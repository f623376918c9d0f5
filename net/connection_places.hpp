#pragma once

#include "core/fair_places.hpp"
#include "core/ids.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

namespace postrider {

/// Whose a connection is.
struct connection_holder {
  tenant_no tenant = 0;
  endpoint_no endpoint = 0;
  std::uint32_t weight = 1; ///< of the endpoint among its tenant's: `weight_of` its priority
};

/// The connections that a node may have to endpoints, open or opening, idle ones included: shared by tenants and their
/// endpoints as core/fair_places.hpp says, so that one tenant's hanging endpoints leave room for whoever comes.
///
/// One count for the node, not one for each io thread: `connections_max` is one bound, an endpoint that takes few
/// requests at once is served by some of the threads only, and shares of a half on each thread would be smaller than
/// half a share. What it costs, a lock and two look-ups, is paid where a connection is opened or closed; by a request
/// on a kept one only while more than two fifths of all are taken.
///
/// Thread-safe; never blocks for longer than such a look-up. Remembers no more than those who hold something.
class connection_places {
public:
  /// `most`: at least 1.
  explicit connection_places(std::int64_t most) noexcept;

  /// False: there is no room for it now; nothing was taken.
  [[nodiscard]] bool take(const connection_holder& who);
  /// One that was taken.
  void give_back(const connection_holder& who) noexcept;

  /// Whether it had better give its place back than keep it: others have come, and it holds more than its share.
  [[nodiscard]] bool beyond_share(const connection_holder& who) const;

  /// Which of these idle connections, the one idle for longest first, are to be closed so that `who` finds room; no
  /// more than it takes. First those that are of the same tenant or beyond their share. None where all of them would
  /// not do.
  [[nodiscard]] std::vector<std::size_t> to_close_for(const connection_holder& who,
                                                      std::span<const connection_holder> idle) const;

  [[nodiscard]] std::int64_t most() const noexcept { return static_cast<std::int64_t>(most_); }

private:
  [[nodiscard]] places_taken taken_by(const connection_holder& who) const;

  std::uint64_t most_;
  std::atomic<std::uint64_t> taken_{0}; ///< changes under mutex_
  mutable std::mutex mutex_;
  std::unordered_map<tenant_no, std::uint64_t> tenants_; ///< none is 0
  std::unordered_map<endpoint_no, std::uint64_t> endpoints_;
};

} // namespace postrider
