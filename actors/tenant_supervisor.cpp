#include "actors/tenant_supervisor.hpp"

#include <caf/result.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <utility>

namespace postrider {

namespace {

using self_pointer = tenant_supervisor_self;

constexpr milliseconds reload_retry{500};
constexpr milliseconds child_answer_max{1'500};
constexpr milliseconds backlog_gap{1'000}; // how old the backlog may be that a quota is held against
constexpr std::uint64_t idle_tick = 0;
constexpr std::uint64_t reload_tick = 1;
constexpr std::uint64_t leave_tick = 2;
constexpr std::uint64_t backlog_tick = 3;
// From the withdrawal of the VERIFIERs to the question: whatever LISTENER had found before is in a mailbox by then, and
// read.
constexpr milliseconds leave_delay{2'000};

routing_plan_ptr make_plan(self_pointer self, tenant_config_ptr config) {
  auto& state = self->state;
  auto plan = std::make_shared<routing_plan>();
  plan->credits.reserve(config->endpoints.size());
  for (const auto& endpoint : config->endpoints) {
    auto& credits = state.credits[endpoint.no];
    if (!credits)
      credits = std::make_shared<send_credits>();
    plan->credits.push_back(credits);
  }
  state.quota->configure(config->quotas);
  plan->quota = state.quota;
  if (!state.held)
    state.held = std::make_shared<held_work>(state.given.context->held, parent_weight);
  plan->held = state.held;
  plan->config = std::move(config);
  return plan;
}

// The answer goes straight to the quota: it is shared with other threads anyway, and needs nobody's turn.
void read_backlog(self_pointer self) {
  auto& state = self->state;
  if (state.quota->has_backlog() && !std::exchange(state.backlog_set, true))
    self->delayed_send(self, backlog_gap, atom::tick::value, backlog_tick);
  if (!state.quota->begin_reading())
    return;
  state.given.context->database.count_live(state.given.config->no, [quota = state.quota](result<std::int64_t> live) {
    if (live)
      quota->backlog_is(*live);
    else
      quota->reading_failed();
  });
}

// Something came: it stays.
void active(self_pointer self) {
  auto& state = self->state;
  state.active_at = self->clock().now();
  if (std::exchange(state.leaving, false))
    publish_verifiers(self, true);
}

// Nothing to do for `tenant_idle`, and no ride on its way. Its VERIFIERs work without asking it: they leave the time of
// their last use.
bool is_idle(self_pointer self, milliseconds for_at_least) {
  auto& state = self->state;
  const auto used = std::max(state.active_at, verifiers_used_at(state));
  return state.deliveries.empty() && self->clock().now() - used >= for_at_least &&
         std::all_of(state.credits.begin(), state.credits.end(),
                     [](const auto& each) { return each.second->taken() == 0; });
}

void load(self_pointer self) {
  auto& state = self->state;
  if (std::exchange(state.loading, true)) {
    state.load_again = true; // what is on its way may be too old
    return;
  }
  state.given.context->database.load_tenant({.slug_or_id = {}, .no = state.given.config->no},
                                            [me = tenant_supervisor_actor{self}](result<tenant_config_ptr> loaded) {
                                              caf::anon_send(me, atom::loaded::value, hand(std::move(loaded)));
                                            });
}

// A request for a source without a known VERIFIER: from NODE, or from LISTENER's miss.
void on_ingest(self_pointer self, ingest_request_ptr request) {
  auto& state = self->state;
  ++state.routed;
  active(self);
  if (const auto* verifier = verifier_for(self, request->source)) {
    self->send(*verifier, atom::ingest::value, std::move(request));
    return;
  }
  if (has_source(self, request->source))
    return request->ticket.answer(ingest_result::unavailable);
  if (state.waiting.size() >= state.given.context->limits.waiting_requests_max)
    return request->ticket.answer(ingest_result::overloaded);
  const bool fresh = state.active_at - state.loaded_at < state.given.context->limits.refresh_gap;
  if (fresh && !state.loading)
    return request->ticket.answer(ingest_result::unknown);
  state.waiting.push_back(std::move(request));
  if (!state.loading)
    load(self);
}

void answer_waiting(self_pointer self, bool confirmed) {
  auto& state = self->state;
  for (auto& request : std::exchange(state.waiting, {})) {
    if (const auto* verifier = verifier_for(self, request->source))
      self->send(*verifier, atom::ingest::value, std::move(request));
    else
      request->ticket.answer(confirmed && !has_source(self, request->source) ? ingest_result::unknown
                                                                             : ingest_result::unavailable);
  }
}

// The tenant is deleted: its VERIFIERs refuse, its DELIVERYs end; NODE forgets it.
void tenant_is_gone(self_pointer self) {
  auto& state = self->state;
  state.gone = true;
  auto gone = std::make_shared<tenant_config>(*state.given.config);
  gone->enabled = false;
  gone->sources.clear();
  gone->endpoints.clear();
  auto plan = std::make_shared<routing_plan>(*make_plan(self, std::move(gone)));
  plan->gone = true;
  state.plan = std::move(plan);
  reconfigure_verifiers(self);
  reconfigure_deliveries(self);
  answer_waiting(self, true);
  self->send(state.given.parent, atom::passivate::value, state.given.config->no, state.routed);
}

void on_loaded(self_pointer self, result<tenant_config_ptr> loaded) {
  auto& state = self->state;
  state.loading = false;
  const bool gone = loaded ? !*loaded : loaded.error().status == 404;
  if (!loaded && !gone) {
    answer_waiting(self, false);
    state.askers.clear(); // their requests time out: 503
    if (!std::exchange(state.reload_set, true))
      self->delayed_send(self, reload_retry, atom::tick::value, reload_tick);
    return;
  }
  state.loaded_at = self->clock().now();
  if (gone)
    return tenant_is_gone(self);
  const bool newer = (*loaded)->version > state.plan->config->version;
  if (newer) {
    const auto before = std::exchange(state.given.config, *loaded);
    state.plan = make_plan(self, std::move(*loaded));
    reconfigure_verifiers(self);
    reconfigure_deliveries(self);
    wake_resumed(self, *before);
    read_backlog(self);
  }
  for (const auto& each : std::exchange(state.askers, {}))
    self->send(each, atom::plan::value, state.plan);
  answer_waiting(self, true);
  if (std::exchange(state.load_again, false))
    load(self);
}

void on_refresh(self_pointer self, std::int64_t version) {
  auto& state = self->state;
  auto asker = caf::actor_cast<provider_verifier_actor>(self->current_sender());
  const auto age = self->clock().now() - state.loaded_at;
  if (version < state.plan->config->version || (age < state.given.context->limits.refresh_gap && !state.loading)) {
    self->send(asker, atom::plan::value, state.plan);
    return;
  }
  state.askers.push_back(std::move(asker));
  if (!state.loading)
    load(self);
}

// A VERIFIER's plan was refused by the database, or the poll saw a change.
void on_changed(self_pointer self) {
  auto& state = self->state;
  if (const auto sender = self->current_sender()) {
    for (const auto& [source, child] : state.verifiers)
      if (child.phase == child_phase::running && child.actor->address() == sender->address())
        state.askers.push_back(child.actor);
  }
  load(self);
}

void on_committed(self_pointer self, committed_batch batch) {
  active(self);
  std::map<endpoint_no, committed_batch> parts;
  for (auto& ride : batch.rides)
    parts[ride.endpoint].rides.push_back(std::move(ride));
  for (const auto endpoint : batch.pending)
    parts[endpoint].pending.assign(1, endpoint);
  for (auto& each : batch.ordered)
    parts[each.endpoint].ordered.push_back(std::move(each));
  for (auto& [endpoint, part] : parts)
    route_to_delivery(self, endpoint, std::move(part));
}

void on_leases(self_pointer self, shard_ownership ownership) {
  auto& state = self->state;
  state.given.ownership = ownership;
  state.life.enter(state.given.context->wall_now(), ownership.under != 0 ? "owner" : "not_owner", "leases");
  for (auto& [endpoint, child] : state.deliveries)
    if (child.phase == child_phase::running) {
      ++child.routed;
      self->send(child.actor, atom::leases::value, ownership.epoch, ownership.under);
    }
  close_after_crash(self);
}

void look_at_idle(self_pointer self) {
  auto& state = self->state;
  const auto after = state.given.context->limits.tenant_idle;
  state.next_look_at = state.given.context->wall_now() + after;
  self->delayed_send(self, after, atom::tick::value, idle_tick);
}

void on_tick(self_pointer self, std::uint64_t what) {
  auto& state = self->state;
  if (what == reload_tick) {
    state.reload_set = false;
    return load(self);
  }
  if (what == backlog_tick) {
    state.backlog_set = false;
    return read_backlog(self);
  }
  const auto idle_for = state.given.context->limits.tenant_idle;
  if (what == leave_tick) {
    if (!state.leaving)
      return;
    if (!is_idle(self, idle_for))
      return active(self);
    self->send(state.given.parent, atom::passivate::value, state.given.config->no,
               state.routed); // if not, something comes
    return;
  }
  look_at_idle(self);
  if (state.leaving || !is_idle(self, idle_for))
    return;
  state.leaving = true;
  publish_verifiers(self, false);
  self->delayed_send(self, leave_delay, atom::tick::value, leave_tick);
}

void on_down(self_pointer self, const caf::down_msg& down) {
  const bool crashed =
    down.reason && down.reason != caf::exit_reason::normal && down.reason != caf::exit_reason::user_shutdown;
  if (!delivery_went_down(self, down.source, crashed))
    verifier_went_down(self, down.source, crashed);
}

// Links end the children with their supervisor. The other way round a child's end is told by its monitor, and ends
// nobody else.
void on_exit(self_pointer self, const caf::exit_msg& message) {
  auto& state = self->state;
  if (message.source == state.given.parent->address() || message.reason == caf::exit_reason::user_shutdown ||
      message.reason == caf::exit_reason::kill) {
    const bool child = std::any_of(state.deliveries.begin(), state.deliveries.end(),
                                   [&](const auto& each) {
                                     return each.second.actor && each.second.actor->address() == message.source;
                                   }) ||
                       std::any_of(state.verifiers.begin(), state.verifiers.end(), [&](const auto& each) {
                         return each.second.actor && each.second.actor->address() == message.source;
                       });
    if (!child)
      self->quit(message.reason);
  }
}

caf::result<bool> on_drain(self_pointer self) {
  auto& state = self->state;
  state.draining = true;
  state.life.enter(state.given.context->wall_now(), "draining", "shutdown");
  auto promise = self->make_response_promise<bool>();
  auto left = std::make_shared<countdown>([promise]() mutable { promise.deliver(true); });
  for (auto& [endpoint, child] : state.deliveries) {
    if (child.phase != child_phase::running)
      continue;
    left->expect();
    self
      ->request(child.actor, caf::infinite, atom::drain::value) // the engine's drain has the deadline
      .then([left](bool) { left->done(); }, [left](const caf::error&) { left->done(); });
  }
  left->done();
  return promise;
}

} // namespace

tenant_supervisor_state::~tenant_supervisor_state() {
  if (!given.context)
    return;
  for (const auto& [source, child] : verifiers)
    if (child.actor)
      given.context->verifiers.withdraw(given.config->slug, source, child.actor->address());
  for (const auto& [endpoint, each] : credits)
    each->close();
  given.context->counts.actors_tenants.add(-1);
}

tenant_supervisor_actor::behavior_type tenant_supervisor(self_pointer self, tenant_supervisor_arguments given) {
  auto& state = self->state;
  log_and_end_on_exception(self, given.path);
  state.given = std::move(given);
  state.given.context->counts.actors_tenants.add(1);
  state.plan = make_plan(self, state.given.config);
  state.active_at = state.loaded_at = self->clock().now();
  state.life.enter(state.given.context->wall_now(), state.given.ownership.under != 0 ? "owner" : "not_owner",
                   "started");
  self->set_down_handler([=](const caf::down_msg& down) { on_down(self, down); });
  self->set_exit_handler([=](const caf::exit_msg& message) { on_exit(self, message); });
  look_at_idle(self);
  read_backlog(self);
  close_after_crash(self);
  return {
    [=](atom::ingest, const ingest_request_ptr& request) { on_ingest(self, request); },
    [=](atom::committed, const handed<committed_batch>& batch) { on_committed(self, batch.take()); },
    [=](atom::due, endpoint_no endpoint, std::int64_t at_us) {
      ++self->state.routed;
      self->state.given.context->counts.due_hints_taken.add();
      active(self);
      route_due(self, endpoint, from_unix_us(at_us));
    },
    [=](atom::withdraw, const handed<withdrawal_ptr>& what) {
      ++self->state.routed;
      active(self);
      route_withdrawal(self, what.take());
    },
    [=](atom::changed) { on_changed(self); },
    [=](atom::refresh, std::int64_t version) { on_refresh(self, version); },
    [=](atom::loaded, const handed<result<tenant_config_ptr>>& loaded) { on_loaded(self, loaded.take()); },
    [=](atom::leases, std::int64_t epoch, std::int64_t under) {
      on_leases(self, {epoch, under});
    },
    [=](atom::passivate, endpoint_no endpoint, std::uint64_t seen) { let_delivery_go(self, endpoint, seen); },
    [=](atom::closed, endpoint_no endpoint) { self->state.closing_deleted.erase(endpoint); },
    [=](atom::closed, endpoint_no endpoint, std::uint64_t step, bool done) {
      delivery_rows_closed(self, endpoint, step, done);
    },
    [=](atom::restart, endpoint_no endpoint, std::uint64_t step) { restart_delivery(self, endpoint, step); },
    [=](atom::restart, const std::string& source) { restart_verifier(self, source); },
    [=](atom::tick, std::uint64_t what) { on_tick(self, what); },
    [=](atom::drain) { return on_drain(self); },
    [=](atom::status) { return hand(describe_supervisor(self)); },
    [=](atom::tree, const handed<child_question>& question) { return hand(describe_children(self, question.look())); },
  };
}

} // namespace postrider
