#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace postrider {

/// SIGTERM, SIGINT and SIGHUP, taken by a thread of its own. The first asks for the end; the second ends the process at
/// once with status 1, after `last_act`. SIGHUP reads again what can be read again. SIGPIPE is ignored. To be made
/// before any other thread, so that all of them inherit the mask.
class signal_watch {
public:
  signal_watch();
  signal_watch(const signal_watch&) = delete;
  signal_watch& operator=(const signal_watch&) = delete;
  ~signal_watch();

  [[nodiscard]] bool requested() const noexcept { return requested_.load(); }
  /// Waits until the first signal.
  void wait();
  /// Asks for the end from inside, as a signal would.
  void request();
  /// What a second signal does before the process ends: at most a few system calls, and nothing of this class. Empty:
  /// nothing. After this call the act before neither runs nor will.
  void set_last_act(std::function<void()> last_act);
  /// What SIGHUP does, on the thread of this class; empty: nothing but a line in the log. After this call the one
  /// before neither runs nor will.
  void set_reload(std::function<void()> reload);

private:
  void run();
  void reload();

  std::atomic<bool> requested_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> last_act_;
  std::mutex reload_mutex_;
  std::function<void()> reload_;
  std::thread thread_;
};

} // namespace postrider
