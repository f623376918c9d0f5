#pragma once

#include "core/result.hpp"
#include "core/time.hpp"
#include "persistence/session.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace postrider {

/// One call on its way: answered exactly once, by the worker that runs it or at its deadline, whichever comes first.
struct management_call {
  std::function<void(session&, management_call&)> run; ///< answers by itself, if `claim_answer` says yes
  std::function<void(problem)> fail;
  mono_time deadline{};
  std::atomic<bool> answered{false};

  /// True for the first who asks: that one answers.
  bool claim_answer() noexcept { return !answered.exchange(true); }
};
using management_call_ptr = std::shared_ptr<management_call>;

/// The threads of the management store, each with a session of its own, behind one bounded queue. A further thread
/// answers 503 for calls past their deadline, also while every worker hangs in a call. While the database is away each
/// call is tried, but no more than five connections a second and worker; what was asked in between fails at once.
class management_queue {
public:
  struct limits {
    std::size_t workers = 2;
    std::size_t waiting_max = 256;
    milliseconds call_deadline{5'000}; ///< from `post` to the answer
  };

  management_queue(session_options sessions, limits bounds, metrics& counts);
  ~management_queue(); ///< `stop`
  management_queue(const management_queue&) = delete;
  management_queue& operator=(const management_queue&) = delete;

  /// Calls that wait are failed; those that run end first. Afterwards no call is taken. Idempotent; by one thread.
  void stop();

  /// False: 256 wait already, or it has stopped; the call stays with the caller.
  bool post(const management_call_ptr& call);

private:
  struct worker {
    explicit worker(const session_options& options, watchdog& dog, metrics& counts)
        : connection{options, dog, counts} {}
    session connection;
    mono_time connect_after{};
    std::thread thread;
  };

  void work(worker& self);
  void watch_deadlines();
  management_call_ptr next_call();
  void forget(const management_call_ptr& call);
  bool ready(worker& self);

  const limits limits_;
  watchdog watchdog_;
  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable deadline_;
  std::deque<management_call_ptr> waiting_;   ///< under mutex_, as the next two
  std::list<management_call_ptr> unanswered_; ///< in the order of their deadlines
  bool stopping_ = false;
  std::vector<std::unique_ptr<worker>> workers_;
  std::thread deadline_thread_;
};

} // namespace postrider
