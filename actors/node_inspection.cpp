#include "actors/node.hpp"

#include <caf/result.hpp>

namespace postrider {

caf::result<bool> drain_node(node_self self) {
  auto& state = self->state;
  state.draining = true;
  state.life.enter(state.given.context->wall_now(), "draining", "shutdown");
  auto promise = self->make_response_promise<bool>();
  auto left = std::make_shared<countdown>([promise]() mutable { promise.deliver(true); });
  for (auto& [no, child] : state.tenants) {
    if (!child.actor)
      continue;
    left->expect();
    self
      ->request(child.actor, caf::infinite, atom::drain::value) // the engine's drain has the deadline
      .then([left](bool) { left->done(); }, [left](const caf::error&) { left->done(); });
  }
  left->done();
  return promise;
}

actor_status describe_node(node_self self) {
  auto& state = self->state;
  actor_status out;
  state.life.describe(out);
  out.path = state.path;
  out.kind = "node";
  out.mailbox = messages_waiting(*self);
  out.children = static_cast<std::uint32_t>(state.tenants.size());
  out.node = state.given.context->node_name;
  out.next_wake_at = state.next_beat_at;
  std::int64_t owned = 0, absent = 0, quarantined = 0;
  for (const auto& shard : state.shards)
    owned += shard.under != 0 ? 1 : 0;
  for (const auto& [no, child] : state.tenants) {
    absent += child.actor ? 0 : 1;
    quarantined += child.quarantined ? 1 : 0;
  }
  const auto& counts = state.given.context->counts;
  out.counters = {{"shards_owned", owned},
                  {"lookups_running", static_cast<std::int64_t>(state.lookups.size())},
                  {"children_restarting", absent - quarantined},
                  {"children_quarantined", quarantined},
                  {"crashes", static_cast<std::int64_t>(counts.actor_crashes.value())},
                  {"restarts", static_cast<std::int64_t>(counts.actor_restarts.value())},
                  {"quarantines", static_cast<std::int64_t>(counts.actor_quarantines.value())},
                  {"passivated", static_cast<std::int64_t>(counts.actors_passivated.value())}};
  return out;
}

node_part describe_tenants(node_self self, const std::string& from, std::size_t count) {
  auto& state = self->state;
  node_part out;
  if (from.empty())
    out.self = describe_node(self);
  out.shards = state.shards;
  auto it = state.by_slug.lower_bound(from);
  for (; it != state.by_slug.end() && out.tenants.size() < count; ++it) {
    const auto found = state.tenants.find(it->second);
    if (found == state.tenants.end())
      continue;
    const auto& child = found->second;
    auto& tenant = out.tenants.emplace_back();
    tenant.slug = it->first;
    tenant.actor = child.actor;
    auto& known = tenant.known;
    known.path = state.path + "/tenants/" + it->first;
    known.kind = to_string(tree_kind::tenant_supervisor);
    known.state = child.actor ? "running" : child.quarantined ? "quarantined" : "restarting";
    known.since = child.since;
    known.restarts = child.budget.total;
    known.node = state.given.context->node_name;
    known.epoch = state.shards[static_cast<std::size_t>(child.config->shard)].epoch;
    known.next_wake_at = child.retry_at;
    known.transitions = child.history;
  }
  out.more = it != state.by_slug.end();
  return out;
}

} // namespace postrider
