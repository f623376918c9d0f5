#pragma once

#include "core/time.hpp"

#include <condition_variable>
#include <mutex>

namespace postrider {

/// Asks threads to end, and lets them wait in between. Thread-safe.
class stop_signal {
public:
  void request() {
    {
      const std::lock_guard lock{mutex_};
      requested_ = true;
    }
    changed_.notify_all();
  }
  [[nodiscard]] bool requested() const {
    const std::lock_guard lock{mutex_};
    return requested_;
  }
  /// Waits; true as soon as an end is asked for.
  bool wait_for(milliseconds delay) const {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, delay, [this] { return requested_; });
  }

private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool requested_ = false;
};

} // namespace postrider
