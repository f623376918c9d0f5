#pragma once

#include "core/delivery_lane.hpp"
#include "core/metrics.hpp"
#include "core/progress.hpp"
#include "core/turn_tree.hpp"
#include "persistence/availability.hpp"
#include "persistence/session.hpp"
#include "persistence/stop_signal.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace postrider {

/// Something to do on a session. Nothing returned: done, whatever came of it has been told. A failure: the database did
/// not do it.
using session_work = std::function<std::optional<session_failure>(session&)>;

/// One thread with one connection: does what is posted, each endpoint's in order, a tenant's endpoints by turns, the
/// tenants by turns, and what is due regularly. What is late waits apart, in turns of its own. What is kept has a queue
/// of its own: while its head waits for another try, the rest goes on.
class session_worker {
public:
  struct job {
    session_work work;
    /// Called instead of a result when the work failed, or could not be tried.
    std::function<void()> abandon{};
    /// Tried again until it is done, over an outage as well, in the order of posting; dropped, with `abandon` and a
    /// line in the log, where there are more than `jobs_max`, by `stop`, and where the database refuses these very
    /// values.
    bool keep = false;
    /// Whose turn it takes: tenants take turns, and none may have more waiting than leaves room for others; within a
    /// tenant its endpoints, by weight (core/turn_tree.hpp). What is kept is done in order.
    fair_share::key tenant = 0;
    fair_share::key endpoint = 0; ///< 0: of none
    std::uint32_t weight = weight_of(delivery_priority::medium);
    /// It waits for the pace of late work (`pace_late`) and for what is not late, which goes before it, but for one in
    /// `prompt_before_late`.
    bool late = false;
    /// Whoever asked has no use for it later: abandoned when its turn comes after that. 0: no such bound.
    milliseconds patience{0};
    mono_time posted_at{}; ///< set by `post`
  };
  static constexpr int prompt_before_late = 8;
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
  /// Before `start`: where it tells that what is posted gets done.
  void tell_progress(pulse& at) noexcept { progress_ = work_pulse{&at}; }
  /// Before `start`: tells when late work may go on; a time that has passed: now. Without it late work is as any other.
  void pace_late(std::function<mono_time(mono_time)> ready_at) { late_ready_at_ = std::move(ready_at); }
  /// False: the queue is full or the worker stops; `abandon` has been called.
  bool post(job what);
  /// That regular work is due now.
  void hurry(std::string_view what);
  /// No more is taken, and nothing regular begins; what waits gets `grace` to be done, and the call that runs then is
  /// cut half a second later. Returns at once.
  void begin_stop(milliseconds grace);
  /// The same, and waits for the end: that half a second after `grace` at most, or the connect timeout where it is just
  /// connecting.
  void stop(milliseconds grace);

private:
  struct regular {
    milliseconds interval;
    std::string what;
    session_work work;
    mono_time next{};
    bool hurried = false; ///< under mutex_
  };

  void run();
  [[nodiscard]] bool finished(bool connected) const;
  bool ensure_connected();
  void lost(const session_failure& failure);
  void worked();
  void wait_to_connect();
  void run_regular(mono_time now);
  void run_job(job what);
  void try_again(job what);
  std::optional<job> wait_for_job();
  // Under mutex_.
  [[nodiscard]] std::optional<job> take_job(mono_time now);
  [[nodiscard]] bool late_is_ready(mono_time now) const;
  [[nodiscard]] std::vector<job> take_all();
  void abandon_impatient();

  session session_;
  availability* reports_;
  session_role role_;
  reconnect_backoff backoff_;
  work_pulse progress_{nullptr};
  bool pause_before_connect_ = false; ///< the last connection was lost before anything succeeded on it
  bool proved_ = false;               ///< something succeeded on this one
  std::vector<regular> regulars_;     ///< fixed once it runs
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  turn_tree<job> jobs_;
  turn_tree<job> late_;
  std::function<mono_time(mono_time)> late_ready_at_; ///< fixed once it runs
  int prompt_in_a_row_ = 0;                           ///< since something late was done
  std::deque<job> kept_;
  mono_time kept_at_{};        ///< not tried before
  milliseconds kept_delay_{0}; ///< of the last failure
  std::optional<mono_time> stop_at_{};
  std::thread thread_;
};

} // namespace postrider
