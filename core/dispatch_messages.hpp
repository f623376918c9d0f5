#pragma once

#include "core/circuit_breaker.hpp"
#include "core/dispatch_lanes.hpp"
#include "core/endpoint_clock.hpp"
#include "core/event.hpp"
#include "core/held_work.hpp"
#include "core/order_book.hpp"
#include "core/outcome.hpp"
#include "core/rate_limit.hpp"
#include "core/shard.hpp"
#include "core/tenant_config.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What core/endpoint_dispatch.hpp is told, and what it wants done.
namespace postrider {

struct dispatch_policy {
  std::uint32_t max_in_flight = 32; ///< requests at once, at most
  std::optional<rate_limit> rate{}; ///< of requests; nothing: not limited
  retry_policy retry = default_retry_policy();
  breaker_policy breaker{};
  milliseconds claim_lasts{
    90'000}; ///< past it a claimed row is nobody's: its turn in the window, its request, its write
  delivery_priority priority = delivery_priority::medium; ///< the lane of what rides
  bool active = true;                                     ///< false: paused or disabled; nothing new is sent
  milliseconds disable_after{0};                          ///< 0: never
  bool ordered = false;                                   ///< claims go by keys (core/order_book.hpp)
  bool one_key = false;                                   ///< ordered, and all it gets is of the empty key
  milliseconds attempt_lasts{0}; ///< one's own deadline: an ordered one must be over before its claim is
};

/// `now` on both clocks, chance, and the endpoint's share of the node's memory.
struct dispatch_now {
  mono_time mono{};
  wall_time wall{};
  double draw = 0.5;                          ///< uniform in [0, 1)
  work_size may_hold{~0ULL >> 1, ~0ULL >> 1}; ///< in all (core/held_work.hpp)
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
  delivery_lane lane = delivery_lane::live_medium;
  std::optional<order_place> place{}; ///< of an ordered one
};
/// An in-flight row past its deadline, as the database shows it.
struct overdue_attempt {
  delivery_id delivery;
  fence under = 0;
  std::uint32_t number = 0;
  std::uint32_t step = 0;
  std::optional<order_place> place{};
};
struct claim_answer {
  bool available = true;
  bool owned = true;
  fence under = 0; ///< that it was asked under
  std::vector<claimed_attempt> claimed;
  std::optional<wall_time> next_due{}; ///< the earliest in any lane
  lanes_due due_by_lane{};             ///< nothing: the lane of `next_due` is not known
  std::vector<overdue_attempt> overdue;
  struct blocked_key {
    std::string key;
    wall_time due{}; ///< of its first
  };
  std::vector<blocked_key> blocked{};   ///< of the keys that were looked at
  std::optional<std::string> look_on{}; ///< where the round goes on; nothing: it is over
};
/// What became of one `dispatch_effects::write`.
struct recorded_write {
  delivery_id delivery;
  std::uint64_t ticket = 0; ///< the write's
  bool hit = false;         ///< the row is as the write wanted it
  struct row {
    delivery_state state = delivery_state::pending;
    fence under = 0;
  };
  std::optional<row> found{}; ///< when missed: the row now; nothing: it is gone
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
    std::uint32_t number = 0; ///< the attempt's; the row must still be at it
    bool uncount = false;     ///< a release: no attempt row, the attempt is uncounted
    /// Of a release: until when the row was claimed (nothing: it rode). The same number is claimed again after it, but
    /// not with the same time.
    std::optional<wall_time> claimed_until{};
    std::uint64_t ticket = 0; ///< handed back with the answer
    bool prompt = false;      ///< another waits for it
    attempt_outcome outcome = attempt_outcome::succeeded;
    attempt_reason attempt_failure = attempt_reason::none;
    int http_status = 0;
    std::int32_t result_index = -1; ///< which of the `finished` span it answers, -1: none
    event_id event{};               ///< for the delivery latency; nil where unknown
  };
  struct claim {
    std::uint32_t limit = 0;                   ///< 0: only overdue attempts and the next due time are asked for
    std::optional<wall_time> backoff_before{}; ///< what waits on backoff since before that is taken too, due or not
    wall_time until{};                   ///< the attempts' deadline: becomes the rows' due time; never the same twice
    std::optional<wall_time> due_from{}; ///< nothing is known to be due before
    by_lane<lane_turn> turns{};          ///< how the lanes share `limit`
    std::optional<order_look> order{};   ///< of an ordered endpoint: what is in order; besides that, what is not
    bool replays = false;                ///< nothing but these is due
    bool late = false;                   ///< nothing of it is fresh (core/backlog_pace.hpp)
  };
  std::vector<start> starts;
  std::vector<write> writes;
  std::optional<claim> wanted_claim{};
  bool breaker_changed = false;
  std::string_view breaker_cause{};
  bool clock_changed = false; ///< of the endpoint: its window, a hold; or its failures began or ended
  bool disable_endpoint = false;
  std::string_view disable_reason{};

  void clear();
};

} // namespace postrider
