#pragma once

#include "core/ids.hpp"
#include "core/time.hpp"

#include <atomic>
#include <cstdint>

namespace postrider {

inline constexpr int shard_count = 64;
using shard_no = std::int16_t;

/// A tenant's shard: a fixed hash of its id, the same on every node and for ever.
shard_no shard_of(const tenant_id& tenant) noexcept;

/// The fencing number of a shard's ownership: the epoch, with 20 random bits below, so that an epoch repeated after a
/// database failover is still another fence. 0 is nobody's.
using fence = std::int64_t;
constexpr fence make_fence(std::int64_t epoch, std::uint32_t random20) noexcept {
  return (epoch << 20) | static_cast<std::int64_t>(random20 & 0xfffffU);
}
constexpr std::int64_t epoch_of(fence value) noexcept {
  return value >> 20;
}

/// Until when this process trusts its leases: renewal request started + ttl - margin. Written by the lease thread, read
/// before every claim and before the first byte of every attempt. CLOCK_BOOTTIME, so that a suspended machine does not
/// trust too long.
class lease_trust {
public:
  void trust_until(std::int64_t boottime) noexcept { until_.store(boottime, std::memory_order_release); }
  void end() noexcept { until_.store(0, std::memory_order_release); }
  /// `boottime`: nanoseconds of CLOCK_BOOTTIME now.
  [[nodiscard]] bool holds(std::int64_t boottime) const noexcept {
    return boottime < until_.load(std::memory_order_acquire);
  }

private:
  std::atomic<std::int64_t> until_{0};
};

} // namespace postrider
