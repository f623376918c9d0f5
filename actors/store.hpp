#pragma once

#include "actors/ingest.hpp"
#include "actors/sender.hpp"
#include "core/circuit_breaker.hpp"
#include "core/delivery_state.hpp"
#include "core/dispatch_lanes.hpp"
#include "core/endpoint_clock.hpp"
#include "core/event.hpp"
#include "core/held_work.hpp"
#include "core/order_book.hpp"
#include "core/outcome.hpp"
#include "core/result.hpp"
#include "core/send_credits.hpp"
#include "core/shard.hpp"
#include "core/tenant_config.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// The edge between the actors and PostgreSQL. STORE knows no actor: it executes what it is handed, on threads of its
/// own, and reports through the two ports below. Every call returns at once. The same conformance suite runs on the
/// real one and on the tests' fake.
namespace postrider {

// ------------------------------------------------------------------------------------------------ accepting

/// One delivery that an accepted event will have.
struct planned_delivery {
  delivery_id id;
  endpoint_no endpoint = 0;
  std::uint32_t seed = 0; ///< of its jitter
  delivery_lane lane = delivery_lane::live_medium;
  bool ride = false; ///< in: a send credit was taken. Out: the row is committed `in_flight`, attempt 1, under `under`
  fence under = 0;   ///< the fence that lent the credit
  taken_credit credit{}; ///< opaque to STORE: comes back however the item ends, unless its owner settles it
  /// Of an ordered endpoint: the key among whose deliveries it gets its place, in the order of commits. It never rides,
  /// and is in the lane of what stands in an order.
  std::optional<std::string> order_key{};
};

/// Opaque to STORE: whom the actors' side tells of the result.
class accept_origin {
public:
  virtual ~accept_origin() = default;
};

enum class accept_outcome : std::uint8_t {
  waiting,
  accepted,    ///< event, dedupe key and all deliveries are committed
  duplicate,   ///< `first` has the key; nothing was written
  stale,       ///< the tenant's config version is another now; nothing was written: plan again
  unavailable, ///< not confirmed within the deadline
  rejected,    ///< PostgreSQL refuses this very row; `detail` says why. The rest of its batch went on
};

/// One verified event on its way into the database; moved to STORE and, with its outcome filled in, back.
struct accept_item {
  event_ptr what;
  uuid dedupe_key;                 ///< first 16 bytes of sha256(source, type, provider id)
  std::int64_t config_version = 0; ///< the plan's
  shard_no shard = 0;
  std::vector<planned_delivery> deliveries;
  mono_time deadline{}; ///< 5 s after it was verified: past it, not written any more
  ingest_ticket ticket;
  std::shared_ptr<const accept_origin> origin;
  std::uint32_t plans = 0; ///< how often it was planned: see engine_limits::plans_max

  accept_outcome outcome = accept_outcome::waiting;
  event_id first{};
  std::string detail;
};
using accept_item_ptr = std::unique_ptr<accept_item>;

// ------------------------------------------------------------------------------------------------ recording

/// The end of one attempt, or another change of one delivery, as one guarded write: it changes the row only while the
/// row is still in state `from` under `under`, at attempt `number`; then, and only then, the attempt's row exists.
/// A failed attempt also moves the row to the lane `lane_after_failure`.
/// State and fence alone would not tell the attempt from the delivery's next one, which a batch that is run again after
/// a lost connection may meet.
struct outcome_write {
  delivery_id delivery;
  tenant_no tenant = 0;
  endpoint_no endpoint = 0;
  fence under = 0;
  delivery_state from = delivery_state::in_flight;
  delivery_state to = delivery_state::succeeded;
  delivery_reason reason = delivery_reason::none;
  std::uint32_t number = 0;                   ///< of the attempt: the row's attempt_count
  std::uint32_t step = 0;                     ///< failed attempts of this generation, afterwards
  std::optional<wall_time> next_attempt_at{}; ///< set for pending and retry_wait
  /// The attempt's row; nothing for a `release` (the attempt is then uncounted: attempt_count - 1) and for a give-up
  /// without an attempt.
  struct attempt_row {
    wall_time started_at{};
    milliseconds duration{0};
    attempt_outcome outcome = attempt_outcome::succeeded;
    attempt_reason reason = attempt_reason::none;
    int http_status = 0;
    std::string excerpt;
  };
  std::optional<attempt_row> attempt{};
  bool uncount = false; ///< release
  /// Of a release: the row's due time while it was in flight (nothing: it rode). The attempt may be claimed again under
  /// the same number: only its deadline is another then.
  std::optional<wall_time> claimed_until{};
  std::uint64_t ticket = 0;             ///< handed back as it is
  bool prompt = false;                  ///< another waits for its end: not held back for a larger batch
  std::shared_ptr<delivery_port> owner; ///< who is told
};

struct record_result {
  delivery_id delivery;
  std::uint64_t ticket = 0;
  bool recorded = false;
  /// When missed: what the row is now (nothing: it is gone). `cancelled` also where the attempt's end is recorded, but
  /// somebody had asked to cancel the delivery, so that it does not go on as the write wanted. Same fence and attempt
  /// and already `to`: an earlier run of the write whose answer was lost, counted as recorded by STORE itself.
  struct actual {
    delivery_state state = delivery_state::pending;
    fence under = 0;
  };
  std::optional<actual> found{};
};

// ------------------------------------------------------------------------------------------------ claiming

/// One delivery whose next attempt is counted in the database and may be sent.
struct claimed_delivery {
  delivery_id delivery;
  event_ptr what;
  std::uint32_t number = 0; ///< of the attempt that was just counted
  std::uint32_t step = 0;
  std::uint32_t seed = 0;
  delivery_lane lane = delivery_lane::live_medium;
  std::optional<order_place> place{}; ///< of an ordered endpoint's
};

struct claim_request {
  tenant_no tenant = 0;
  endpoint_no endpoint = 0;
  shard_no shard = 0;
  fence under = 0;
  wall_time now{};              ///< due means next_attempt_at <= now
  wall_time attempt_deadline{}; ///< becomes next_attempt_at while in flight
  std::uint32_t limit = 0;      ///< at most so many, oldest due first, 1 to 256
  /// What waits on backoff since before that is taken too, though it is not due. Deliveries that are scheduled for
  /// later without a failure are not.
  std::optional<wall_time> backoff_before{};
  /// As early as anything is known to be due: a claim looks back as far as that, however far it has come already. A row
  /// may come to sight long after its due time: an outcome is recorded after an outage, with the time that it was
  /// given.
  std::optional<wall_time> due_from{};
  /// Of an ordered endpoint: which of what stands in its order is looked for (besides what stands in none).
  std::optional<order_look> order{};
  /// How the lanes share `limit`: of each its `most`, oldest first; among them by tags that move on by
  /// `fair_stride(lane_weights)` a row.
  by_lane<lane_turn> turns{};
  /// What is due is late already, or a replay: it is claimed at the pace that what comes in bears, perhaps fewer than
  /// `limit` at once (core/backlog_pace.hpp).
  bool late = false;
  bool replays = false; ///< nothing but these is due: of that pace they take a part
  /// Of the events it brings, at most, but for the first: 256 of a megabyte each would be more than all that an
  /// endpoint's backlog may take.
  std::int64_t bytes = 4 << 20;
  /// What the endpoint holds: when its turn comes a claim brings no more than there is room for by then.
  std::shared_ptr<const held_work> held{};
  /// The endpoint's: how often its claims are next among those of its tenant.
  delivery_priority priority = delivery_priority::medium;

  /// Cuts it to that room; false: there is none.
  [[nodiscard]] bool fit_to_room() noexcept {
    if (limit == 0 || !held)
      return true;
    const auto room = held->room();
    limit = static_cast<std::uint32_t>(std::min<std::uint64_t>(limit, room.rows));
    bytes = static_cast<std::int64_t>(std::min<std::uint64_t>(static_cast<std::uint64_t>(bytes), room.bytes));
    return limit > 0 && bytes > 0;
  }
};

struct claim_result {
  bool available = true; ///< false: the database did not answer; ask again later
  bool owned = true;     ///< false: `under` is no longer the shard's fence
  std::vector<claimed_delivery> claimed;
  std::optional<wall_time>
    next_due{};            ///< the earliest still scheduled for that endpoint afterwards, claimed ones left out
  lanes_due due_by_lane{}; ///< the same of each lane
  /// In-flight rows of that endpoint past their deadline: the actor closes as `interrupted` those that it does not
  /// know.
  struct overdue {
    delivery_id delivery;
    fence under = 0;
    std::uint32_t number = 0;
    std::uint32_t step = 0;
    std::optional<order_place> place{};
  };
  std::vector<overdue> overdue_attempts;
  /// Of `order`: keys that were looked at and of which nothing was claimed, and when their first is due.
  struct blocked_key {
    std::string key;
    wall_time due{};
  };
  std::vector<blocked_key> blocked;
  std::optional<std::string> look_on{}; ///< where the round goes on; nothing: there are no further keys
};

/// Whoever owns the deliveries of one endpoint: the DELIVERY actor, behind a handle. Thread-safe, never blocks.
class delivery_port {
public:
  virtual ~delivery_port() = default;
  virtual void finished(std::vector<attempt_result> results) = 0; ///< from SENDER
  virtual void recorded(std::vector<record_result> results) = 0;  ///< from STORE
};

enum class deleted_closing : std::uint8_t {
  done,
  unavailable, ///< the database did not answer, or `under` is no longer the shard's fence
  not_deleted, ///< nothing was changed: that tenant has no deleted endpoint of that number
};

// ------------------------------------------------------------------------------------------------ node-wide reports

struct shard_lease {
  shard_no shard = 0;
  std::int64_t epoch = 0;
  fence under = 0;
};

/// The endpoint has scheduled rows; the earliest is due at `next_due` (which may lie ahead).
struct due_hint {
  tenant_no tenant = 0;
  endpoint_no endpoint = 0;
  wall_time next_due{};
};

/// What DELIVERY learnt of an endpoint: written when it changes, read back at its start.
struct endpoint_runtime {
  tenant_no tenant = 0;
  endpoint_no endpoint = 0;
  breaker_state state = breaker_state::closed;
  std::uint32_t opened_in_a_row = 0;
  wall_time since{};
  std::optional<wall_time> next_probe_at{};
  stored_endpoint_clock clock{};
  std::optional<wall_time> failing_since{}; ///< nothing but failures since then
};

/// The node's ear. Calls come from STORE's threads; each returns at once.
class store_events {
public:
  virtual ~store_events() = default;
  virtual void accepted(std::vector<accept_item_ptr> batch) = 0; ///< one call per batch, every item with its outcome
  virtual void leases(std::vector<shard_lease> mine) = 0;        ///< all that are held now; empty when trust has ended
  virtual void due(std::vector<due_hint> hints) = 0;             ///< each second, and when leases were taken
  virtual void configuration_changed(std::vector<tenant_no> tenants) = 0;
  virtual void availability(bool database_ok, std::string detail) = 0;
};

struct tenant_key {
  std::string slug_or_id; ///< used when `no` is 0
  tenant_no no = 0;
};

class store {
public:
  virtual ~store() = default;

  /// False: the queue is full (4,096 items or 64 MiB): the item stays with the caller, answer 503.
  virtual bool accept(accept_item_ptr& item) = 0;

  /// Bounded by what is in flight: at most one unacknowledged write per delivery. Kept over an outage of the database
  /// and written after it.
  virtual void record(std::vector<outcome_write> writes) = 0;

  /// Counts attempts and hands them over with their events (read back by id).
  virtual void claim(claim_request request, std::function<void(claim_result)> done) = 0;

  /// Closes as `interrupted` every in-flight row of that endpoint whose id is not in `known` (a restarted actor knows
  /// none), makes it due at once; calls back with how many, or nothing while the database does not answer.
  virtual void close_interrupted(tenant_no tenant, endpoint_no endpoint, shard_no shard, fence under,
                                 std::vector<delivery_id> known,
                                 std::function<void(std::optional<std::size_t>)> done) = 0;

  /// Makes every live delivery of a deleted endpoint `dead`, `endpoint_deleted` (in pages; in-flight ones too: nobody
  /// runs them). That it is deleted is the database's word, not the caller's, whose configuration may be old.
  virtual void close_deleted(tenant_no tenant, endpoint_no endpoint, shard_no shard, fence under,
                             std::function<void(deleted_closing)> done) = 0;

  /// The tenant's configuration, secrets decrypted; a null pointer when there is no such tenant or it is deleted.
  virtual void load_tenant(tenant_key key, std::function<void(result<tenant_config_ptr>)> done) = 0;

  /// How many live deliveries the tenant has, on all nodes: by its counters, the latest commits included.
  virtual void count_live(tenant_no tenant, std::function<void(result<std::int64_t>)> done) = 0;

  virtual void load_runtime(endpoint_no endpoint,
                            std::function<void(result<std::optional<endpoint_runtime>>)> done) = 0;
  /// Guarded by the fence; where the breaker's state is another than before it also leaves a row in `transition`.
  virtual void save_runtime(endpoint_runtime now, shard_no shard, fence under, std::string cause) = 0;
  /// 410, the receiver's wish, or nothing but failures for long; opens an alert.
  virtual void disable_endpoint(tenant_no tenant, endpoint_no endpoint, std::string reason) = 0;
};

} // namespace postrider
