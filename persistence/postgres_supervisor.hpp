#pragma once

#include "core/result.hpp"
#include "persistence/child_process.hpp"
#include "persistence/directory_lock.hpp"
#include "persistence/embedded_postgres.hpp"
#include "persistence/postgres_directory.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <sys/types.h>
#include <thread>

namespace postrider {

/// Keeps the server of a locked directory running, from one thread:
///
///   running --process ended--> waiting (backoff) --> starting --accepts--> running
///
/// until it is destroyed, which stops the server.
class postgres_supervisor {
public:
  /// Adopts or starts, and returns when the server accepts and has the database `postrider`.
  static result<std::unique_ptr<postgres_supervisor>>
  start(postgres_directory directory, std::unique_ptr<directory_lock> lock, embedded_postgres_options options);
  ~postgres_supervisor();
  postgres_supervisor(const postgres_supervisor&) = delete;
  postgres_supervisor& operator=(const postgres_supervisor&) = delete;

  [[nodiscard]] bool healthy() const noexcept { return healthy_.load(std::memory_order_relaxed); }
  [[nodiscard]] pid_t server_pid() const noexcept { return pid_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint32_t restarts() const noexcept { return restarts_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool adopted() const noexcept { return adopted_; }

private:
  postgres_supervisor(postgres_directory directory, std::unique_ptr<directory_lock> lock,
                      embedded_postgres_options options);
  result<bool> bring_up();
  result<bool> adopt_or_start();
  result<bool> ensure_database() const;
  void watch();
  void restart(milliseconds& delay);
  bool stop_asked_within(milliseconds time);
  void serves(process_handle server);

  const postgres_directory directory_;
  const std::unique_ptr<directory_lock> lock_;
  const embedded_postgres_options options_;
  process_handle server_;     ///< of whoever starts, watches or ends, one after the other
  std::atomic<pid_t> pid_{0}; ///< its number; 0: not running
  std::atomic<bool> healthy_{false};
  std::atomic<std::uint32_t> restarts_{0};
  bool adopted_ = false;
  mono_time started_at_{};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false; ///< under mutex_
  std::thread thread_;
};

/// Waits until the server accepts: at most `deadline`, ten times that while it says that it is recovering. `alive` is
/// asked in between.
bool wait_until_accepts(const postgres_directory& directory, milliseconds deadline, const std::function<bool()>& alive);

} // namespace postrider
