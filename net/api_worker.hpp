#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace postrider {

/// A thread that reads and checks the bodies of API requests, up to 8 MiB of JSON each, so that no io thread does. At
/// most `waiting_max` wait; their bytes are bounded by LISTENER.
class api_worker {
public:
  static constexpr std::size_t waiting_max = 256;

  api_worker();
  ~api_worker(); ///< `stop`
  api_worker(const api_worker&) = delete;
  api_worker& operator=(const api_worker&) = delete;

  /// False: too many wait, or it has stopped; `task` is not run. Tasks throw nothing.
  bool post(std::function<void()> task);
  /// Ends the thread after the task that runs; those that wait are dropped. Idempotent; by one thread.
  void stop();

private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

} // namespace postrider
