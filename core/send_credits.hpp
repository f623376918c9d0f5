#pragma once

#include "core/shard.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

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

/// A credit that was taken. Whoever drops it (a crashed actor, a store that shuts down) thereby gives it back: one that
/// is lost would count as on its way for ever. Move-only.
class taken_credit {
public:
  taken_credit() = default;
  /// Empty where none is free.
  static taken_credit from(const std::shared_ptr<send_credits>& credits) {
    taken_credit out;
    if (const auto under = credits->take()) {
      out.credits_ = credits;
      out.under_ = *under;
    }
    return out;
  }
  taken_credit(taken_credit&& other) noexcept
      : credits_{std::move(other.credits_)}, under_{std::exchange(other.under_, 0)} {}
  taken_credit& operator=(taken_credit&& other) noexcept {
    if (this != &other) {
      give_back();
      credits_ = std::move(other.credits_);
      under_ = std::exchange(other.under_, 0);
    }
    return *this;
  }
  ~taken_credit() { give_back(); }

  explicit operator bool() const noexcept { return credits_ != nullptr; }
  [[nodiscard]] fence under() const noexcept { return under_; }
  /// See send_credits. Empty afterwards; nothing happens to an empty one.
  void settle() noexcept {
    if (const auto credits = std::exchange(credits_, nullptr))
      credits->settle();
  }
  void give_back() noexcept {
    if (const auto credits = std::exchange(credits_, nullptr))
      credits->give_back();
  }

private:
  std::shared_ptr<send_credits> credits_;
  fence under_ = 0;
};

} // namespace postrider
