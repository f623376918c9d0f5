#pragma once

#include "core/time.hpp"

#include <atomic>
#include <cstdint>
#include <ctime>

namespace postrider {

/// Nanoseconds of CLOCK_BOOTTIME: what trust in a lease is measured on (it goes on while the machine is suspended).
inline std::int64_t boottime_ns() noexcept {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

/// The database's wall clock as seen from here: the local clock plus an offset that the lease thread measures at each
/// renewal (half of the round trip taken off). Ids take this time, or a skewed node would write into partitions that do
/// not exist.
class db_clock {
public:
  [[nodiscard]] wall_time now() const noexcept {
    return std::chrono::floor<milliseconds>(std::chrono::system_clock::now()) +
           milliseconds{offset_ms_.load(std::memory_order_relaxed)};
  }
  void set_offset(milliseconds offset) noexcept { offset_ms_.store(offset.count(), std::memory_order_relaxed); }
  [[nodiscard]] milliseconds offset() const noexcept {
    return milliseconds{offset_ms_.load(std::memory_order_relaxed)};
  }

private:
  std::atomic<std::int64_t> offset_ms_{0};
};

} // namespace postrider
