#include "actors/delivery_routing.hpp"

#include <caf/result.hpp>
#include <caf/send.hpp>
#include <caf/typed_response_promise.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace postrider {

namespace {

constexpr std::size_t outcomes_kept = 10;

void remember_outcome(delivery_state_data& state, const dispatch_effects::write& write) {
  auto word = write.uncount ? std::string{"released"} : std::string{to_string(write.outcome)};
  if (write.attempt_failure != attempt_reason::none)
    word.append(":").append(to_string(write.attempt_failure));
  if (write.http_status != 0)
    word.append(":").append(std::to_string(write.http_status));
  state.last_outcomes.push_front(std::move(word));
  if (state.last_outcomes.size() > outcomes_kept)
    state.last_outcomes.pop_back();
}

void count_outcome(delivery_state_data& state, const dispatch_effects::write& write, const dispatch_now& now) {
  auto& counts = state.given.context->counts;
  if (write.uncount) {
    ++state.released;
    return;
  }
  switch (write.outcome) {
  case attempt_outcome::succeeded:
    ++state.succeeded;
    counts.attempts_succeeded.add();
    counts.deliveries_succeeded.add();
    counts.delivery_latency.observe(
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, (now.wall - time_of(write.event.value)).count()) * 1'000));
    break;
  case attempt_outcome::failed:
    ++state.failed;
    ++(write.to == delivery_state::dead ? state.dead : state.retries);
    counts.attempts_failed.add();
    counts.attempt_failures[static_cast<std::size_t>(write.attempt_failure)].add();
    (write.to == delivery_state::dead ? counts.deliveries_dead : counts.deliveries_retried).add();
    break;
  case attempt_outcome::interrupted:
    ++state.interrupted;
    counts.attempts_interrupted.add();
    break;
  }
}

outcome_write to_store(const delivery_state_data& state, const dispatch_effects::write& write, const dispatch_now& now,
                       std::vector<attempt_result>& results) {
  outcome_write out;
  out.delivery = write.delivery;
  out.tenant = state.given.plan->config->no;
  out.endpoint = state.endpoint->no;
  out.under = write.under;
  out.number = write.number;
  out.claimed_until = write.claimed_until;
  out.ticket = write.ticket;
  out.to = write.to;
  out.reason = write.reason;
  out.step = write.step;
  out.next_attempt_at = write.next_attempt_at;
  out.uncount = write.uncount;
  out.prompt = write.prompt;
  out.owner = state.given.mailbox;
  if (!write.uncount) {
    auto& row = out.attempt.emplace(outcome_write::attempt_row{});
    row.outcome = write.outcome;
    row.reason = write.attempt_failure;
    row.http_status = write.http_status;
    row.started_at = now.wall;
    if (write.result_index >= 0) {
      auto& seen = results[static_cast<std::size_t>(write.result_index)];
      row.started_at = seen.started_at;
      row.duration = seen.duration;
      row.excerpt = std::move(seen.excerpt);
    }
  }
  return out;
}

void start_attempts(delivery_self self) {
  auto& state = self->state;
  if (state.effects.starts.empty())
    return;
  std::vector<attempt_request> requests;
  requests.reserve(state.effects.starts.size());
  for (auto& each : state.effects.starts)
    requests.push_back({.delivery = each.delivery,
                        .number = each.number,
                        .breaker_epoch = each.breaker_epoch,
                        .what = std::move(each.what),
                        .endpoint = state.endpoint,
                        .shard = state.given.plan->config->shard,
                        .under = state.dispatch->under(),
                        .owner = state.given.mailbox});
  state.started += requests.size();
  state.given.context->counts.attempts_started.add(requests.size());
  state.given.context->requests.start(std::move(requests));
}

void write_outcomes(delivery_self self, const dispatch_now& now, std::vector<attempt_result>& results) {
  auto& state = self->state;
  if (state.effects.writes.empty())
    return;
  std::vector<outcome_write> writes;
  writes.reserve(state.effects.writes.size());
  for (const auto& each : state.effects.writes) {
    count_outcome(state, each, now);
    remember_outcome(state, each);
    writes.push_back(to_store(state, each, now, results));
  }
  state.given.context->database.record(std::move(writes));
}

void claim(delivery_self self, const dispatch_now& now) {
  auto& state = self->state;
  if (!state.effects.wanted_claim)
    return;
  ++state.claims;
  claim_request request;
  request.tenant = state.given.plan->config->no;
  request.endpoint = state.endpoint->no;
  request.shard = state.given.plan->config->shard;
  request.under = state.dispatch->under();
  request.now = now.wall;
  request.attempt_deadline = state.effects.wanted_claim->until;
  request.limit = state.effects.wanted_claim->limit;
  request.backoff_before = state.effects.wanted_claim->backoff_before;
  request.due_from = state.effects.wanted_claim->due_from;
  request.order = std::move(state.effects.wanted_claim->order);
  request.turns = state.effects.wanted_claim->turns;
  request.held = state.held;
  request.late = state.effects.wanted_claim->late;
  request.replays = state.effects.wanted_claim->replays;
  request.priority = state.endpoint->priority;
  state.given.context->database.claim(request, [me = delivery_actor{self}, under = request.under](claim_result answer) {
    caf::anon_send(me, atom::claimed::value, hand(std::move(answer)), under);
  });
}

// With what waits for its breaker to be known.
work_size held_by(const delivery_state_data& state) {
  auto out = state.dispatch->held();
  out.rows += state.early.size();
  for (const auto& each : state.early)
    out.bytes += each.what->weight();
  return out;
}

void lend(delivery_self self) {
  auto& state = self->state;
  const auto free = state.restored ? state.dispatch->lendable(state.credits->taken(), self->clock().now()) : 0;
  if (free > 0)
    state.credits->lend(state.dispatch->under(), free);
  else
    state.credits->close();
}

// A DELIVERY at rest costs memory for nothing: its rows are in the database, the due poll and new events wake it again.
// The supervisor agrees only if it has sent nothing that was not seen here.
void leave_when_idle(delivery_self self, const dispatch_now& now) {
  auto& state = self->state;
  const auto idle_for = state.given.context->limits.delivery_idle;
  const auto next = state.dispatch->next_due();
  // While it may not send its rows wait in the database; the configuration that ends this wakes it again.
  const bool soon =
    state.dispatch->under() != 0 && state.dispatch->policy().active && next && *next < now.wall + idle_for;
  if (!state.restored || !state.dispatch->idle() || soon) {
    state.active_at = now.mono;
    return;
  }
  if (now.mono - state.active_at < idle_for)
    return set_timer(self, state.active_at + idle_for);
  state.credits->close();
  if (state.credits->taken() != 0) {
    set_timer(self, now.mono + idle_for);
    return lend(self);
  }
  state.active_at = now.mono; // a refusal is followed by what was not seen yet
  self->send(state.given.supervisor, atom::passivate::value, state.endpoint->no, state.seen);
}

void answer_drained(delivery_self self) {
  auto& state = self->state;
  if (!state.dispatch->idle())
    return;
  for (auto& each : state.drained)
    each.deliver(true);
  state.drained.clear();
}

} // namespace

void hold(delivery_state_data& state, work_size now) {
  if (!state.held)
    return;
  const auto before = state.held->held();
  state.held->hold(now);
  auto& counts = state.given.context->counts;
  counts.held_deliveries.add(static_cast<std::int64_t>(now.rows - before.rows));
  counts.held_bytes.add(static_cast<std::int64_t>(now.bytes - before.bytes));
}

dispatch_policy policy_of(const endpoint_config& endpoint, milliseconds disable_after) {
  return {.max_in_flight = endpoint.max_in_flight,
          .rate = endpoint.rate_limit_per_s ? std::optional{rate_of(*endpoint.rate_limit_per_s)} : std::nullopt,
          .retry = endpoint.retry,
          .breaker = endpoint.breaker,
          .claim_lasts = 4 * endpoint.timeout + milliseconds{30'000},
          .priority = endpoint.priority,
          .active = endpoint.status == endpoint_status::active,
          .disable_after = disable_after,
          .ordered = endpoint.ordering != delivery_ordering::parallel,
          .one_key = endpoint.ordering == delivery_ordering::fifo,
          .attempt_lasts = endpoint.timeout};
}

dispatch_now now_of(delivery_self self) {
  auto& state = self->state;
  return {self->clock().now(), state.given.context->wall_now(), state.random.draw(), state.held->most()};
}

void set_timer(delivery_self self, mono_time at) {
  auto& state = self->state;
  if (state.timer_at && *state.timer_at <= at)
    return; // the one that is set comes first and looks again
  state.timer_at = at;
  const auto delay = std::max(mono_time::duration::zero(), at - self->clock().now());
  self->delayed_send(self, delay, atom::tick::value, ++state.timer_number);
}

void apply(delivery_self self, const dispatch_now& now) {
  std::vector<attempt_result> none;
  apply(self, now, none);
}

void apply(delivery_self self, const dispatch_now& now, std::vector<attempt_result>& results) {
  auto& state = self->state;
  start_attempts(self);
  write_outcomes(self, now, results);
  claim(self, now);
  keep_runtime(self, now);
  if (state.effects.disable_endpoint)
    state.given.context->database.disable_endpoint(state.given.plan->config->no, state.endpoint->no,
                                                   std::string{state.effects.disable_reason});
  state.effects.clear();
  hold(state, held_by(state));
  lend(self);
  // Never far ahead: a delayed message keeps what is left of its actor until it goes off.
  if (const auto at = state.dispatch->wake_at(now))
    set_timer(self, std::min(*at, now.mono + state.given.context->limits.delivery_idle));
  if (!state.drained.empty())
    answer_drained(self);
  else
    leave_when_idle(self, now);
}

void on_committed(delivery_self self, committed_batch batch) {
  auto& state = self->state;
  ++state.seen;
  const auto now = now_of(self);
  std::vector<committed_ride> rides;
  rides.reserve(batch.rides.size());
  for (auto& each : batch.rides)
    rides.push_back({each.delivery, std::move(each.what), each.seed, each.under});
  if (!batch.pending.empty())
    state.dispatch->due(now.wall, now, state.effects);
  std::vector<std::string> keys;
  keys.reserve(batch.ordered.size());
  for (auto& each : batch.ordered)
    keys.push_back(std::move(each.key));
  if (!keys.empty())
    state.dispatch->due_keys(keys, now, state.effects);
  if (state.restored)
    state.dispatch->committed(std::move(rides), now, state.effects);
  else // the breaker decides about them as soon as it is known
    std::move(rides.begin(), rides.end(), std::back_inserter(state.early));
  apply(self, now);
}

void on_due(delivery_self self, wall_time at) {
  auto& state = self->state;
  ++state.seen;
  const auto now = now_of(self);
  state.dispatch->due(at, now, state.effects);
  apply(self, now);
}

void on_claimed(delivery_self self, claim_result answer, fence under) {
  auto& state = self->state;
  const auto now = now_of(self);
  claim_answer input;
  input.available = answer.available;
  input.owned = answer.owned;
  input.under = under;
  input.next_due = answer.next_due;
  input.due_by_lane = answer.due_by_lane;
  input.claimed.reserve(answer.claimed.size());
  state.claimed += answer.claimed.size();
  for (auto& each : answer.claimed)
    input.claimed.push_back(
      {each.delivery, std::move(each.what), each.number, each.step, each.seed, each.lane, std::move(each.place)});
  for (auto& each : answer.overdue_attempts)
    input.overdue.push_back({each.delivery, each.under, each.number, each.step, std::move(each.place)});
  for (auto& each : answer.blocked)
    input.blocked.push_back({std::move(each.key), each.due});
  input.look_on = std::move(answer.look_on);
  state.dispatch->claimed(std::move(input), now, state.effects);
  apply(self, now);
}

void on_finished(delivery_self self, std::vector<attempt_result> results) {
  auto& state = self->state;
  const auto now = now_of(self);
  std::vector<finished_attempt> inputs;
  inputs.reserve(results.size());
  for (const auto& each : results)
    inputs.push_back({each.delivery, each.number, each.breaker_epoch, each.facts, each.sent});
  state.dispatch->finished(inputs, now, state.effects);
  apply(self, now, results);
}

void on_recorded(delivery_self self, std::vector<record_result> results) {
  auto& state = self->state;
  const auto now = now_of(self);
  std::vector<recorded_write> inputs;
  inputs.reserve(results.size());
  for (const auto& each : results) {
    auto& input = inputs.emplace_back(recorded_write{each.delivery, each.ticket, each.recorded, {}});
    if (each.found)
      input.found = recorded_write::row{each.found->state, each.found->under};
    state.missed += each.recorded ? 0 : 1;
  }
  state.dispatch->recorded(inputs, now, state.effects);
  end_withdrawals(state);
  apply(self, now);
}

void on_lease(delivery_self self, shard_ownership ownership) {
  auto& state = self->state;
  ++state.seen;
  state.given.ownership = ownership;
  if (!state.restored)
    return; // owned as soon as the breaker is known
  const auto now = now_of(self);
  state.dispatch->own(ownership.under, now, state.effects);
  apply(self, now);
}

caf::result<bool> on_drain(delivery_self self) {
  auto& state = self->state;
  const auto now = now_of(self);
  state.dispatch->drain(now, state.effects);
  if (!state.restored && !state.early.empty()) { // released, for which no breaker is needed
    state.dispatch->own(state.given.ownership.under, now, state.effects);
    state.dispatch->committed(std::exchange(state.early, {}), now, state.effects);
  }
  auto promise = self->make_response_promise<bool>();
  state.drained.push_back(promise);
  apply(self, now);
  return promise;
}

} // namespace postrider
