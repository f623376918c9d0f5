#pragma once

#include "core/result.hpp"
#include "core/time.hpp"
#include "persistence/session.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace postrider {

/// What kind of work a call is; the queue says what follows from it.
enum class call_kind : std::uint8_t {
  usual,
  search, ///< of a list: may take seconds
  key,    ///< who asks? Before anything else of a request
};

/// Whose call it is, and of what kind.
struct call_turn {
  std::string tenant{}; ///< by id where a tenant's own key asks; empty: an operator's, of no tenant
  call_kind kind = call_kind::usual;
};

/// One call on its way: answered exactly once, by the worker that runs it or at its deadline, whichever comes first.
struct management_call {
  std::function<void(session&, management_call&)> run; ///< answers by itself, if `claim_answer` says yes
  std::function<void(problem)> fail;
  call_turn turn{};
  mono_time deadline{};
  std::atomic<bool> answered{false};

  /// True for the first who asks: that one answers.
  bool claim_answer() noexcept { return !answered.exchange(true); }
};
using management_call_ptr = std::shared_ptr<management_call>;

/// The threads of the management store, each with a session of its own, behind one bounded queue that gives turns, so
/// that no tenant can take the workers from the others:
///   - Of one tenant a single call runs at a time, in the order of arrival; the others of it wait, `tenant_waiting_max`
///     at most. Tenants take turns: whoever was served goes behind all who wait. Operators' calls of no tenant wait in
///     a line of their own, of which any number may run.
///   - Searches of all tenants leave one worker free for what is short.
///   - Looking up who asks has a further worker to itself: it waits for nothing but other look-ups.
/// So a call waits for at most one running call and one of each tenant ahead of it, and behind searches only if it is
/// one.
///
/// A further thread answers 503 for calls past their deadline, also while every worker hangs in a call. While the
/// database is away each call is tried, but no more than five connections a second and worker; what was asked in
/// between fails at once.
class management_queue {
public:
  struct limits {
    std::size_t workers = 2;
    std::size_t waiting_max = 256;     ///< and as many look-ups of keys
    milliseconds call_deadline{5'000}; ///< from `post` to the answer
    std::size_t tenant_waiting_max = 64;
  };

  management_queue(session_options sessions, limits bounds, metrics& counts);
  ~management_queue(); ///< `stop`
  management_queue(const management_queue&) = delete;
  management_queue& operator=(const management_queue&) = delete;

  /// Calls that wait are failed; those that run end first. Afterwards no call is taken. Idempotent; by one thread.
  void stop();

  /// False: too many wait already, or it has stopped; the call stays with the caller.
  bool post(const management_call_ptr& call);

private:
  struct worker {
    worker(const session_options& options, watchdog& dog, metrics& counts, bool looks_up_keys)
        : connection{options, dog, counts}, for_keys{looks_up_keys} {}
    session connection;
    const bool for_keys;
    mono_time connect_after{};
    std::thread thread;
  };
  /// The calls of one tenant, or of none. There is one while any waits or runs.
  struct line {
    std::deque<management_call_ptr> waiting;
    std::size_t running = 0;
    std::uint64_t turn = 0; ///< the least comes first
  };
  using line_map = std::map<std::string, line>;

  void work(worker& self);
  void watch_deadlines();
  management_call_ptr next_call(const worker& self);
  bool line_up(const management_call_ptr& call);
  void leave_line(const management_call_ptr& call);
  [[nodiscard]] bool may_run(const line_map::value_type& of) const;
  line_map::iterator next_line();
  void finish(const management_call_ptr& call);
  bool ready(worker& self);

  const limits limits_;
  watchdog watchdog_;
  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable keys_work_;
  std::condition_variable deadline_;
  line_map lines_;                       ///< by tenant; under mutex_, as the next six
  std::deque<management_call_ptr> keys_; ///< look-ups that wait
  std::size_t waiting_ = 0;              ///< in all lines
  std::size_t searching_ = 0;            ///< searches that run
  std::uint64_t turns_ = 0;
  std::list<management_call_ptr> unanswered_; ///< in the order of their deadlines
  bool stopping_ = false;
  std::vector<std::unique_ptr<worker>> workers_;
  std::thread deadline_thread_;
};

} // namespace postrider
