#include "actors/node.hpp"

#include <caf/result.hpp>

namespace postrider {

namespace {
constexpr milliseconds supervisor_answer_max{1'800};
} // namespace

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
  std::int64_t owned = 0;
  for (const auto& shard : state.shards)
    owned += shard.under != 0 ? 1 : 0;
  out.counters = {{"shards_owned", owned}, {"lookups_running", static_cast<std::int64_t>(state.lookups.size())}};
  return out;
}

caf::result<handed<actor_statuses>> describe_tree(node_self self) {
  auto& state = self->state;
  auto promise = self->make_response_promise<handed<actor_statuses>>();
  auto all = std::make_shared<actor_statuses>();
  all->push_back(describe_node(self));
  auto left = std::make_shared<countdown>([all, promise]() mutable { promise.deliver(hand(std::move(*all))); });
  for (auto& [no, child] : state.tenants) {
    const auto path = state.path + "/tenants/" + child.config->slug;
    if (!child.actor) {
      auto& absent = all->emplace_back();
      absent.path = path;
      absent.kind = "tenant_supervisor";
      absent.state = child.quarantined ? "quarantined" : "restarting";
      absent.since = child.since;
      absent.restarts = child.budget.total;
      absent.node = state.given.context->node_name;
      continue;
    }
    left->expect();
    self->request(child.actor, supervisor_answer_max, atom::tree::value)
      .then(
        [all, left](const handed<actor_statuses>& part) {
          auto statuses = part.take();
          all->insert(all->end(), std::make_move_iterator(statuses.begin()), std::make_move_iterator(statuses.end()));
          left->done();
        },
        [all, left, path, self](const caf::error&) {
          auto& silent = all->emplace_back(); // shown, not hidden: it did not answer in time
          silent.path = path;
          silent.kind = "tenant_supervisor";
          silent.state = "not_answering";
          silent.since = self->state.given.context->wall_now();
          silent.node = self->state.given.context->node_name;
          left->done();
        });
  }
  left->done();
  return promise;
}

} // namespace postrider
