#pragma once

#include "actors/actor_support.hpp"
#include "actors/delivery.hpp"
#include "actors/engine_context.hpp"
#include "actors/provider_verifier.hpp"
#include "actors/tree_parts.hpp"
#include "core/restart_budget.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <deque>
#include <map>
#include <set>
#include <string>
#include <unordered_map>

namespace postrider {

struct tenant_supervisor_arguments {
  engine_context* context = nullptr;
  node_actor parent;
  tenant_config_ptr config;
  shard_ownership ownership;
  std::uint32_t restarts = 0;
  bool after_crash = false; ///< its predecessor crashed: rows in flight are closed before a DELIVERY starts
  std::string path;
};

/// A child is in exactly one of these; `absent` children have no record.
///
/// | phase       | left for, when |
/// | ----------- | -------------- |
/// | running     | waiting: crash; quarantined: crash with the budget used up; no record: passivated |
/// | waiting     | closing: backoff over, all credits back |
/// | closing     | running: its attempts aborted, its rows closed; waiting: the database is away |
/// | quarantined | waiting: its time is over, or a new configuration |
enum class child_phase : std::uint8_t { running, waiting, closing, quarantined };
std::string_view to_string(child_phase phase) noexcept;

struct verifier_child {
  provider_verifier_actor actor;
  std::shared_ptr<last_use> used = std::make_shared<last_use>(0);
  child_phase phase = child_phase::running;
  restart_budget budget;
  wall_time since{};
  child_history history;
  std::optional<wall_time> retry_at{}; ///< while it does not run
};

struct delivery_child {
  delivery_actor actor;
  std::shared_ptr<delivery_mailbox> mailbox; ///< kept until the next incarnation: its address tags attempts
  child_phase phase = child_phase::closing;
  restart_budget budget;
  std::uint64_t routed = 0; ///< messages sent to this incarnation
  std::vector<committed_batch::ride>
    waiting;        ///< committed while it is being restarted: not closed with the others; at most `rides_waiting_max`
  bool due = false; ///< something was due meanwhile
  bool settled = false;   ///< while it waits: no credit of the former incarnation is out any more
  std::uint64_t step = 0; ///< of its restart, the one that is on its way: messages of other steps change nothing
  wall_time since{};
  endpoint_id id;
  child_history history;
  std::optional<wall_time> retry_at{}; ///< while it does not run
};

/// A DELIVERY whose endpoint was deleted, until it has ended: what it has started is then aborted, and its rows closed.
struct leaving_delivery {
  caf::actor_addr actor;
  endpoint_no endpoint = 0;
  std::shared_ptr<delivery_mailbox> mailbox;
};

struct tenant_supervisor_state {
  static constexpr std::size_t rides_waiting_max = 4'096; ///< beyond: closed as interrupted

  tenant_supervisor_state() = default;
  ~tenant_supervisor_state();
  tenant_supervisor_state(const tenant_supervisor_state&) = delete;
  tenant_supervisor_state& operator=(const tenant_supervisor_state&) = delete;

  static inline const char* name = "tenant_supervisor";

  tenant_supervisor_arguments given;
  routing_plan_ptr plan;
  std::unordered_map<endpoint_no, std::shared_ptr<send_credits>> credits; ///< outlive configurations and incarnations
  std::shared_ptr<ingest_quota> quota = std::make_shared<ingest_quota>(); ///< outlives configurations
  std::shared_ptr<held_work> held;                                        ///< likewise
  std::map<std::string, verifier_child> verifiers;                        ///< by source name
  std::map<endpoint_no, delivery_child> deliveries;
  std::vector<leaving_delivery> leaving_deliveries;
  std::set<endpoint_no> closing_deleted; ///< deleted endpoints whose rows are being closed
  std::uint64_t steps = 0;               ///< of all restarts so far
  bool loading = false, load_again = false, reload_set = false, backlog_set = false;
  mono_time loaded_at{};                       ///< when the plan was last confirmed
  std::vector<provider_verifier_actor> askers; ///< VERIFIERs that wait for the load
  std::deque<ingest_request_ptr> waiting;      ///< requests for a source that the plan does not know
  std::uint64_t routed = 0;                    ///< messages from NODE that it counts too
  mono_time active_at{};
  wall_time next_look_at{};                                ///< whether it is idle
  std::uint64_t crashes = 0, restarts = 0, passivated = 0; ///< of its children
  bool leaving = false;                                    ///< idle: its VERIFIERs are withdrawn, NODE is asked next
  bool gone = false;                                       ///< the tenant is deleted: STORE closes its deliveries
  bool draining = false;
  biography life;
};

using tenant_supervisor_self = tenant_supervisor_actor::stateful_pointer<tenant_supervisor_state>;

tenant_supervisor_actor::behavior_type tenant_supervisor(tenant_supervisor_self self,
                                                         tenant_supervisor_arguments given);

// What is seen of it: supervisor_inspection.cpp.
actor_status describe_supervisor(tenant_supervisor_self self);
/// Its children, without asking them. Only those that it has a record of; the others are at rest.
supervisor_part describe_children(tenant_supervisor_self self, const child_question& question);
/// A child crashed, or runs again.
template <class Child>
void note_crash(Child& child, bool quarantined, milliseconds restart_after) {
  child.retry_at = child.since + restart_after;
  note_transition(child.history, {child.since, "running", quarantined ? "quarantined" : "restarting", "crashed"});
}
template <class Child>
void note_restart(Child& child) {
  if (child.history.empty())
    return; // its first start
  child.retry_at.reset();
  note_transition(child.history, {child.since, child.history.front().to, "running", "restarted"});
}

// DELIVERY children: supervisor_deliveries.cpp.
/// Hands committed rides and the news that something is due to the endpoint's DELIVERY, waking it if need be.
void route_to_delivery(tenant_supervisor_self self, endpoint_no endpoint, committed_batch part);
void route_due(tenant_supervisor_self self, endpoint_no endpoint, wall_time at);
/// Wakes nobody: a DELIVERY at rest holds nothing.
void route_withdrawal(tenant_supervisor_self self, withdrawal_ptr what);
void let_delivery_go(tenant_supervisor_self self, endpoint_no endpoint, std::uint64_t seen);
/// After a crash of the former supervisor: every endpoint may have rows in flight that nobody runs.
void close_after_crash(tenant_supervisor_self self);
/// True when the child was one of them.
bool delivery_went_down(tenant_supervisor_self self, const caf::actor_addr& who, bool crashed);
void restart_delivery(tenant_supervisor_self self, endpoint_no endpoint, std::uint64_t step);
void delivery_rows_closed(tenant_supervisor_self self, endpoint_no endpoint, std::uint64_t step, bool done);
/// After a new configuration: tells the running ones, ends those whose endpoint is gone, wakes the quarantined.
void reconfigure_deliveries(tenant_supervisor_self self);
void wake_resumed(tenant_supervisor_self self, const tenant_config& before);

// VERIFIER children: supervisor_verifiers.cpp.
/// Finds or spawns the source's VERIFIER; nothing when the plan has no such enabled source, or it is being restarted.
const provider_verifier_actor* verifier_for(tenant_supervisor_self self, std::string_view name_or_id);
/// Whether the plan has that source, enabled: without a VERIFIER it is down for a while, not unknown.
bool has_source(tenant_supervisor_self self, std::string_view name_or_id);
bool verifier_went_down(tenant_supervisor_self self, const caf::actor_addr& who, bool crashed);
void restart_verifier(tenant_supervisor_self self, const std::string& source);
void reconfigure_verifiers(tenant_supervisor_self self);
/// Whether LISTENER finds the running ones by itself, or asks NODE.
void publish_verifiers(tenant_supervisor_self self, bool published);
/// When the last of them was used.
mono_time verifiers_used_at(const tenant_supervisor_state& state);

} // namespace postrider
