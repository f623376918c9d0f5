#include "actors/node.hpp"

#include <caf/result.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <utility>

namespace postrider {

namespace {

constexpr std::size_t unknown_kept_max = 10'000;
constexpr milliseconds due_horizon{2'000}; // what is due later is told again by the poll
constexpr milliseconds beat_gap{500};
// A number is never given again: a tenant that was not there is deleted, and stays so unless its configuration is told
// to have changed.
constexpr milliseconds unknown_number_gap{60'000};

constexpr milliseconds restart_look_up_retry{500}; // while the database is away

const std::string by_number = "#"; // no slug and no id begins so

void tell(node_self self, tenant_child& child, ingest_request_ptr request) {
  ++child.routed;
  self->send(child.actor, atom::ingest::value, std::move(request));
}

void spawn_supervisor(node_self self, tenant_no tenant, tenant_child& child, bool after_crash) {
  auto& state = self->state;
  tenant_supervisor_arguments arguments;
  arguments.context = state.given.context;
  arguments.parent = node_actor{self};
  arguments.config = child.config;
  arguments.ownership = state.shards[static_cast<std::size_t>(child.config->shard)];
  arguments.restarts = child.budget.total;
  arguments.after_crash = after_crash;
  arguments.path = state.path + "/tenants/" + child.config->slug;
  child.actor = self->spawn<caf::linked + caf::monitored>(tenant_supervisor, std::move(arguments));
  child.routed = 0;
  child.since = state.given.context->wall_now();
  state.by_slug[child.config->slug] = state.by_slug_or_id[child.config->slug] = tenant;
  state.by_slug_or_id[to_string(child.config->id)] = tenant;
  if (state.draining)
    caf::anon_send(child.actor, atom::drain::value);
}

void forget(node_self self, tenant_no tenant) {
  auto& state = self->state;
  const auto it = state.tenants.find(tenant);
  if (it == state.tenants.end())
    return;
  const auto unlist = [tenant](auto& names, const std::string& name) {
    if (const auto found = names.find(name); found != names.end() && found->second == tenant)
      names.erase(found);
  };
  const auto& config = *it->second.config;
  unlist(state.by_slug_or_id, config.slug);
  unlist(state.by_slug_or_id, to_string(config.id));
  unlist(state.by_slug, config.slug);
  state.tenants.erase(it);
}

// Starts a look-up unless one for that key runs already.
tenant_lookup& look_up(node_self self, const std::string& key, tenant_no tenant) {
  auto& state = self->state;
  const auto [it, added] = state.lookups.try_emplace(key);
  if (added)
    state.given.context->database.load_tenant({.slug_or_id = tenant == 0 ? key : std::string{}, .no = tenant},
                                              [me = node_actor{self}, key](result<tenant_config_ptr> loaded) {
                                                caf::anon_send(me, atom::loaded::value, key, hand(std::move(loaded)));
                                              });
  return it->second;
}

bool is_unknown(node_self self, const std::string& key) {
  const auto& until = self->state.unknown_until;
  const auto found = until.find(key);
  return found != until.end() && self->clock().now() < found->second;
}

void on_ingest(node_self self, ingest_request_ptr request) {
  auto& state = self->state;
  if (const auto known = state.by_slug_or_id.find(request->tenant); known != state.by_slug_or_id.end()) {
    auto& child = state.tenants.at(known->second);
    if (child.actor)
      return tell(self, child, std::move(request));
    return request->ticket.answer(ingest_result::unavailable); // it is being restarted
  }
  if (is_unknown(self, request->tenant))
    return request->ticket.answer(ingest_result::unknown);
  auto& lookup = look_up(self, request->tenant, 0);
  if (lookup.requests.size() >= state.given.context->limits.waiting_requests_max)
    return request->ticket.answer(ingest_result::overloaded);
  lookup.requests.push_back(std::move(request));
}

void not_found(node_self self, const std::string& key, const tenant_lookup& lookup) {
  auto& state = self->state;
  if (lookup.restarting != 0)
    forget(self, lookup.restarting); // STORE closes what a deleted tenant has
  if (!lookup.changed) {             // else it may be there by now
    if (state.unknown_until.size() >= unknown_kept_max)
      state.unknown_until.clear();
    const auto gap = key.starts_with(by_number) ? unknown_number_gap : state.given.context->limits.refresh_gap;
    state.unknown_until[key] = self->clock().now() + gap;
  }
  for (const auto& request : lookup.requests)
    request->ticket.answer(ingest_result::unknown);
}

void not_answered(node_self self, const tenant_lookup& lookup) {
  if (lookup.restarting != 0)
    self->delayed_send(self, restart_look_up_retry, atom::restart::value, lookup.restarting);
  for (const auto& request : lookup.requests)
    request->ticket.answer(ingest_result::unavailable);
}

// A tenant's first supervisor, or the one that a restart has waited for.
void start_supervisor(node_self self, tenant_config_ptr config, const tenant_lookup& lookup) {
  auto& state = self->state;
  const auto tenant = config->no;
  auto& child = state.tenants[tenant];
  const bool first = !child.config;
  if (child.actor || (!first && lookup.restarting == 0))
    return; // it runs, or its time to be restarted has not come
  child.config = std::move(config);
  spawn_supervisor(self, tenant, child, !first);
  if (lookup.changed)
    self->send(child.actor, atom::changed::value);
  if (first)
    return;
  state.given.context->counts.actor_restarts.add();
  child.retry_at.reset();
  note_transition(child.history, {child.since, child.history.front().to, "running", "restarted"});
}

void on_loaded(node_self self, const std::string& key, result<tenant_config_ptr> loaded) {
  auto& state = self->state;
  const auto found = state.lookups.find(key);
  if (found == state.lookups.end())
    return;
  const auto lookup = std::move(found->second);
  state.lookups.erase(found);
  if (loaded ? !*loaded : loaded.error().status == 404)
    return not_found(self, key, lookup);
  if (!loaded)
    return not_answered(self, lookup);
  state.unknown_until.erase(key);
  const auto tenant = (*loaded)->no;
  start_supervisor(self, std::move(*loaded), lookup);
  auto& child = state.tenants.at(tenant);
  if (!child.actor)
    return; // the tickets answer 503
  for (const auto& request : lookup.requests)
    tell(self, child, request);
  for (const auto& [endpoint, at] : lookup.due) {
    if (state.draining)
      break;
    ++child.routed;
    state.given.context->counts.due_hints.add();
    self->send(child.actor, atom::due::value, endpoint, to_unix_us(at));
  }
}

void on_due(node_self self, const std::vector<due_hint>& hints) {
  auto& state = self->state;
  const auto horizon = state.given.context->wall_now() + due_horizon;
  for (const auto& hint : hints) {
    if (hint.next_due > horizon || state.draining)
      continue;
    if (const auto it = state.tenants.find(hint.tenant); it != state.tenants.end()) {
      if (!it->second.actor)
        continue;
      ++it->second.routed;
      state.given.context->counts.due_hints.add();
      self->send(it->second.actor, atom::due::value, hint.endpoint, to_unix_us(hint.next_due));
    } else if (const auto key = by_number + std::to_string(hint.tenant); !is_unknown(self, key)) {
      look_up(self, key, hint.tenant).due[hint.endpoint] = hint.next_due;
    }
  }
}

void on_leases(node_self self, const std::vector<shard_lease>& mine) {
  auto& state = self->state;
  std::array<shard_ownership, shard_count> now{};
  for (const auto& lease : mine)
    now[static_cast<std::size_t>(lease.shard)] = {lease.epoch, lease.under};
  for (auto& [tenant, child] : state.tenants) {
    const auto shard = static_cast<std::size_t>(child.config->shard);
    if (child.actor && now[shard].under != state.shards[shard].under)
      self->send(child.actor, atom::leases::value, now[shard].epoch, now[shard].under);
  }
  state.shards = now;
  state.given.context->counts.shards_owned.set(static_cast<std::int64_t>(mine.size()));
  if (!state.draining)
    state.life.enter(state.given.context->wall_now(), mine.empty() ? "waiting_for_leases" : "owner", "leases");
}

// One that waits for its restart is looked up then.
void on_changed(node_self self, const std::vector<tenant_no>& tenants) {
  auto& state = self->state;
  state.unknown_until.clear(); // one of them may be new
  for (auto& [key, lookup] : state.lookups)
    lookup.changed = true;
  for (const auto tenant : tenants) {
    const auto it = state.tenants.find(tenant);
    if (it == state.tenants.end())
      continue;
    if (it->second.actor) {
      self->send(it->second.actor, atom::changed::value);
    } else if (std::exchange(it->second.quarantined, false)) { // what made it crash may be gone
      it->second.budget = {.crashes = {}, .total = it->second.budget.total, .released_at = {}};
      self->send(self, atom::restart::value, tenant);
    }
  }
}

void on_withdraw(node_self self, withdrawal_ptr what) {
  auto& state = self->state;
  const auto it = state.tenants.find(what->tenant());
  if (it == state.tenants.end() || !it->second.actor)
    return; // nothing of the tenant is in memory, or what was is closed by the restart
  ++it->second.routed;
  self->send(it->second.actor, atom::withdraw::value, hand(std::move(what)));
}

// Only if nothing was sent to it that it has not counted; and its VERIFIERs, which LISTENER reaches directly, are
// withdrawn by its end: what still comes is answered 503 by its ticket and sent again by the provider.
void let_supervisor_go(node_self self, tenant_no tenant, std::uint64_t seen) {
  auto& state = self->state;
  const auto it = state.tenants.find(tenant);
  if (it == state.tenants.end() || !it->second.actor || it->second.routed > seen)
    return;
  self->demonitor(it->second.actor->address());
  self->unlink_from(it->second.actor->address());
  self->send_exit(it->second.actor, caf::exit_reason::user_shutdown);
  forget(self, tenant);
  state.given.context->counts.actors_passivated.add();
}

void on_down(node_self self, const caf::down_msg& down) {
  auto& state = self->state;
  const auto it = std::find_if(state.tenants.begin(), state.tenants.end(), [&](const auto& each) {
    return each.second.actor && each.second.actor->address() == down.source;
  });
  if (it == state.tenants.end())
    return;
  auto& [tenant, child] = *it;
  child.actor = nullptr;
  child.since = state.given.context->wall_now();
  if (!down.reason || down.reason == caf::exit_reason::normal || down.reason == caf::exit_reason::user_shutdown)
    return forget(self, tenant);
  state.given.context->counts.actor_crashes.add();
  const auto step = on_crash(std::move(child.budget), self->clock().now(), state.given.context->limits.restarts);
  child.budget = step.next;
  child.quarantined = step.quarantined;
  child.retry_at = child.since + step.restart_after;
  note_transition(child.history, {child.since, "running", step.quarantined ? "quarantined" : "restarting", "crashed"});
  self->delayed_send(self, step.restart_after, atom::restart::value, tenant);
  if (!step.quarantined)
    return;
  state.given.context->counts.actor_quarantines.add();
  log_event(spdlog::level::err, "tenant supervisor quarantined", {{"tenant", child.config->slug}});
}

// Never from what its predecessor was spawned with: that may be an old url or secret, an endpoint that may not send any
// more, or lack one whose rows are due.
void restart_supervisor(node_self self, tenant_no tenant) {
  auto& state = self->state;
  const auto it = state.tenants.find(tenant);
  if (it == state.tenants.end() || it->second.actor)
    return;
  it->second.quarantined = false; // its time is over
  look_up(self, by_number + std::to_string(tenant), tenant).restarting = tenant;
}

void beat(node_self self) {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  self->state.given.beat->store(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count(),
                                std::memory_order_relaxed);
  self->state.next_beat_at = self->state.given.context->wall_now() + beat_gap;
  self->delayed_send(self, beat_gap, atom::tick::value);
}

} // namespace

node_actor::behavior_type node(node_self self, node_arguments given) {
  auto& state = self->state;
  state.given = std::move(given);
  state.path = "/node/" + state.given.context->node_name;
  log_and_end_on_exception(self, state.path);
  state.life.enter(state.given.context->wall_now(), "waiting_for_leases", "started");
  self->set_down_handler([=](const caf::down_msg& down) { on_down(self, down); });
  self->set_exit_handler([=](const caf::exit_msg& message) {
    for (const auto& [tenant, child] : self->state.tenants)
      if (child.actor && child.actor->address() == message.source)
        return; // its monitor tells
    if (message.reason == caf::exit_reason::user_shutdown || message.reason == caf::exit_reason::kill)
      self->quit(message.reason);
  });
  beat(self);
  return {
    [=](atom::ingest, const ingest_request_ptr& request) { on_ingest(self, request); },
    [=](atom::loaded, const std::string& key, const handed<result<tenant_config_ptr>>& loaded) {
      on_loaded(self, key, loaded.take());
    },
    [=](atom::due, const handed<std::vector<due_hint>>& hints) { on_due(self, hints.look()); },
    [=](atom::leases, const handed<std::vector<shard_lease>>& mine) { on_leases(self, mine.look()); },
    [=](atom::changed, const handed<std::vector<tenant_no>>& tenants) { on_changed(self, tenants.look()); },
    [=](atom::withdraw, const handed<withdrawal_ptr>& what) { on_withdraw(self, what.take()); },
    [=](atom::passivate, tenant_no tenant, std::uint64_t seen) { let_supervisor_go(self, tenant, seen); },
    [=](atom::restart, tenant_no tenant) { restart_supervisor(self, tenant); },
    [=](atom::tick) { beat(self); },
    [=](atom::drain) { return drain_node(self); },
    [=](atom::tree, const std::string& from, std::uint64_t count) { return hand(describe_tenants(self, from, count)); },
  };
}

} // namespace postrider
