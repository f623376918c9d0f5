#pragma once

#include "actors/actor_support.hpp"
#include "actors/engine_context.hpp"
#include "actors/tenant_supervisor.hpp"
#include "actors/tree_parts.hpp"
#include "core/restart_budget.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

namespace postrider {

struct tenant_child {
  tenant_supervisor_actor actor; ///< nothing while it waits to be restarted, or is quarantined
  tenant_config_ptr config;      ///< as it was spawned with: looked up anew for each restart
  restart_budget budget;
  bool quarantined = false;
  std::uint64_t routed = 0; ///< messages that the supervisor counts too
  wall_time since{};
  child_history history;
  std::optional<wall_time> retry_at{}; ///< while there is no actor
};

/// Who asks for a tenant that has no supervisor: requests (by slug or id), due hints and a restart (by number).
struct tenant_lookup {
  std::deque<ingest_request_ptr> requests; ///< at most engine_limits::waiting_requests_max
  std::map<endpoint_no, wall_time> due;
  tenant_no restarting = 0; ///< a supervisor that crashed waits for it
  bool changed = false;     ///< some configuration did meanwhile: what is on its way may be too old
};

/// Told by NODE's own turns: readiness asks whether the actors make progress.
using heartbeat = std::atomic<std::int64_t>; ///< steady clock, nanoseconds

struct node_arguments {
  engine_context* context = nullptr;
  std::shared_ptr<heartbeat> beat;
};

struct node_state {
  node_state() = default;
  node_state(const node_state&) = delete;
  node_state& operator=(const node_state&) = delete;

  static inline const char* name = "node";

  node_arguments given;
  std::string path;
  std::array<shard_ownership, shard_count> shards{};
  std::unordered_map<tenant_no, tenant_child> tenants;
  std::unordered_map<std::string, tenant_no> by_slug_or_id; ///< of those in `tenants`
  std::map<std::string, tenant_no> by_slug;                 ///< likewise, in the tree's order
  std::unordered_map<std::string, tenant_lookup> lookups;   ///< running look-ups, by the key asked for
  std::unordered_map<std::string, mono_time> unknown_until; ///< negative answers, `refresh_gap` each; at most 10,000
  bool draining = false;
  wall_time next_beat_at{};
  biography life;
};

using node_self = node_actor::stateful_pointer<node_state>;

/// NODE: finds or wakes the tenant of what comes in, keeps its supervisors running, tells them which shards are owned.
node_actor::behavior_type node(node_self self, node_arguments given);

// What is seen of it, and the end of it: node_inspection.cpp.
caf::result<bool> drain_node(node_self self);
actor_status describe_node(node_self self);
/// The supervisors of at most so many tenants from that slug on; from the first on, with itself.
node_part describe_tenants(node_self self, const std::string& from, std::size_t count);

} // namespace postrider
