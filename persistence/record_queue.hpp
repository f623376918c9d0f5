#pragma once

#include "actors/store.hpp"
#include "core/metrics.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <vector>

namespace postrider {

/// Outcomes that wait to be written: flushed 10 ms after the first, or as soon as a batch is full or one is `prompt`.
/// Bounded by what is in flight (at most one write per delivery is on its way), so it takes all that comes, also over
/// an outage. Thread-safe.
class record_queue {
public:
  static constexpr std::size_t batch_max = 1'024;
  static constexpr milliseconds flush_after{10};

  explicit record_queue(metrics& counts) : metrics_{counts} {}

  void push(std::vector<outcome_write> writes);
  /// Waits for a batch; empty when nothing came until `until`, or closed and drained.
  std::vector<outcome_write> take(mono_time until);
  /// To the head again: their statement failed.
  void put_back(std::vector<outcome_write> writes);
  void close();
  /// Whether nothing waits or is being written any more, at the latest at `until`.
  bool wait_drained(mono_time until);
  [[nodiscard]] std::size_t size() const;
  void written(std::size_t count);

private:
  metrics& metrics_;
  mutable std::mutex mutex_;
  std::condition_variable filled_;
  std::condition_variable drained_;
  std::deque<outcome_write> waiting_;
  std::size_t unwritten_ = 0; ///< waiting or being written
  bool prompt_ = false;       ///< one that waits is
  bool closed_ = false;
};

} // namespace postrider
