#pragma once

#include "actors/ingest.hpp"
#include "actors/inspection.hpp"
#include "actors/sender.hpp"
#include "actors/store.hpp"
#include "actors/withdrawal.hpp"
#include "core/held_work.hpp"
#include "core/ingest_quota.hpp"
#include "core/send_credits.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/atom.hpp>
#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// The map of the engine: every actor's typed interface and every message, with one line of meaning each.
///
///     NODE ─spawns─► TENANT SUPERVISOR ─spawns─► PROVIDER VERIFIER (one per source)
///                                      └─spawns─► DELIVERY (one per endpoint with work)
///
/// Messages that carry more than a word travel as `handed<T>`: the sender gives the value away, the one receiver takes
/// it out. They never leave the process; what nodes tell each other is defined in actors/cluster/.
namespace postrider {

/// A value given away by one message. CAF copies message elements at will; the box is shared, the value is taken once.
template <class T>
class handed {
public:
  handed() = default;
  explicit handed(T value) : box_(std::make_shared<T>(std::move(value))) {}
  /// The receiver takes it. Empty afterwards.
  [[nodiscard]] T take() const { return std::move(*box_); }
  [[nodiscard]] const T& look() const { return *box_; }

private:
  std::shared_ptr<T> box_;
};
template <class T>
handed<std::decay_t<T>> hand(T&& value) {
  return handed<std::decay_t<T>>{std::forward<T>(value)};
}

namespace atom {                                              // CAF 0.17: at most ten characters
using ingest = caf::atom_constant<caf::atom("ingest")>;       ///< a webhook, whole, not verified
using plan = caf::atom_constant<caf::atom("plan")>;           ///< the tenant's routing plan of one version
using refresh = caf::atom_constant<caf::atom("refresh")>;     ///< look whether the database knows a newer configuration
using stale = caf::atom_constant<caf::atom("stale")>;         ///< STORE refused the plan: plan again
using committed = caf::atom_constant<caf::atom("committed")>; ///< deliveries are committed
using due = caf::atom_constant<caf::atom("due")>;             ///< rows are scheduled
using claimed = caf::atom_constant<caf::atom("claimed")>;     ///< the answer to a claim
using finished = caf::atom_constant<caf::atom("finished")>;   ///< attempts have ended
using recorded = caf::atom_constant<caf::atom("recorded")>;   ///< outcomes are committed, or missed their row
using leases = caf::atom_constant<caf::atom("leases")>;       ///< the shards that are owned now
using changed = caf::atom_constant<caf::atom("changed")>;     ///< configuration changed in the database
using loaded = caf::atom_constant<caf::atom("loaded")>;       ///< the answer to a look-up
using passivate = caf::atom_constant<caf::atom("passivate")>; ///< a child asks to be let go
using restart = caf::atom_constant<caf::atom("restart")>;     ///< a crashed child's backoff is over
using closed = caf::atom_constant<caf::atom("closed")>;       ///< a crashed child's attempts are aborted and recorded
using tick = caf::atom_constant<caf::atom("tick")>;           ///< the actor's one timer
using withdraw = caf::atom_constant<caf::atom("withdraw")>;   ///< deliveries that shall not be sent any more
using drain = caf::atom_constant<caf::atom("drain")>;         ///< finish what runs, start nothing
using status = caf::atom_constant<caf::atom("status")>;       ///< describe yourself
using tree = caf::atom_constant<caf::atom("tree")>;           ///< who is directly below you
} // namespace atom

// ------------------------------------------------------------------------------------------------ messages

/// A tenant's configuration with the live credits of its endpoints (parallel to `config->endpoints`) and its quota.
/// Immutable, shared.
struct routing_plan {
  tenant_config_ptr config;
  std::vector<std::shared_ptr<send_credits>> credits;
  std::shared_ptr<ingest_quota> quota;
  std::shared_ptr<held_work> held; ///< the tenant's part of what the node has in memory
  bool gone = false;               ///< the tenant is deleted: there is nobody left to ask for another plan
};
using routing_plan_ptr = std::shared_ptr<const routing_plan>;

/// Deliveries of one tenant that were just committed. Rides carry their event; all else is due in the database.
struct committed_batch {
  struct ride {
    endpoint_no endpoint = 0;
    delivery_id delivery;
    event_ptr what;
    std::uint32_t seed = 0;
    fence under = 0;
  };
  std::vector<ride> rides;
  std::vector<endpoint_no> pending;
  struct in_order {
    endpoint_no endpoint = 0;
    std::string key;
  };
  std::vector<in_order> ordered; ///< due, of ordered endpoints
};

/// The lease of a tenant's shard; `under` 0: not owned by this node.
struct shard_ownership {
  std::int64_t epoch = 0;
  fence under = 0;
};

struct node_part;       // actors/tree_parts.hpp: how INSPECTOR reads the tree, one level at a time
struct child_question;  // likewise
struct supervisor_part; // likewise

// ------------------------------------------------------------------------------------------------ actors

/// DELIVERY: one endpoint's attempts; routes the effects of core/endpoint_dispatch.hpp. Child of its tenant's
/// supervisor.
using delivery_actor = caf::typed_actor<
  caf::reacts_to<atom::committed, handed<committed_batch>>, // rides of this endpoint; pending, ordered: something is
                                                            // due
  caf::reacts_to<atom::due, std::int64_t>,                  // rows scheduled for (unix us); sent by the due poll
  caf::reacts_to<atom::claimed, handed<claim_result>, std::int64_t>,             // with the fence it was asked under
  caf::reacts_to<atom::finished, handed<std::vector<attempt_result>>>,           // from SENDER
  caf::reacts_to<atom::recorded, handed<std::vector<record_result>>>,            // from STORE
  caf::reacts_to<atom::loaded, handed<result<std::optional<endpoint_runtime>>>>, // the stored breaker
  caf::reacts_to<atom::plan, routing_plan_ptr>,                                  // new configuration
  caf::reacts_to<atom::leases, std::int64_t, std::int64_t>, // epoch and fence of its shard; 0: lost
  caf::reacts_to<atom::withdraw, handed<withdrawal_ptr>>,   // not to be sent any more; let go once that is recorded
  caf::reacts_to<atom::tick, std::uint64_t>,                // its timer, with the number it was set under
  caf::replies_to<atom::drain>::with<bool>,                 // answers when nothing runs any more
  caf::replies_to<atom::status>::with<handed<actor_status>>>;

/// PROVIDER VERIFIER: one source; raw request -> event with a plan, or a reason. Child of its tenant's supervisor.
using provider_verifier_actor =
  caf::typed_actor<caf::reacts_to<atom::ingest, ingest_request_ptr>, // from LISTENER, or from the supervisor at first
                   caf::reacts_to<atom::plan, routing_plan_ptr>,     // new configuration (also the answer to `refresh`)
                   caf::reacts_to<atom::stale, handed<std::vector<accept_item_ptr>>>, // refused plans: wait for the
                                                                                      // next one
                   caf::reacts_to<atom::tick, std::uint64_t>, // what waits for a plan has waited long enough
                   caf::replies_to<atom::status>::with<handed<actor_status>>>;

/// TENANT SUPERVISOR: one active tenant; spawns, watches, restarts, passivates its children; hands on what concerns
/// them.
using tenant_supervisor_actor = caf::typed_actor<
  caf::reacts_to<atom::ingest, ingest_request_ptr>,         // a source without a known VERIFIER
  caf::reacts_to<atom::committed, handed<committed_batch>>, // from STORE, per batch
  caf::reacts_to<atom::due, endpoint_no, std::int64_t>,     // rows of that endpoint scheduled for (unix us)
  caf::reacts_to<atom::changed>,                            // load the configuration anew
  caf::reacts_to<atom::refresh, std::int64_t>, // from a VERIFIER about to refuse: is there a version above this?
  caf::reacts_to<atom::loaded, handed<result<tenant_config_ptr>>>, // the configuration
  caf::reacts_to<atom::leases, std::int64_t, std::int64_t>,        // epoch and fence of its shard; 0: lost
  caf::reacts_to<atom::passivate, endpoint_no, std::uint64_t>, // from DELIVERY, with the number of messages it has seen
  caf::reacts_to<atom::closed, endpoint_no>, // a deleted endpoint's rows are closed (or the store is away)
  // Steps of a crashed DELIVERY's restart, each with its number: its rows are closed (false: the store is away); its
  // backoff is over.
  caf::reacts_to<atom::closed, endpoint_no, std::uint64_t, bool>,
  caf::reacts_to<atom::restart, endpoint_no, std::uint64_t>,
  caf::reacts_to<atom::restart, std::string>,             // VERIFIER's (by source name)
  caf::reacts_to<atom::withdraw, handed<withdrawal_ptr>>, // of one of its endpoints
  caf::reacts_to<atom::tick, std::uint64_t>,              // idle check
  caf::replies_to<atom::drain>::with<bool>, caf::replies_to<atom::status>::with<handed<actor_status>>,
  caf::replies_to<atom::tree, handed<child_question>>::with<handed<supervisor_part>>>;

/// NODE: top of the tree; tenants and shards.
using node_actor = caf::typed_actor<
  caf::reacts_to<atom::ingest, ingest_request_ptr>, // no VERIFIER known: find or wake the tenant
  caf::reacts_to<atom::loaded, std::string, handed<result<tenant_config_ptr>>>, // a tenant by the key it was asked for
  caf::reacts_to<atom::due, handed<std::vector<due_hint>>>,                     // from the poll
  caf::reacts_to<atom::leases, handed<std::vector<shard_lease>>>, // all that are held; none: trust has ended
  caf::reacts_to<atom::changed, handed<std::vector<tenant_no>>>,  // configuration changed
  caf::reacts_to<atom::passivate, tenant_no, std::uint64_t>,      // from a supervisor with nothing left
  caf::reacts_to<atom::restart, tenant_no>,                       // a crashed supervisor's backoff is over
  caf::reacts_to<atom::withdraw, handed<withdrawal_ptr>>,         // of a tenant's endpoint
  caf::reacts_to<atom::tick>,                                     // its own heartbeat
  caf::replies_to<atom::drain>::with<bool>,
  caf::replies_to<atom::tree, std::string, std::uint64_t>::with<handed<node_part>>>; // from that slug on, so many

/// INSPECTOR: reads pages of the tree, and single actors, for operators; asks the actors on the page and nobody else.
/// Its questions hold what to call back (actors/inspector.hpp).
struct page_question;
struct actor_question;
using inspector_actor = caf::typed_actor<
  caf::reacts_to<atom::tree, handed<page_question>>, caf::reacts_to<atom::status, handed<actor_question>>,
  caf::reacts_to<atom::loaded, std::uint64_t, handed<result<resting_stretch>>>, // from the database, with its ticket
  caf::reacts_to<atom::loaded, std::uint64_t, handed<result<std::optional<resting_actor>>>>, // likewise
  caf::reacts_to<atom::tick, std::uint64_t>>; // that ticket has waited long enough

/// STEWARD: the door for threads that are not CAF's: asks NODE on their behalf and calls them back; keeps an INSPECTOR
/// running and hands on what is meant for it. (Those threads must not spawn or use scoped actors: CAF 0.17 would keep
/// its logger alive in their thread-local storage, and the actor system's end would wait for it for ever.)
using drain_callback = std::function<void(bool)>; // whether everything had ended by the deadline
using steward_actor =
  caf::typed_actor<caf::reacts_to<atom::drain, std::int64_t, handed<drain_callback>>, // within so many milliseconds
                   caf::reacts_to<atom::tree, handed<page_question>>,
                   caf::reacts_to<atom::status, handed<actor_question>>,
                   caf::reacts_to<atom::loaded, std::uint64_t, handed<result<resting_stretch>>>,
                   caf::reacts_to<atom::loaded, std::uint64_t, handed<result<std::optional<resting_actor>>>>>;

} // namespace postrider

namespace caf {
template <class T>
struct allowed_unsafe_message_type<postrider::handed<T>> : std::true_type {};
} // namespace caf
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(postrider::ingest_request_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(postrider::routing_plan_ptr)
