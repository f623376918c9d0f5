// What outlives a DELIVERY of its endpoint (breaker, clock, failures), and what is shown of the breaker meanwhile.

#include "actors/delivery_routing.hpp"

#include <utility>

namespace postrider {

namespace {

void show_breaker(delivery_self self, const dispatch_now& now) {
  auto& state = self->state;
  const auto& gate = state.dispatch->gate();
  auto& counts = state.given.context->counts;
  count_open_breaker(state, gate.state != breaker_state::closed);
  state.opened += gate.state == breaker_state::open ? 1 : 0;
  if (gate.state == breaker_state::open)
    counts.breaker_opened.add();
  else if (gate.state == breaker_state::closed)
    counts.breaker_closed.add();
  state.breaker_since = now.wall;
  show_state(state, now.wall, state.effects.breaker_cause);
}

} // namespace

void count_open_breaker(delivery_state_data& state, bool open) {
  if (std::exchange(state.counted_open, open) != open)
    state.given.context->counts.breakers_open.add(open ? 1 : -1);
}

void keep_runtime(delivery_self self, const dispatch_now& now) {
  auto& state = self->state;
  if (!state.effects.breaker_changed && !state.effects.clock_changed)
    return;
  if (state.effects.breaker_changed)
    show_breaker(self, now);
  const auto& gate = state.dispatch->gate();
  endpoint_runtime runtime;
  runtime.tenant = state.given.plan->config->no;
  runtime.endpoint = state.endpoint->no;
  runtime.state = gate.state;
  runtime.opened_in_a_row = gate.opened_in_a_row;
  runtime.since = state.breaker_since;
  runtime.clock = to_store(state.dispatch->clock(), now.mono, now.wall);
  runtime.failing_since = state.dispatch->failing_since();
  if (gate.next_at)
    runtime.next_probe_at = now.wall + std::chrono::ceil<milliseconds>(*gate.next_at - now.mono);
  state.given.context->database.save_runtime(runtime, state.given.plan->config->shard, state.dispatch->last_under(),
                                             std::string{state.effects.breaker_cause});
}

} // namespace postrider
