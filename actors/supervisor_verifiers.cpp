#include "actors/tenant_supervisor.hpp"

#include <caf/send.hpp>

#include <algorithm>

namespace postrider {

namespace {

// Requests that are on their way to a VERIFIER that is let go still reach it: it leaves this much later.
constexpr milliseconds leave_delay{2'000};

const source_config* find_source(const tenant_config& config, std::string_view name_or_id) {
  for (const auto& each : config.sources)
    if (each.name == name_or_id || to_string(each.id) == name_or_id)
      return each.enabled ? &each : nullptr;
  return nullptr;
}

void spawn_verifier(tenant_supervisor_self self, const source_config& source, verifier_child& child) {
  auto& state = self->state;
  provider_verifier_arguments arguments;
  arguments.context = state.given.context;
  arguments.supervisor = tenant_supervisor_actor{self};
  arguments.plan = state.plan;
  arguments.source = source.no;
  arguments.restarts = child.budget.total;
  arguments.path = state.given.path + "/sources/" + source.name;
  arguments.epoch = state.given.ownership.epoch;
  arguments.used = child.used;
  child.actor = self->spawn<caf::linked + caf::monitored>(provider_verifier, std::move(arguments));
  child.phase = child_phase::running;
  child.since = state.given.context->wall_now();
  note_restart(child);
  state.given.context->verifiers.publish(state.given.config->slug, source.name, child.actor);
}

void let_verifier_go(tenant_supervisor_self self, const std::string& source, verifier_child& child) {
  if (child.phase != child_phase::running)
    return;
  self->state.given.context->verifiers.withdraw(self->state.given.config->slug, source, child.actor->address());
  self->demonitor(child.actor->address());
  self->unlink_from(child.actor->address());
  caf::delayed_anon_send(caf::actor_cast<caf::actor>(child.actor), leave_delay,
                         caf::exit_msg{self->address(), caf::exit_reason::user_shutdown});
}

} // namespace

const provider_verifier_actor* verifier_for(tenant_supervisor_self self, std::string_view name_or_id) {
  auto& state = self->state;
  if (!state.plan->config->enabled)
    return nullptr;
  const auto* source = find_source(*state.plan->config, name_or_id);
  if (!source)
    return nullptr;
  const auto [it, added] = state.verifiers.try_emplace(source->name);
  if (added)
    spawn_verifier(self, *source, it->second);
  return it->second.phase == child_phase::running ? &it->second.actor : nullptr;
}

bool has_source(tenant_supervisor_self self, std::string_view name_or_id) {
  const auto& config = *self->state.plan->config;
  return config.enabled && find_source(config, name_or_id) != nullptr;
}

bool verifier_went_down(tenant_supervisor_self self, const caf::actor_addr& who, bool crashed) {
  auto& state = self->state;
  const auto it = std::find_if(state.verifiers.begin(), state.verifiers.end(), [&](const auto& each) {
    return each.second.phase == child_phase::running && each.second.actor->address() == who;
  });
  if (it == state.verifiers.end())
    return false;
  auto& [source, child] = *it;
  state.given.context->verifiers.withdraw(state.given.config->slug, source, who);
  child.actor = nullptr;
  child.since = state.given.context->wall_now();
  if (!crashed) {
    state.verifiers.erase(it);
    return true;
  }
  state.given.context->counts.actor_crashes.add();
  const auto step = on_crash(std::move(child.budget), self->clock().now(), state.given.context->limits.restarts);
  child.budget = step.next;
  child.phase = step.quarantined ? child_phase::quarantined : child_phase::waiting;
  ++state.crashes;
  note_crash(child, step.quarantined, step.restart_after);
  if (step.quarantined) {
    state.given.context->counts.actor_quarantines.add();
    log_event(spdlog::level::err, "verifier actor quarantined", {{"actor", state.given.path}, {"source", source}});
  }
  self->delayed_send(self, step.restart_after, atom::restart::value, source);
  return true;
}

void restart_verifier(tenant_supervisor_self self, const std::string& source) {
  auto& state = self->state;
  const auto it = state.verifiers.find(source);
  if (it == state.verifiers.end() || it->second.phase == child_phase::running)
    return;
  if (const auto* config = find_source(*state.plan->config, source)) {
    state.given.context->counts.actor_restarts.add();
    ++state.restarts;
    spawn_verifier(self, *config, it->second);
  } else {
    state.verifiers.erase(it);
  }
}

void reconfigure_verifiers(tenant_supervisor_self self) {
  auto& state = self->state;
  for (auto it = state.verifiers.begin(); it != state.verifiers.end();) {
    auto& [source, child] = *it;
    if (child.phase == child_phase::running)
      self->send(child.actor, atom::plan::value, state.plan); // also to one that leaves: it refuses what still comes
    else if (child.phase == child_phase::quarantined) {
      child.budget = {};
      child.phase = child_phase::waiting;
      self->send(self, atom::restart::value, source);
    }
    if (find_source(*state.plan->config, source)) {
      ++it;
    } else {
      let_verifier_go(self, source, child);
      it = state.verifiers.erase(it);
    }
  }
}

void publish_verifiers(tenant_supervisor_self self, bool published) {
  auto& state = self->state;
  auto& all = state.given.context->verifiers;
  for (const auto& [source, child] : state.verifiers) {
    if (child.phase != child_phase::running)
      continue;
    if (published)
      all.publish(state.given.config->slug, source, child.actor);
    else
      all.withdraw(state.given.config->slug, source, child.actor->address());
  }
}

mono_time verifiers_used_at(const tenant_supervisor_state& state) {
  mono_time last{};
  for (const auto& [source, child] : state.verifiers)
    last = std::max(last, mono_time{mono_time::duration{child.used->load(std::memory_order_relaxed)}});
  return last;
}

} // namespace postrider
