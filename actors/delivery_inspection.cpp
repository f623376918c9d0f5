// What is seen of DELIVERY.

#include "actors/delivery_routing.hpp"

#include <algorithm>
#include <cmath>

namespace postrider {

actor_status describe(delivery_self self) {
  auto& state = self->state;
  const auto now = now_of(self);
  const auto& gate = state.dispatch->gate();
  actor_status out;
  state.life.describe(out);
  out.path = state.given.path;
  out.kind = "delivery";
  out.mailbox = messages_waiting(*self);
  out.restarts = state.given.restarts;
  out.node = state.given.context->node_name;
  out.epoch = state.given.ownership.epoch;
  if (const auto at = state.dispatch->wake_at(now))
    out.next_wake_at = now.wall + std::chrono::duration_cast<milliseconds>(*at - now.mono);
  out.counters = {{"attempts_started", static_cast<std::int64_t>(state.started)},
                  {"attempts_succeeded", static_cast<std::int64_t>(state.succeeded)},
                  {"attempts_failed", static_cast<std::int64_t>(state.failed)},
                  {"attempts_interrupted", static_cast<std::int64_t>(state.interrupted)},
                  {"attempts_released", static_cast<std::int64_t>(state.released)},
                  {"deliveries_retried", static_cast<std::int64_t>(state.retries)},
                  {"deliveries_dead", static_cast<std::int64_t>(state.dead)},
                  {"breaker_opened", static_cast<std::int64_t>(state.opened)},
                  {"send_credits", std::max<std::int64_t>(0, state.credits->available())}, // lent and not taken
                  {"claims", static_cast<std::int64_t>(state.claims)},
                  {"claimed", static_cast<std::int64_t>(state.claimed)},
                  {"writes_missed", static_cast<std::int64_t>(state.missed)}};
  for (const auto lane : all_lanes)
    out.counters.emplace_back("ready_" + std::string{to_string(lane)},
                              static_cast<std::int64_t>(state.dispatch->ready(lane)));
  auto& part = out.delivery.emplace(actor_status::delivery_part{});
  part.breaker_state = to_string(gate.state);
  part.breaker_since = state.breaker_since;
  if (gate.next_at)
    part.next_probe_at = now.wall + std::chrono::duration_cast<milliseconds>(*gate.next_at - now.mono);
  part.consecutive_failures = gate.consecutive_failures;
  part.in_flight = state.dispatch->sending();
  part.window = state.dispatch->window();
  if (const auto tokens = state.dispatch->tokens(now.mono))
    part.tokens = static_cast<std::int64_t>(std::floor(std::max(0.0, *tokens)));
  part.backlog = static_cast<std::uint32_t>(state.dispatch->ready());
  part.last_outcomes.assign(state.last_outcomes.begin(), state.last_outcomes.end());
  return out;
}

} // namespace postrider
