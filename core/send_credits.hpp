#pragma once

#include "core/shard.hpp"

#include <atomic>
#include <cstdint>
#include <optional>

namespace postrider {

/// Send credits of one endpoint: the part of DELIVERY's view that VERIFIERs read. Whoever takes one may have the
/// delivery committed as `in_flight`, attempt 1, in the accept's own transaction. DELIVERY lends only while it owns the
/// shard, the breaker is closed and there is room; STORE's answer ends each credit that was taken. The number lent is a
/// soft bound (two threads may pass it by a few); the endpoint's window, which decides what is sent, is a hard one.
/// Lock-free.
class send_credits {
public:
  /// DELIVERY: from now on, so many may be taken under that fence.
  void lend(fence under, std::int64_t count) noexcept {
    available_.store(count);
    under_.store(under);
  }
  /// Nothing can be taken any more; `taken()` read afterwards misses nobody (both sides are sequentially consistent).
  void close() noexcept {
    under_.store(0);
    available_.store(0);
  }

  /// VERIFIER: a credit, as the fence to ride under; nothing where none is free.
  std::optional<fence> take() noexcept {
    taken_.fetch_add(1); // before the look at `under_`: DELIVERY closes first and counts then
    const auto under = under_.load();
    if (under != 0 && available_.fetch_sub(1) > 0)
      return under;
    if (under != 0)
      available_.fetch_add(1);
    taken_.fetch_sub(1);
    return std::nullopt;
  }
  /// The event was committed and rides: DELIVERY holds it from here.
  void settle() noexcept { taken_.fetch_sub(1); }
  /// It did not ride (duplicate, stale plan, failed commit, lease gone).
  void give_back() noexcept {
    available_.fetch_add(1);
    taken_.fetch_sub(1);
  }

  [[nodiscard]] std::int64_t available() const noexcept { return available_.load(); }
  [[nodiscard]] std::int64_t taken() const noexcept { return taken_.load(); }

private:
  std::atomic<fence> under_{0};
  std::atomic<std::int64_t> available_{0};
  std::atomic<std::int64_t> taken_{0};
};

} // namespace postrider
