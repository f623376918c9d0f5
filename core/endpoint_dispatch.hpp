#pragma once

#include "core/dispatch_messages.hpp"

#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

// clang-format off
/// The decisions of one endpoint's DELIVERY, pure: what is sent now, what is claimed, what is written, when to wake up.
///
/// An attempt's way through memory; its row is `in_flight` until the write of its end has hit:
///
/// | phase     | entered when                           | left for, when |
/// | --------- | -------------------------------------- | -------------- |
/// | behind    | claimed, in order, behind another      | ready: that is final; else as ready, with the one ahead |
/// | ready     | committed with a credit (attempt 1),   | sending: the window has a slot, the rate a token, and the breaker admits it |
/// |           | or claimed                             | recording a release (`pending`, attempt uncounted): breaker open, endpoint held, paused, draining, claim's time over |
/// |           |                                        | nothing: another fence holds the shard |
/// | sending   | its request is SENDER's                | recording its outcome |
/// | recording | the guarded write is STORE's           | nothing: STORE has answered (final, scheduled in the database, or another's) |
///
/// While the shard is not owned (`own(0)`, or a claim that was told so) what is ready stays and waits: only the next
/// fence tells whether anybody else had the rows meanwhile. The same fence: nobody had, it goes on. Another: forgotten.
///
/// All else that the endpoint has waits in PostgreSQL with a due time: committed without a credit, in backoff,
/// released. It comes back through claims, one at a time, when `next_due` is reached, there is room, and the breaker
/// lets something through. So memory is bounded by `room`, never by the backlog, and one mechanism serves first
/// attempts, retries, restarts and take-overs.
///
/// While it is paused or disabled (`active` false) nothing is claimed, so that waiting burns no attempt. Only what a
/// former owner left in flight and past its deadline is looked for, once a fence, by a claim of no rows, and closed.
/// When it goes on, a claim is asked for at once, whatever was known before.
///
/// When the breaker closes, what had been waiting on backoff until then becomes due: claims take the oldest of it, a
/// page at a time, until none is left. That it closed is stored, so a restart goes on with it. The window starts at one
/// request (core/endpoint_clock.hpp), so the endpoint is not met by all of it at once.
///
/// An endpoint that has failed for `disable_after`, without one success between, is disabled.
// clang-format on
namespace postrider {

class endpoint_dispatch {
public:
  static constexpr std::int64_t memory_max = 50LL << 20; ///< bytes of events in memory; how many: `room`, `lendable`
  static constexpr std::int64_t background_memory_max = memory_max / 4 * 3; ///< retries and replays come up to here
  static constexpr std::uint32_t claim_max = 256;                           ///< rows of one claim
  static constexpr std::uint32_t room_max = 4'096;                          ///< rows in memory
  /// When the node has no room for what is due: others make it, and do not tell.
  static constexpr milliseconds room_asked_every{100};
  static constexpr milliseconds late_after{1'000}; ///< what is due for longer is a backlog
  /// How long what is ready waits for the next fence. Then the rows are left to the sweep of whoever owns the shard.
  static constexpr milliseconds suspension_max{600'000};
  /// After a claim that failed, or a request that could not be sent.
  static constexpr milliseconds claim_retry_delay{1'000};
  /// How often the endpoint's clock is stored at most, and how long failures alone last before they are.
  static constexpr milliseconds clock_kept_every{5'000};
  static constexpr milliseconds failing_kept_after{60'000};

  /// How long a withdrawal waits for rows that are on their way here, and how many such are remembered.
  static constexpr milliseconds withdrawn_lasts{10'000};
  static constexpr std::size_t withdrawn_max = 16'384;

  explicit endpoint_dispatch(dispatch_policy policy) : policy_(std::move(policy)) {}

  // Inputs. Each ends by starting, claiming and releasing what the new state allows.
  void configure(dispatch_policy policy, const dispatch_now& now, dispatch_effects& out);
  /// The shard is owned under that fence from now on; 0: not for now (nothing is sent, claimed or lent).
  void own(fence under, const dispatch_now& now, dispatch_effects& out);
  /// What was stored of it.
  struct memory {
    breaker gate{};
    endpoint_clock clock{};
    std::optional<wall_time> closed_at{};     ///< of a breaker that is closed: since when
    std::optional<wall_time> failing_since{}; ///< nothing but failures since then
  };
  void restore(const memory& stored, const dispatch_now& now, dispatch_effects& out);
  void committed(std::vector<committed_ride> rides, const dispatch_now& now, dispatch_effects& out);
  /// Something is scheduled in the database for that time.
  void due(wall_time at, const dispatch_now& now, dispatch_effects& out);
  /// Of these keys of an ordered endpoint something was committed.
  void due_keys(std::span<const std::string> keys, const dispatch_now& now, dispatch_effects& out);
  /// A refused claim (`owned` false) while NODE says that the shard is owned met the moment between two renewals, or
  /// comes before the news of a loss: nothing is sent for `claim_retry_delay`, then the same fence counts again.
  void claimed(claim_answer answer, const dispatch_now& now, dispatch_effects& out);
  void finished(std::span<const finished_attempt> results, const dispatch_now& now, dispatch_effects& out);
  /// | the row                                       | then |
  /// | --------------------------------------------- | ---- |
  /// | is as the write wanted it                     | forgotten; its due time is known |
  /// | is gone, final, or under another fence        | forgotten: nobody's, or the next owner's |
  /// | anything else: it was changed behind our back | forgotten here and looked at again by a claim |
  void recorded(std::span<const recorded_write> results, const dispatch_now& now, dispatch_effects& out);
  void timer(const dispatch_now& now, dispatch_effects& out);
  /// An operator closes the breaker.
  void reset_breaker(const dispatch_now& now, dispatch_effects& out);
  /// Somebody has asked to cancel them: none of them is sent any more, unless it is under way. What is ready is
  /// released (STORE makes it `cancelled`); what comes within `withdrawn_lasts`, because its commit or claim came
  /// before the wish, is released instead of held.
  void withdraw(std::span<const delivery_id> deliveries, const dispatch_now& now, dispatch_effects& out);
  /// Shutdown: nothing new starts, what is ready is released; `idle()` tells when the rest has ended.
  void drain(const dispatch_now& now, dispatch_effects& out);

  // What can be seen.
  /// The next time at which `timer` is wanted, or nothing: only a message can change anything.
  [[nodiscard]] std::optional<mono_time> wake_at(const dispatch_now& now) const;
  /// How many send credits may be free now, given those that are taken.
  [[nodiscard]] std::int64_t lendable(std::int64_t taken, mono_time now) const noexcept;
  [[nodiscard]] bool idle() const noexcept { return open_.empty() && !claiming_; }
  [[nodiscard]] const breaker& gate() const noexcept { return gate_; }
  [[nodiscard]] const endpoint_clock& clock() const noexcept { return clock_; }
  [[nodiscard]] std::optional<wall_time> failing_since() const noexcept { return failing_since_; }
  /// Requests at once, as of now.
  [[nodiscard]] std::uint32_t window() const noexcept { return window_of(clock_, policy_.max_in_flight); }
  /// Requests that the rate allows now; nothing: it is not limited.
  [[nodiscard]] std::optional<double> tokens(mono_time now) const noexcept {
    return policy_.rate ? std::optional{tokens_left(sends_, now, *policy_.rate)} : std::nullopt;
  }
  /// The fence under which it acts; 0: suspended.
  [[nodiscard]] fence under() const noexcept { return suspended_since_ ? 0 : under_; }
  /// The one it acted under last, for writes that are guarded by it; 0: none yet.
  [[nodiscard]] fence last_under() const noexcept { return under_; }
  [[nodiscard]] std::uint32_t sending() const noexcept { return sending_; }
  [[nodiscard]] std::size_t ready() const noexcept { return lanes_.ready(); }
  [[nodiscard]] std::size_t ready(delivery_lane lane) const noexcept { return lanes_.ready(lane); }
  [[nodiscard]] std::size_t open() const noexcept { return open_.size(); }
  /// What it has in memory.
  [[nodiscard]] work_size held() const noexcept { return {open_.size(), static_cast<std::uint64_t>(weight_)}; }
  [[nodiscard]] std::optional<wall_time> next_due() const noexcept {
    const auto due = due_.earliest();
    const auto expected = book_.expected_at();
    return due && expected ? std::min(*due, *expected) : due ? due : expected;
  }
  [[nodiscard]] bool knows(const delivery_id& delivery) const { return open_.contains(delivery); }
  /// Its end is being written.
  [[nodiscard]] bool records(const delivery_id& delivery) const;
  [[nodiscard]] std::vector<delivery_id> known() const;
  [[nodiscard]] const dispatch_policy& policy() const noexcept { return policy_; }
  /// How many rows may be in memory: twice the window, more while the endpoint proves quick (what it finishes in 100
  /// ms), at most 4,096 and its share of the node's.
  [[nodiscard]] std::uint32_t room() const noexcept;

private:
  enum class phase : std::uint8_t { behind, ready, sending, recording };
  struct entry {
    event_ptr what;
    std::uint32_t number = 1;
    std::uint32_t step = 0;
    std::uint32_t seed = 0;
    fence under = 0;
    phase at = phase::ready;
    std::optional<wall_time> claimed_until{}; // nothing: it rode
    std::optional<wall_time> scheduled{};     // by the write that is being recorded
    delivery_lane lane = delivery_lane::live_medium;
    bool failed = false;      // as that write says
    std::uint64_t ticket = 0; // of that write
    mono_time sent_at{};
    bool ordered = false; // it is in the book
  };

  void hold(const delivery_id& delivery, entry value, std::optional<std::string> key, const dispatch_now& now,
            dispatch_effects& out);
  // In order (endpoint_dispatch_order.cpp).
  void line_up(const delivery_id& delivery, std::optional<std::string> key);
  void release_behind(const delivery_id& delivery, const dispatch_now& now, dispatch_effects& out);
  void next_in_line(const delivery_id& delivery, std::optional<wall_time> due, const dispatch_now& now);
  void want_ordered_claim(const dispatch_now& now, dispatch_effects& out);
  void note_look(claim_answer& answer, const dispatch_now& now);
  // All that becomes ready goes through this; the entry is in open_.
  void push_ready(const delivery_id& delivery);
  /// The lane whose turn it is; nothing: nothing that is ready may be sent beside what is.
  [[nodiscard]] std::optional<delivery_lane> next_ready() const noexcept;
  void close_overdue(std::span<const overdue_attempt> rows, const dispatch_now& now, dispatch_effects& out);
  [[nodiscard]] bool take_withdrawn(const delivery_id& delivery, mono_time now);
  static std::int64_t weight_of(const event_ptr& what) noexcept;
  void drop_event(entry& held);
  void forget(std::unordered_map<delivery_id, entry>::iterator it);
  void forget_ready(wall_time now);
  void suspend(mono_time now);
  /// The write that ends this entry's attempt by `input`; the entry is recording from here.
  dispatch_effects::write end(const delivery_id& delivery, entry& held, delivery_input input);
  void record_one(const recorded_write& result, const dispatch_now& now, dispatch_effects& out);
  void advance(const dispatch_now& now, dispatch_effects& out);
  void start_ready(const dispatch_now& now, dispatch_effects& out);
  void release(const delivery_id& delivery, entry& held, const dispatch_now& now, dispatch_effects& out);
  void release_ready(const dispatch_now& now, dispatch_effects& out);
  void want_claim(const dispatch_now& now, dispatch_effects& out);
  void look(const dispatch_now& now, dispatch_effects& out);
  void ask(const by_lane<std::uint32_t>& most, std::uint32_t limit, std::optional<wall_time> backoff_before,
           const dispatch_now& now, dispatch_effects& out, std::optional<order_look> order = std::nullopt);
  /// What waits on backoff and may be claimed though it is not due: since before when.
  [[nodiscard]] std::optional<wall_time> backoff_before(const dispatch_now& now) const noexcept;
  void finish(const finished_attempt& result, std::int32_t index, const dispatch_now& now, dispatch_effects& out);
  /// What an attempt's end says of the endpoint.
  void learn(const verdict& judged, const finished_attempt& result, mono_time sent_at, bool used_up,
             const dispatch_now& now, dispatch_effects& out);
  void note_health(bool good, const dispatch_now& now, dispatch_effects& out);
  void forget_failures();
  void disable(std::string_view reason, dispatch_effects& out);
  breaker_step move_gate(breaker_input input, std::uint32_t epoch, const dispatch_now& now, std::string_view cause,
                         dispatch_effects& out);
  void schedule(wall_time at, std::optional<delivery_lane> lane = {});
  [[nodiscard]] bool is_late(wall_time now) const noexcept;
  [[nodiscard]] bool only_replays(wall_time now) const noexcept;
  /// How many rows of each lane a claim may bring now.
  [[nodiscard]] by_lane<std::uint32_t> claimable(const dispatch_now& now) const noexcept;
  void count_completion(mono_time now);
  [[nodiscard]] bool shares_by_lane() const noexcept {
    return gate_.state == breaker_state::closed && !policy_.ordered;
  }
  [[nodiscard]] std::uint32_t claim_limit(mono_time now) const noexcept;
  /// How many may be ready, as the rate goes: those of now and of the next second, one at least.
  [[nodiscard]] std::int64_t affordable(mono_time now) const noexcept;
  void set_clock(const endpoint_clock& clock);
  void keep_clock(const dispatch_now& now, dispatch_effects& out);
  [[nodiscard]] std::int64_t fitting(std::int64_t bytes) const noexcept;
  /// Nothing more of it may be in memory, though it has not reached its own bounds.
  [[nodiscard]] bool node_is_full() const noexcept;
  [[nodiscard]] bool may_send() const noexcept { return under() != 0 && policy_.active && !draining_; }

  [[nodiscard]] bool wants_look() const noexcept {
    return under() != 0 && !policy_.active && !draining_ && told_ && !looked_ && !claiming_ && due_.earliest();
  }

  dispatch_policy policy_;
  breaker gate_{};
  endpoint_clock clock_{};
  token_bucket sends_{};
  std::optional<mono_time> token_at_{}; // when the rate lets the next request through
  std::optional<wall_time> failing_since_{};
  bool failing_kept_ = false; // that is stored
  bool clock_unkept_ = false; // the clock, or that, is not stored as it is
  std::optional<mono_time> kept_at_{};
  std::optional<wall_time> catch_up_{};        // the breaker closed then: what waited on backoff is claimed
  fence under_ = 0;                            // of all that is ready
  bool granted_ = false;                       // as NODE says
  std::optional<mono_time> suspended_since_{}; // not owned, as NODE or a claim says
  bool draining_ = false;
  std::unordered_map<delivery_id, entry> open_;
  dispatch_lanes lanes_;                      // what is ready there is in open_ with phase ready
  std::unordered_set<delivery_id> withdrawn_; // not here when they were withdrawn
  mono_time withdrawn_until_{};
  order_book book_;
  std::uint32_t sending_ = 0;
  std::int64_t weight_ = 0; // bytes of the events in open_
  work_size may_hold_ = dispatch_now{}.may_hold;
  std::uint64_t tickets_ = 0;
  std::int64_t typical_ =
    1LL << 20; // what the next event may weigh: the heaviest of late, at first the greatest body by default
  bool claiming_ = false;
  bool claiming_backoff_ = false;               // the running claim asked for what waits on backoff too
  bool told_ = false;                           // of something due, by others
  bool looked_ = false;                         // under this fence, and nothing overdue was left
  wall_time claimed_until_{};                   // the deadline that the last claim gave its rows
  std::optional<mono_time> claim_not_before_{}; // after a claim that failed
  by_lane<std::uint32_t> claiming_most_{};      // what the running claim takes from each lane
  lanes_due due_{};
  lanes_due due_meanwhile_{};   // heard of while a claim runs, which may not have seen it
  bool live_due_ = false;       // at the last input: first attempts, or what may be such
  bool background_due_ = false; // retries or replays
  // completions in the current and the last full 100 ms
  mono_time slice_start_{};
  std::uint32_t slice_count_ = 0;
  std::uint32_t last_slice_ = 0;
};

} // namespace postrider
