#include "actors/delivery.hpp"

#include "actors/delivery_routing.hpp"

#include <caf/send.hpp>
#include <caf/typed_response_promise.hpp>

#include <utility>

namespace postrider {

namespace {

using self_pointer = delivery_actor::stateful_pointer<delivery_state_data>;

constexpr milliseconds restore_retry{1'000};

// Loads the stored breaker; until it is known nothing is lent, claimed or sent.
void load_breaker(self_pointer self) {
  auto& state = self->state;
  state.given.context->database.load_runtime(
    state.endpoint->no, [me = delivery_actor{self}](result<std::optional<endpoint_runtime>> stored) {
      caf::anon_send(me, atom::loaded::value, hand(std::move(stored)));
    });
}

// Each reset that the configuration tells of is carried out once.
void follow_resets(delivery_state_data& state, const dispatch_now& now) {
  if (std::exchange(state.breaker_resets, state.endpoint->breaker_resets) < state.endpoint->breaker_resets)
    state.dispatch->reset_breaker(now, state.effects);
}

void restored(self_pointer self, const result<std::optional<endpoint_runtime>>& stored) {
  auto& state = self->state;
  if (state.restored || !state.dispatch)
    return;
  if (!stored) { // the database is away: again, until it answers
    set_timer(self, self->clock().now() + restore_retry);
    return;
  }
  const auto now = now_of(self);
  state.restored = true;
  state.breaker_since = now.wall;
  if (*stored) {
    const auto& known = **stored;
    state.breaker_since = known.since;
    endpoint_dispatch::memory memory{
      .gate =
        restored_breaker({known.state, known.opened_in_a_row, known.since, known.next_probe_at}, now.mono, now.wall),
      .clock = restored_clock(known.clock, now.mono, now.wall),
      .closed_at = known.state == breaker_state::closed ? std::optional{known.since} : std::nullopt,
      .failing_since = known.failing_since};
    state.dispatch->restore(memory, now, state.effects);
  }
  count_open_breaker(state, state.dispatch->gate().state != breaker_state::closed);
  state.dispatch->own(state.given.ownership.under, now, state.effects);
  state.dispatch->committed(std::exchange(state.early, {}), now, state.effects);
  follow_resets(state, now); // what was read may be older than the wish
  show_state(state, now.wall, "restored");
  apply(self, now);
}

void tick(self_pointer self, std::uint64_t number) {
  auto& state = self->state;
  if (number != state.timer_number || !state.dispatch)
    return;
  state.timer_at.reset();
  if (!state.restored)
    return load_breaker(self);
  const auto now = now_of(self);
  state.dispatch->timer(now, state.effects);
  apply(self, now);
}

void reconfigure(self_pointer self, routing_plan_ptr plan) {
  auto& state = self->state;
  ++state.seen;
  const auto wanted = state.endpoint->no;
  const auto& endpoints = plan->config->endpoints;
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    if (endpoints[i].no != wanted)
      continue;
    state.endpoint = {plan->config, &endpoints[i]};
    state.credits = plan->credits[i];
    state.given.plan = std::move(plan);
    state.held->share_by(weight_of(state.endpoint->priority));
    const auto now = now_of(self);
    state.dispatch->configure(policy_of(*state.endpoint, state.given.context->limits.disable_after), now,
                              state.effects);
    if (state.restored)
      follow_resets(state, now);
    if (state.restored)
      show_state(state, now.wall, "configured");
    return apply(self, now);
  }
}

} // namespace

void show_state(delivery_state_data& state, wall_time at, std::string_view cause) {
  const auto status = state.endpoint ? state.endpoint->status : endpoint_status::active;
  state.life.enter(
    at, status == endpoint_status::active ? to_string(state.dispatch->gate().state) : resting_word(status), cause);
}

void delivery_mailbox::finished(std::vector<attempt_result> results) {
  caf::anon_send(owner_, atom::finished::value, hand(std::move(results)));
}

void delivery_mailbox::recorded(std::vector<record_result> results) {
  caf::anon_send(owner_, atom::recorded::value, hand(std::move(results)));
}

// Runs however the actor ends. A crash, or its supervisor's, leaves nothing running for an incarnation that is gone.
// The credits are the supervisor's to close: a successor may lend them already.
delivery_state_data::~delivery_state_data() {
  if (!given.context)
    return;
  given.context->requests.abort(given.mailbox.get(), [](std::vector<attempt_result>) {});
  given.context->counts.actors_deliveries.add(-1);
  count_open_breaker(*this, false);
  hold(*this, {});
}

delivery_actor::behavior_type delivery(self_pointer self, delivery_arguments given) {
  auto& state = self->state;
  log_and_end_on_exception(self, given.path);
  given.mailbox->bind(delivery_actor{self});
  state.endpoint = {given.plan->config, &given.plan->config->endpoints.at(given.plan_index)};
  state.credits = given.plan->credits.at(given.plan_index);
  state.breaker_resets = state.endpoint->breaker_resets; // what is stored is younger than these
  state.given = std::move(given);
  state.random = state.given.context->new_chance();
  state.given.context->counts.actors_deliveries.add(1);
  state.held = std::make_shared<held_work>(state.given.plan->held, weight_of(state.endpoint->priority));
  state.dispatch.emplace(policy_of(*state.endpoint, state.given.context->limits.disable_after));
  state.active_at = self->clock().now();
  state.life.enter(state.given.context->wall_now(), "restoring", "started");
  load_breaker(self);

  return {
    [=](atom::committed, const handed<committed_batch>& batch) { on_committed(self, batch.take()); },
    [=](atom::due, std::int64_t at_us) { on_due(self, from_unix_us(at_us)); },
    [=](atom::claimed, const handed<claim_result>& answer, std::int64_t under) {
      on_claimed(self, answer.take(), under);
    },
    [=](atom::finished, const handed<std::vector<attempt_result>>& results) { on_finished(self, results.take()); },
    [=](atom::recorded, const handed<std::vector<record_result>>& results) { on_recorded(self, results.take()); },
    [=](atom::loaded, const handed<result<std::optional<endpoint_runtime>>>& stored) { restored(self, stored.look()); },
    [=](atom::plan, const routing_plan_ptr& plan) { reconfigure(self, plan); },
    [=](atom::leases, std::int64_t epoch, std::int64_t under) {
      on_lease(self, {epoch, under});
    },
    [=](atom::withdraw, const handed<withdrawal_ptr>& what) { on_withdraw(self, what.take()); },
    [=](atom::tick, std::uint64_t number) { tick(self, number); },
    [=](atom::drain) { return on_drain(self); },
    [=](atom::status) { return hand(describe(self)); },
  };
}

} // namespace postrider
