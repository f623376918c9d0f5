#include "actors/tenant_supervisor.hpp"

#include <algorithm>
#include <string_view>

namespace postrider {

namespace {

tree_path place_of(tenant_supervisor_self self, tree_kind kind, std::string name) {
  const auto& state = self->state;
  return {state.given.context->node_name, state.given.config->slug, kind, std::move(name)};
}

bool wanted(const child_question& question, const tree_path& place) {
  if (question.exactly)
    return place.kind == question.from.kind && place.child == question.from.child;
  return std::tie(place.kind, place.child) > std::tie(question.from.kind, question.from.child);
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

/// Those with a record, by id. The order of their numbers is not that of their ids.
void add_deliveries(tenant_supervisor_self self, const child_question& question, supervisor_part& out) {
  std::vector<std::pair<tree_path, const delivery_child*>> found;
  for (const auto& [no, child] : self->state.deliveries)
    if (auto place = place_of(self, tree_kind::delivery, to_string(child.id)); wanted(question, place))
      found.emplace_back(std::move(place), &child);
  const auto count = std::min(found.size(), question.limit + 1);
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count), found.end(),
                    [](const auto& left, const auto& right) { return left.first < right.first; });
  found.resize(count);
  for (auto& [place, child] : found) {
    auto& part = out.children.emplace_back(part_of(self, *child, std::move(place)));
    if (child->phase == child_phase::running)
      part.delivery = child->actor;
  }
}

void add_verifiers(tenant_supervisor_self self, const child_question& question, supervisor_part& out) {
  for (const auto& [name, child] : self->state.verifiers) {
    if (out.children.size() > question.limit)
      return;
    auto place = place_of(self, tree_kind::provider_verifier, name);
    if (!wanted(question, place))
      continue;
    auto& part = out.children.emplace_back(part_of(self, child, std::move(place)));
    if (child.phase == child_phase::running)
      part.verifier = child.actor;
  }
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
