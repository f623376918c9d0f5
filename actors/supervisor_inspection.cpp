#include "actors/tenant_supervisor.hpp"

#include <algorithm>
#include <optional>

namespace postrider {

namespace {

tree_path place_of(tenant_supervisor_self self, tree_kind kind, std::string name) {
  const auto& state = self->state;
  return {state.given.context->node_name, state.given.config->slug, kind, std::move(name)};
}

/// All that the parent knows, where nobody can be asked.
template <class Child>
actor_status known_of(tenant_supervisor_self self, const Child& child, const tree_path& place) {
  actor_status out;
  out.path = to_string(place);
  out.kind = to_string(place.kind);
  out.state = to_string(child.phase);
  out.since = child.since;
  out.restarts = child.budget.total;
  out.node = self->state.given.context->node_name;
  out.epoch = self->state.given.ownership.epoch;
  out.next_wake_at = child.retry_at;
  out.transitions = child.history;
  return out;
}

template <class Child>
supervisor_part::child part_of(tenant_supervisor_self self, const Child& child, tree_path place) {
  supervisor_part::child out;
  out.known = known_of(self, child, place);
  out.at = std::move(place);
  return out;
}

void add_delivery(tenant_supervisor_self self, const delivery_child& child, supervisor_part& out) {
  auto& part =
    out.children.emplace_back(part_of(self, child, place_of(self, tree_kind::delivery, to_string(child.id))));
  if (child.phase == child_phase::running)
    part.delivery = child.actor;
}

/// Those with a record, by id. The order of their numbers is not that of their ids; that of ids is that of their texts.
void add_deliveries(tenant_supervisor_self self, const child_question& question, supervisor_part& out) {
  const auto& children = self->state.deliveries;
  const auto& from = question.from;
  if (from.kind > tree_kind::delivery)
    return; // verifiers stand behind all of them
  const auto id = from.kind == tree_kind::delivery ? parse_id<endpoint_id>(from.child) : std::optional<endpoint_id>{};
  if (question.exactly) {
    const auto found =
      std::find_if(children.begin(), children.end(), [&](const auto& each) { return id && each.second.id == *id; });
    if (found != children.end())
      add_delivery(self, found->second, out);
    return;
  }
  std::vector<const delivery_child*> found;
  for (const auto& [no, child] : children)
    if (!id || child.id > *id)
      found.push_back(&child);
  const auto count = std::min(found.size(), question.limit + 1);
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count), found.end(),
                    [](const auto* left, const auto* right) { return left->id < right->id; });
  found.resize(count);
  for (const auto* child : found)
    add_delivery(self, *child, out);
}

void add_verifier(tenant_supervisor_self self, const std::string& name, const verifier_child& child,
                  supervisor_part& out) {
  auto& part = out.children.emplace_back(part_of(self, child, place_of(self, tree_kind::provider_verifier, name)));
  if (child.phase == child_phase::running)
    part.verifier = child.actor;
}

void add_verifiers(tenant_supervisor_self self, const child_question& question, supervisor_part& out) {
  const auto& children = self->state.verifiers; // by name
  const auto& from = question.from;
  if (question.exactly) {
    if (const auto found = children.find(from.child); found != children.end())
      add_verifier(self, found->first, found->second, out);
    return;
  }
  auto it = from.kind == tree_kind::provider_verifier ? children.upper_bound(from.child) : children.begin();
  for (; it != children.end() && out.children.size() <= question.limit; ++it)
    add_verifier(self, it->first, it->second, out);
}

template <class Children>
std::int64_t count_in(const Children& children, child_phase phase) {
  return std::count_if(children.begin(), children.end(), [&](const auto& each) { return each.second.phase == phase; });
}

} // namespace

actor_status describe_supervisor(tenant_supervisor_self self) {
  auto& state = self->state;
  const auto in_phase = [&](child_phase phase) {
    return count_in(state.verifiers, phase) + count_in(state.deliveries, phase);
  };
  actor_status out;
  state.life.describe(out);
  out.path = state.given.path;
  out.kind = to_string(tree_kind::tenant_supervisor);
  out.mailbox = messages_waiting(*self);
  out.restarts = state.given.restarts;
  out.children = static_cast<std::uint32_t>(state.verifiers.size() + state.deliveries.size());
  out.node = state.given.context->node_name;
  out.epoch = state.given.ownership.epoch;
  out.next_wake_at = state.next_look_at;
  out.counters = {{"config_version", state.plan->config->version},
                  {"requests_waiting", static_cast<std::int64_t>(state.waiting.size())},
                  {"verifiers", static_cast<std::int64_t>(state.verifiers.size())},
                  {"deliveries", static_cast<std::int64_t>(state.deliveries.size())},
                  {"children_restarting", in_phase(child_phase::waiting) + in_phase(child_phase::closing)},
                  {"children_quarantined", in_phase(child_phase::quarantined)},
                  {"crashes", static_cast<std::int64_t>(state.crashes)},
                  {"restarts", static_cast<std::int64_t>(state.restarts)},
                  {"passivated", static_cast<std::int64_t>(state.passivated)}};
  return out;
}

supervisor_part describe_children(tenant_supervisor_self self, const child_question& question) {
  supervisor_part out;
  if (question.deliveries)
    add_deliveries(self, question, out);
  if (question.verifiers)
    add_verifiers(self, question, out);
  out.more = out.children.size() > question.limit;
  if (out.more)
    out.children.resize(question.limit);
  return out;
}

} // namespace postrider
