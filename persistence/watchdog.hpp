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

  /// No call under it goes past `end`: how whoever stops cuts short what another thread waits for. Of one session.
  class limit {
  public:
    explicit limit(watchdog& owner) : owner_{owner} {}
    limit(const limit&) = delete;
    limit& operator=(const limit&) = delete;
    /// From any thread; it counts for the call that runs as well. Only ever brought forward.
    void end_at(mono_time end);

  private:
    friend class watchdog;
    watchdog& owner_;
    mono_time end_ = mono_time::max(); ///< under the owner's mutex
  };

  /// Watches one call while it lives. The descriptor must stay open as long.
  class guard {
  public:
    guard(const limit& under, int descriptor, mono_time deadline);
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
    const limit* under = nullptr;
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
