#pragma once

#include "core/ids.hpp"
#include "core/time.hpp"

#include <array>
#include <atomic>
#include <cstddef>
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
/// trust too long. And under which fences: where a lease was lost and taken again, what was begun under the former
/// fence is not trusted with the new one.
class lease_trust {
public:
  /// Before it is trusted. 0: not ours.
  void set_fence(shard_no shard, fence under) noexcept {
    fences_[static_cast<std::size_t>(shard)].store(under, std::memory_order_release);
  }
  void trust_until(std::int64_t boottime) noexcept { until_.store(boottime, std::memory_order_release); }
  void end() noexcept { until_.store(0, std::memory_order_release); }
  /// `boottime`: nanoseconds of CLOCK_BOOTTIME now.
  [[nodiscard]] bool holds(std::int64_t boottime) const noexcept {
    return boottime < until_.load(std::memory_order_acquire);
  }
  /// Whether what acts under that fence may go on.
  [[nodiscard]] bool holds(shard_no shard, fence under, std::int64_t boottime) const noexcept {
    return holds(boottime) && fences_[static_cast<std::size_t>(shard)].load(std::memory_order_acquire) == under;
  }

private:
  std::atomic<std::int64_t> until_{0};
  std::array<std::atomic<fence>, shard_count> fences_{};
};

} // namespace postrider
