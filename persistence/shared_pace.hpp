#pragma once

#include "core/backlog_pace.hpp"
#include "core/metrics.hpp"

#include <algorithm>
#include <mutex>

namespace postrider {

/// The node's pace of late claims (core/backlog_pace.hpp) between the threads that commit what comes in and the one
/// that claims. Thread-safe.
class shared_pace {
public:
  explicit shared_pace(metrics& counts) : metrics_{counts} {}

  void committed(mono_time waiting_since, std::size_t events, mono_time now) {
    const auto delay = std::chrono::duration_cast<std::chrono::microseconds>(now - waiting_since);
    const std::lock_guard lock{mutex_};
    pace_.committed(std::max(delay, std::chrono::microseconds{0}), events, now);
  }
  std::uint32_t take(std::uint32_t most, mono_time now, std::uint32_t cost) {
    const std::lock_guard lock{mutex_};
    const auto rows = pace_.take(most, now, cost);
    metrics_.late_claims_per_s.set(static_cast<std::int64_t>(pace_.rate(now).value_or(0)));
    return rows;
  }
  void give_back(std::uint32_t rows, mono_time now, std::uint32_t cost) {
    const std::lock_guard lock{mutex_};
    pace_.give_back(rows, now, cost);
  }
  [[nodiscard]] mono_time ready_at(mono_time now) const {
    const std::lock_guard lock{mutex_};
    return pace_.ready_at(now);
  }

private:
  metrics& metrics_;
  mutable std::mutex mutex_;
  backlog_pace pace_;
};

} // namespace postrider
