#include "actors/tenant_supervisor.hpp"

#include <caf/send.hpp>

#include <algorithm>

namespace postrider {

namespace {

constexpr milliseconds closing_retry{1'000};
constexpr milliseconds settling_retry{50};

std::optional<std::size_t> index_of(const routing_plan& plan, endpoint_no endpoint) {
  const auto& all = plan.config->endpoints;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i].no == endpoint)
      return i;
  return std::nullopt;
}

// The endpoint was deleted after its deliveries were committed: nobody will send them (I2, I3). Or it is newer than the
// plan: then STORE touches nothing, and the plan is loaded anew; what is due is told again. Those of a deleted tenant
// are closed by STORE's own job. What its `last` DELIVERY has started is aborted first: no byte is sent of a delivery
// that is dead.
void close_deleted(tenant_supervisor_self self, endpoint_no endpoint, std::shared_ptr<delivery_mailbox> last = {}) {
  auto& state = self->state;
  if (state.gone || !state.closing_deleted.insert(endpoint).second)
    return;
  const auto* owner = last.get();
  auto close = [context = state.given.context, tenant = state.given.config->no, shard = state.given.config->shard,
                under = state.given.ownership.under, me = tenant_supervisor_actor{self}, endpoint,
                last = std::move(last)](std::vector<attempt_result>) {
    context->database.close_deleted(tenant, endpoint, shard, under, [me, endpoint](deleted_closing came_of) {
      if (came_of == deleted_closing::not_deleted)
        caf::anon_send(me, atom::changed::value);
      caf::anon_send(me, atom::closed::value, endpoint);
    });
  };
  if (owner)
    state.given.context->requests.abort(owner, std::move(close));
  else
    close({});
}

bool is_leaving(const tenant_supervisor_state& state, endpoint_no endpoint) {
  return std::any_of(state.leaving_deliveries.begin(), state.leaving_deliveries.end(),
                     [&](const auto& each) { return each.endpoint == endpoint; });
}

void close_credits(tenant_supervisor_state& state, endpoint_no endpoint) {
  if (const auto found = state.credits.find(endpoint); found != state.credits.end())
    found->second->close();
}

void spawn_delivery(tenant_supervisor_self self, endpoint_no endpoint, delivery_child& child, std::size_t plan_index) {
  auto& state = self->state;
  child.mailbox = std::make_shared<delivery_mailbox>();
  child.routed = 0;
  child.phase = child_phase::running;
  child.since = state.given.context->wall_now();
  child.id = state.plan->config->endpoints[plan_index].id;
  note_restart(child);
  delivery_arguments arguments;
  arguments.context = state.given.context;
  arguments.supervisor = tenant_supervisor_actor{self};
  arguments.mailbox = child.mailbox;
  arguments.plan = state.plan;
  arguments.plan_index = plan_index;
  arguments.ownership = state.given.ownership;
  arguments.restarts = child.budget.total;
  arguments.path = state.given.path + "/deliveries/" + to_string(state.plan->config->endpoints[plan_index].id);
  child.actor = self->spawn<caf::linked + caf::monitored>(delivery, std::move(arguments));
  if (!child.waiting.empty() || child.due) {
    committed_batch part;
    part.rides = std::exchange(child.waiting, {});
    if (std::exchange(child.due, false))
      part.pending.push_back(endpoint);
    ++child.routed;
    self->send(child.actor, atom::committed::value, hand(std::move(part)));
  }
}

// A child's restart goes from one message to the next. Each step has a number of its own, so that a timer of an earlier
// crash, or a late answer, takes no step twice: rides that were committed in between would be closed and sent as well.
std::uint64_t next_step(tenant_supervisor_state& state, delivery_child& child) {
  return child.step = ++state.steps;
}

// Nothing of the former incarnation runs any more once SENDER has answered; then its rows are closed as `interrupted`;
// then the next incarnation starts. While the database is away this is tried again, for ever.
void close_rows(tenant_supervisor_self self, endpoint_no endpoint, delivery_child& child) {
  auto& state = self->state;
  child.phase = child_phase::closing;
  const auto under = state.given.ownership.under;
  std::vector<delivery_id> known; // the next incarnation sends them
  known.reserve(child.waiting.size());
  for (const auto& each : child.waiting)
    known.push_back(each.delivery);
  auto close = [known = std::move(known), context = state.given.context, tenant = state.given.config->no,
                shard = state.given.config->shard, endpoint, under, step = next_step(state, child),
                me = tenant_supervisor_actor{self}](std::vector<attempt_result>) {
    context->database.close_interrupted(tenant, endpoint, shard, under, known,
                                        [me, endpoint, step](std::optional<std::size_t> closed) {
                                          caf::anon_send(me, atom::closed::value, endpoint, step, closed.has_value());
                                        });
  };
  if (child.mailbox)
    state.given.context->requests.abort(child.mailbox.get(), std::move(close));
  else
    close({});
}

// The endpoint's record, with a DELIVERY that runs or is on its way; nothing when it is not ours to run.
delivery_child* wake(tenant_supervisor_self self, endpoint_no endpoint) {
  auto& state = self->state;
  if (const auto it = state.deliveries.find(endpoint); it != state.deliveries.end())
    return &it->second;
  if (state.given.ownership.under == 0 || state.draining)
    return nullptr; // the owner hears of it by its own poll; a restart finds it
  const auto index = index_of(*state.plan, endpoint);
  if (!index) {
    if (!is_leaving(state, endpoint))
      close_deleted(self, endpoint);
    return nullptr;
  }
  auto& child = state.deliveries[endpoint];
  child.id = state.plan->config->endpoints[*index].id;
  child.since = state.given.context->wall_now();
  if (state.given.after_crash)
    close_rows(self, endpoint, child);
  else
    spawn_delivery(self, endpoint, child, *index);
  return &child;
}

} // namespace

std::string_view to_string(child_phase phase) noexcept {
  switch (phase) {
  case child_phase::running:
    return "running";
  case child_phase::waiting:
    return "restarting";
  case child_phase::closing:
    return "restarting";
  case child_phase::quarantined:
    return "quarantined";
  }
  return "unknown";
}

void route_to_delivery(tenant_supervisor_self self, endpoint_no endpoint, committed_batch part) {
  auto* child = wake(self, endpoint);
  if (!child)
    return;
  if (child->phase == child_phase::running) {
    ++child->routed;
    self->send(child->actor, atom::committed::value, hand(std::move(part)));
    return;
  }
  child->due = child->due || !part.pending.empty() || !part.ordered.empty();
  for (auto& ride : part.rides)
    if (child->waiting.size() < tenant_supervisor_state::rides_waiting_max)
      child->waiting.push_back(std::move(ride));
}

void route_due(tenant_supervisor_self self, endpoint_no endpoint, wall_time at) {
  auto* child = wake(self, endpoint);
  if (!child)
    return;
  if (child->phase == child_phase::running) {
    ++child->routed;
    self->send(child->actor, atom::due::value, to_unix_us(at));
  } else {
    child->due = true;
  }
}

void route_withdrawal(tenant_supervisor_self self, withdrawal_ptr what) {
  auto& state = self->state;
  const auto it = state.deliveries.find(what->endpoint());
  if (it == state.deliveries.end())
    return;
  auto& child = it->second;
  if (child.phase == child_phase::running) {
    ++child.routed;
    self->send(child.actor, atom::withdraw::value, hand(std::move(what)));
    return;
  }
  // Not known to the next incarnation: closed with the others, or by the look at open rides.
  std::erase_if(child.waiting, [&](const committed_batch::ride& each) {
    return std::find(what->deliveries().begin(), what->deliveries().end(), each.delivery) != what->deliveries().end();
  });
}

void let_delivery_go(tenant_supervisor_self self, endpoint_no endpoint, std::uint64_t seen) {
  auto& state = self->state;
  const auto it = state.deliveries.find(endpoint);
  if (it == state.deliveries.end() || it->second.phase != child_phase::running || it->second.routed != seen ||
      !self->current_sender() || it->second.actor->address() != self->current_sender()->address())
    return; // what it has not seen will reach it; or a former incarnation asked twice
  self->demonitor(it->second.actor->address());
  self->unlink_from(it->second.actor->address());
  self->send_exit(it->second.actor, caf::exit_reason::user_shutdown);
  close_credits(state, endpoint);
  state.deliveries.erase(it);
  state.given.context->counts.actors_passivated.add();
  ++state.passivated;
}

// Once, as soon as the shard is owned: later wakes find nothing that the first round has not closed.
void close_after_crash(tenant_supervisor_self self) {
  auto& state = self->state;
  if (!state.given.after_crash || state.given.ownership.under == 0 || state.draining)
    return;
  for (const auto& endpoint : state.plan->config->endpoints)
    wake(self, endpoint.no);
  state.given.after_crash = false;
}

bool delivery_went_down(tenant_supervisor_self self, const caf::actor_addr& who, bool crashed) {
  auto& state = self->state;
  const auto leaves = std::find_if(state.leaving_deliveries.begin(), state.leaving_deliveries.end(),
                                   [&](const auto& each) { return each.actor == who; });
  if (leaves != state.leaving_deliveries.end()) {
    const auto gone = std::move(*leaves);
    state.leaving_deliveries.erase(leaves);
    close_deleted(self, gone.endpoint, gone.mailbox);
    return true;
  }
  const auto it = std::find_if(state.deliveries.begin(), state.deliveries.end(), [&](const auto& each) {
    return each.second.phase == child_phase::running && each.second.actor->address() == who;
  });
  if (it == state.deliveries.end())
    return false;
  auto& [endpoint, child] = *it;
  child.actor = nullptr;
  child.since = state.given.context->wall_now();
  close_credits(state, endpoint);
  if (!crashed) {
    state.deliveries.erase(it);
    return true;
  }
  state.given.context->counts.actor_crashes.add();
  const auto step = on_crash(std::move(child.budget), self->clock().now(), state.given.context->limits.restarts);
  child.budget = step.next;
  child.phase = step.quarantined ? child_phase::quarantined : child_phase::waiting;
  child.settled = false;
  ++state.crashes;
  note_crash(child, step.quarantined, step.restart_after);
  if (step.quarantined) {
    state.given.context->counts.actor_quarantines.add();
    log_event(spdlog::level::err, "delivery actor quarantined", {{"actor", state.given.path}, {"endpoint", endpoint}});
  }
  self->delayed_send(self, step.restart_after, atom::restart::value, endpoint, next_step(state, child));
  return true;
}

void restart_delivery(tenant_supervisor_self self, endpoint_no endpoint, std::uint64_t step) {
  auto& state = self->state;
  const auto it = state.deliveries.find(endpoint);
  if (it == state.deliveries.end() || state.draining || it->second.step != step)
    return;
  auto& child = it->second;
  child.phase = child_phase::waiting; // a quarantine ends by its time
  // A credit that is out may still be committed as a ride, and a ride that is not known here would be closed and sent
  // as well.
  const auto credits = state.credits.find(endpoint);
  if (credits != state.credits.end() && credits->second->taken() > 0) {
    self->delayed_send(self, settling_retry, atom::restart::value, endpoint, step);
    return;
  }
  if (!std::exchange(child.settled,
                     true)) { // what was told before the last credit came back is in the mailbox: one turn more
    self->send(self, atom::restart::value, endpoint, step);
    return;
  }
  close_rows(self, endpoint, child);
}

void delivery_rows_closed(tenant_supervisor_self self, endpoint_no endpoint, std::uint64_t step, bool done) {
  auto& state = self->state;
  const auto it = state.deliveries.find(endpoint);
  if (it == state.deliveries.end() || it->second.step != step)
    return;
  const auto index = index_of(*state.plan, endpoint);
  if (!index) {
    state.deliveries.erase(it);
    return close_deleted(self, endpoint);
  }
  if (state.draining)
    return; // its rows are in the database; nothing new starts
  if (!done) {
    it->second.phase = child_phase::waiting;
    self->delayed_send(self, closing_retry, atom::restart::value, endpoint, next_step(state, it->second));
    return;
  }
  state.given.context->counts.actor_restarts.add();
  ++state.restarts;
  it->second.due = true; // what was closed is due at once
  spawn_delivery(self, endpoint, it->second, *index);
}

// A DELIVERY that is there looks by itself; one that left while nothing could be sent is not told of what waits, as the
// due poll passes such endpoints over.
void wake_resumed(tenant_supervisor_self self, const tenant_config& before) {
  auto& state = self->state;
  for (const auto& former : before.endpoints) {
    const auto index = former.status == endpoint_status::active ? std::nullopt : index_of(*state.plan, former.no);
    if (index && state.plan->config->endpoints[*index].status == endpoint_status::active &&
        !state.deliveries.contains(former.no))
      route_due(self, former.no, state.given.context->wall_now());
  }
}

void reconfigure_deliveries(tenant_supervisor_self self) {
  auto& state = self->state;
  for (auto it = state.deliveries.begin(); it != state.deliveries.end();) {
    auto& [endpoint, child] = *it;
    if (!index_of(*state.plan, endpoint)) {
      const auto gone = endpoint;
      const auto last = std::move(child);
      close_credits(state, gone);
      it = state.deliveries.erase(it);
      if (last.phase == child_phase::running) { // its monitor tells when it has ended
        state.leaving_deliveries.push_back({last.actor->address(), gone, last.mailbox});
        self->unlink_from(last.actor->address());
        self->send_exit(last.actor, caf::exit_reason::user_shutdown);
      } else {
        close_deleted(self, gone, last.mailbox);
      }
      continue;
    }
    if (child.phase == child_phase::running) {
      ++child.routed; // it may make it claim
      self->send(child.actor, atom::plan::value, state.plan);
    } else if (child.phase == child_phase::quarantined) {
      child.budget = {};
      child.phase = child_phase::waiting;
      child.settled = false;
      self->send(self, atom::restart::value, endpoint, next_step(state, child));
    }
    ++it;
  }
}

} // namespace postrider
