#pragma once

#include "core/metrics.hpp"
#include "persistence/availability.hpp"
#include "persistence/session.hpp"
#include "persistence/stop_signal.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace postrider {

/// Something to do on a session. Nothing returned: done, whatever came of it has been told. A failure: the database did
/// not do it.
using session_work = std::function<std::optional<session_failure>(session&)>;

/// One thread with one connection: does what is posted, in order, and what is due regularly.
class session_worker {
public:
  struct job {
    session_work work;
    /// Called instead of a result when the work failed, or could not be tried.
    std::function<void()> abandon{};
    /// Tried again until it is done, over an outage as well (at most `jobs_max` of them wait); dropped only by `stop`,
    /// with `abandon`.
    bool keep = false;
  };
  static constexpr std::size_t jobs_max = 16'384;

  session_worker(session_options options, watchdog& dog, metrics& counts, availability* reports = nullptr,
                 session_role role = session_role::claim);
  ~session_worker();
  session_worker(const session_worker&) = delete;
  session_worker& operator=(const session_worker&) = delete;

  /// Before `start`. The first run comes at once. A failure is logged (`what` names the work) and the next interval
  /// tries again.
  void every(milliseconds interval, std::string what, session_work work);
  void start();
  /// False: the queue is full or the worker stops; `abandon` has been called.
  bool post(job what);
  /// All that is done regularly is due now.
  void hurry();
  /// Ends after the work at hand; what is kept gets `grace` to be done.
  void stop(milliseconds grace);

private:
  struct regular {
    milliseconds interval;
    std::string what;
    session_work work;
    mono_time next{};
  };

  void run();
  bool ensure_connected();
  void run_regular(mono_time now);
  void run_job(job what);
  std::optional<job> wait_for_job();
  void abandon_impatient();

  session session_;
  availability* reports_;
  session_role role_;
  reconnect_backoff backoff_;
  std::vector<regular> regulars_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<job> jobs_;
  bool hurried_ = false;
  std::optional<mono_time> stop_at_{};
  std::thread thread_;
};

} // namespace postrider
