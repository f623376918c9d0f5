#pragma once

#include "core/circuit_breaker.hpp"
#include "core/event.hpp"
#include "core/outcome.hpp"
#include "core/shard.hpp"
#include "core/tenant_config.hpp"

#include <deque>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

/// The decisions of one endpoint's DELIVERY, pure: what is sent now, what is claimed, what is written, when to wake up.
///
/// An attempt's way through memory (the row's state beside it):
///
///     committed with a credit ──┐                                     ┌─► recorded: forgotten (final, or scheduled in
///     the database) (in_flight, attempt 1)    ├─► ready ──slot, breaker──► sending ─┴─► recording claimed (in_flight)
///     ──┘     │ breaker open, lease gone, paused, draining
///                                     └─► recording a release (pending, attempt uncounted)
///
/// All else that the endpoint has waits in PostgreSQL with a due time: committed without a credit, in backoff,
/// released. It comes back through claims, one at a time, when `next_due` is reached, there is room, and the breaker
/// lets something through. So memory is bounded by `room`, never by the backlog, and one mechanism serves first
/// attempts, retries, restarts and take-overs.
namespace postrider {

struct dispatch_policy {
  std::uint32_t max_in_flight = 32; ///< requests at once
  retry_policy retry = default_retry_policy();
  breaker_policy breaker{};
  bool active = true; ///< false: paused or disabled; nothing new is sent
};

/// `now` on both clocks, and chance.
struct dispatch_now {
  mono_time mono{};
  wall_time wall{};
  double draw = 0.5; ///< uniform in [0, 1)
};

struct committed_ride {
  delivery_id delivery;
  event_ptr what;
  std::uint32_t seed = 0;
  fence under = 0; ///< that lent the credit
};
struct claimed_attempt {
  delivery_id delivery;
  event_ptr what;
  std::uint32_t number = 0;
  std::uint32_t step = 0;
  std::uint32_t seed = 0;
};
/// An in-flight row past its deadline, as the database shows it.
struct overdue_attempt {
  delivery_id delivery;
  fence under = 0;
  std::uint32_t number = 0;
  std::uint32_t step = 0;
};
struct claim_answer {
  bool available = true;
  bool owned = true;
  fence under = 0; ///< that it was asked under
  std::vector<claimed_attempt> claimed;
  std::optional<wall_time> next_due{};
  std::vector<overdue_attempt> overdue;
};
struct finished_attempt {
  delivery_id delivery;
  std::uint32_t number = 0;
  std::uint32_t breaker_epoch = 0;
  attempt_facts facts;
  bool sent = true;
};

/// What the actor has to do. Appended to; the caller clears it.
struct dispatch_effects {
  struct start {
    delivery_id delivery;
    std::uint32_t number = 0;
    std::uint32_t breaker_epoch = 0;
    event_ptr what;
  };
  struct write {
    delivery_id delivery;
    fence under = 0;
    delivery_state to = delivery_state::succeeded;
    delivery_reason reason = delivery_reason::none;
    std::uint32_t step = 0;
    std::optional<wall_time> next_attempt_at{};
    std::uint32_t number = 0;
    bool uncount = false; ///< a release: no attempt row, the attempt is uncounted
    attempt_outcome outcome = attempt_outcome::succeeded;
    attempt_reason attempt_failure = attempt_reason::none;
    int http_status = 0;
    std::int32_t result_index = -1; ///< which of the `finished` span it answers, -1: none
    event_id event{};               ///< for the delivery latency; nil where unknown
  };
  struct claim {
    std::uint32_t limit = 0;
    bool even_if_not_due = false;
  };
  std::vector<start> starts;
  std::vector<write> writes;
  std::optional<claim> wanted_claim{};
  bool breaker_changed = false;
  std::string_view breaker_cause{};
  bool disable_endpoint = false;
  std::string_view disable_reason{};

  void clear();
};

class endpoint_dispatch {
public:
  /// Requests that may be in memory beyond those being sent are `lend_target` at most; bytes: `memory_max`.
  static constexpr std::int64_t memory_max = 50LL << 20;
  static constexpr std::uint32_t claim_max = 256;

  explicit endpoint_dispatch(dispatch_policy policy) : policy_(std::move(policy)) {}

  // Inputs. Each ends by starting, claiming and releasing what the new state allows.
  void configure(dispatch_policy policy, const dispatch_now& now, dispatch_effects& out);
  /// The shard is owned under that fence from now on; 0: not any more (what is ready is forgotten: its rows belong to
  /// the next owner).
  void own(fence under, const dispatch_now& now, dispatch_effects& out);
  /// The breaker as it was stored.
  void restore(breaker stored, const dispatch_now& now, dispatch_effects& out);
  void committed(std::vector<committed_ride> rides, const dispatch_now& now, dispatch_effects& out);
  /// Something is scheduled in the database for that time.
  void due(wall_time at, const dispatch_now& now, dispatch_effects& out);
  void claimed(claim_answer answer, const dispatch_now& now, dispatch_effects& out);
  void finished(std::span<const finished_attempt> results, const dispatch_now& now, dispatch_effects& out);
  /// `hit`: the guarded write changed the row. Either way the row's next move is scheduled in the database or not ours.
  void recorded(const delivery_id& delivery, bool hit, const dispatch_now& now, dispatch_effects& out);
  void timer(const dispatch_now& now, dispatch_effects& out);
  /// Shutdown: nothing new starts, what is ready is released; `idle()` tells when the rest has ended.
  void drain(const dispatch_now& now, dispatch_effects& out);

  // What can be seen.
  /// The next time at which `timer` is wanted, or nothing: only a message can change anything.
  [[nodiscard]] std::optional<mono_time> wake_at(const dispatch_now& now) const;
  /// How many send credits may be free now, given those that are taken.
  [[nodiscard]] std::int64_t lendable(std::int64_t taken) const noexcept;
  [[nodiscard]] bool idle() const noexcept { return open_.empty() && !claiming_; }
  [[nodiscard]] const breaker& gate() const noexcept { return gate_; }
  [[nodiscard]] fence under() const noexcept { return under_; }
  [[nodiscard]] std::uint32_t sending() const noexcept { return sending_; }
  [[nodiscard]] std::size_t ready() const noexcept { return ready_.size(); }
  [[nodiscard]] std::size_t open() const noexcept { return open_.size(); }
  [[nodiscard]] std::optional<wall_time> next_due() const noexcept { return next_due_; }
  [[nodiscard]] bool knows(const delivery_id& delivery) const { return open_.contains(delivery); }
  [[nodiscard]] std::vector<delivery_id> known() const;
  [[nodiscard]] const dispatch_policy& policy() const noexcept { return policy_; }
  /// How many rows may be in memory: twice the window, more while the endpoint proves quick (what it finishes in 100
  /// ms), at most 4,096.
  [[nodiscard]] std::uint32_t room() const noexcept;

private:
  enum class phase : std::uint8_t { ready, sending, recording };
  struct entry {
    event_ptr what;
    std::uint32_t number = 1;
    std::uint32_t step = 0;
    std::uint32_t seed = 0;
    fence under = 0;
    phase at = phase::ready;
    std::optional<wall_time> scheduled{}; // by the write that is being recorded
    std::uint32_t old_writes = 0;         // committed, as a later claim proved, before their acknowledgement came
  };

  void hold(const delivery_id& delivery, entry value, const dispatch_now& now, dispatch_effects& out);
  void close_overdue(std::span<const overdue_attempt> rows, const dispatch_now& now, dispatch_effects& out);
  void forget(std::unordered_map<delivery_id, entry>::iterator it);
  void advance(const dispatch_now& now, dispatch_effects& out);
  void start_ready(const dispatch_now& now, dispatch_effects& out);
  void release_ready(const dispatch_now& now, dispatch_effects& out);
  void want_claim(const dispatch_now& now, dispatch_effects& out);
  void finish(const finished_attempt& result, std::int32_t index, const dispatch_now& now, dispatch_effects& out);
  breaker_step move_gate(breaker_input input, std::uint32_t epoch, const dispatch_now& now, std::string_view cause,
                         dispatch_effects& out);
  void schedule(wall_time at);
  void count_completion(mono_time now);
  [[nodiscard]] std::uint32_t claim_limit() const noexcept;
  [[nodiscard]] std::int64_t fitting() const noexcept;
  [[nodiscard]] bool may_send() const noexcept { return under_ != 0 && policy_.active && !draining_; }

  dispatch_policy policy_;
  breaker gate_{};
  fence under_ = 0;
  bool draining_ = false;
  std::unordered_map<delivery_id, entry> open_;
  std::deque<delivery_id> ready_; // every one of them is in open_ with phase ready
  std::uint32_t sending_ = 0;
  std::int64_t weight_ = 0; // bytes of the events in open_
  std::int64_t typical_ =
    1LL << 20; // what the next event may weigh: the heaviest of late, at first the greatest body by default
  bool claiming_ = false;
  bool claiming_any_ = false;                   // the running claim asked for the oldest in backoff too
  std::optional<mono_time> claim_not_before_{}; // after a claim that failed
  std::optional<wall_time> next_due_{};
  std::optional<wall_time> due_meanwhile_{}; // heard of while a claim runs, which may not have seen it
  bool backlogged_ = false;                  // something was due at the last input
  // completions in the current and the last full 100 ms
  mono_time slice_start_{};
  std::uint32_t slice_count_ = 0;
  std::uint32_t last_slice_ = 0;
};

} // namespace postrider
