#pragma once

#include "core/time.hpp"

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

namespace postrider {

/// libpq blocks: a server that accepts and never answers would hold a thread for ever. The watchdog shuts the socket of
/// a call that is past its deadline, so that the call fails like any lost connection. One thread for all sessions;
/// arming costs a lock.
class watchdog {
public:
  watchdog();
  ~watchdog();
  watchdog(const watchdog&) = delete;
  watchdog& operator=(const watchdog&) = delete;

  /// Watches one call while it lives. The descriptor must stay open as long.
  class guard {
  public:
    guard(watchdog& owner, int descriptor, mono_time deadline);
    ~guard();
    guard(const guard&) = delete;
    guard& operator=(const guard&) = delete;
    /// Whether the deadline passed and the socket was shut.
    [[nodiscard]] bool fired() const;

  private:
    watchdog& owner_;
    std::size_t slot_;
  };

private:
  struct entry {
    int descriptor = -1; ///< -1: free
    mono_time deadline{};
    bool fired = false;
  };

  void run();
  [[nodiscard]] mono_time shut_late_ones(mono_time now);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<entry> entries_;
  mono_time wakes_at_ = mono_time::max();
  bool stopping_ = false;
  std::thread thread_;
};

} // namespace postrider
