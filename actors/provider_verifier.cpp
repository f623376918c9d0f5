#include "actors/provider_verifier.hpp"

#include "actors/ingest_verdict.hpp"
#include "core/failpoint.hpp"
#include "core/header_block.hpp"
#include "core/provider_verification.hpp"

#include <utility>

namespace postrider {

namespace {

using self_pointer = provider_verifier_actor::stateful_pointer<provider_verifier_state>;

constexpr milliseconds store_deadline{5'000};

void find_source(self_pointer self) {
  auto& state = self->state;
  state.source = nullptr;
  if (!state.given.plan || !state.given.plan->config->enabled)
    return;
  for (const auto& each : state.given.plan->config->sources)
    if (each.no == state.given.source && each.enabled)
      state.source = &each;
  state.route = std::make_shared<source_route>(provider_verifier_actor{self}, state.given.supervisor);
}

// One delivery for each endpoint that matches now, with the event's own time in its id, also when it is planned again:
// by that an event's deliveries are found among all others. A credit lets its first attempt ride on the accept's
// commit.
void plan_deliveries(self_pointer self, accept_item& item) {
  auto& state = self->state;
  const auto& config = *state.given.plan->config;
  const auto at = time_of(item.what->id.value);
  item.config_version = config.version;
  item.shard = config.shard;
  item.origin = state.route;
  item.deliveries.clear();
  order_key_reader keys{item.what->headers, item.what->body};
  const bool room = state.given.plan->held->has_room(); // else it waits in the database
  for (std::uint32_t i = 0; i < config.endpoints.size(); ++i) {
    const auto& endpoint = config.endpoints[i];
    if (!matches(endpoint, item.what->source, item.what->type))
      continue;
    auto& planned = item.deliveries.emplace_back();
    planned.id = {state.random.next_id(at)};
    planned.endpoint = endpoint.no;
    planned.seed = state.random.next_seed();
    planned.order_key = order_key_for(endpoint, keys);
    planned.lane = live_lane(endpoint.priority);
    if (endpoint.status != endpoint_status::active || planned.order_key || !room)
      continue;
    planned.credit = taken_credit::from(state.given.plan->credits[i]);
    planned.ride = static_cast<bool>(planned.credit);
    planned.under = planned.credit.under();
  }
}

void hand_to_store(self_pointer self, accept_item_ptr item) {
  auto& state = self->state;
  plan_deliveries(self, *item);
  ++item->plans;
  if (state.given.context->database.accept(item))
    return;
  ++state.overloaded;
  item->ticket.answer(ingest_result::overloaded);
}

// A verified webhook against the tenant's quota. True: it was refused, and answered so.
bool over_quota(self_pointer self, ingest_request& request) {
  auto& state = self->state;
  const auto answer = state.given.plan->quota->admit(request.body.size(), self->clock().now());
  if (answer.verdict == quota_verdict::admitted)
    return false;
  const bool full = answer.verdict == quota_verdict::backlog_full;
  ++(full ? state.backlog_full : state.rate_limited);
  request.ticket.refuse(full ? ingest_result::backlog_full : ingest_result::rate_limited, answer.retry_after);
  return true;
}

void accept(self_pointer self, ingest_request& request, verification verified,
            std::shared_ptr<const fixed_answer> response) {
  POSTRIDER_FAILPOINT("ingest.verified");
  auto& state = self->state;
  auto what = std::make_shared<event>();
  what->id = {state.random.next_id(state.given.context->wall_now())};
  what->tenant = state.given.plan->config->no;
  what->source = state.source->no;
  what->source_name = state.source->name;
  what->content_type = std::move(request.content_type);
  const auto& scheme = *state.source->rules;
  what->headers = without_credentials(request.headers, scheme.secret_headers);
  what->forward_headers = only_headers(request.headers, scheme.forwarded_headers);
  auto item = std::make_unique<accept_item>();
  item->dedupe_key = dedupe_key_of(*state.source, verified, request.body, what->id);
  what->type = std::move(verified.event_type);
  what->provider_event_id = std::move(verified.provider_event_id);
  what->body = std::move(request.body);
  item->what = std::move(what);
  item->ticket = std::move(request.ticket);
  item->ticket.accept_with(std::move(response));
  item->deadline = self->clock().now() + store_deadline;
  ++state.accepted;
  hand_to_store(self, std::move(item));
}

// One timer for all that waits: whoever comes later waits less, nobody waits longer.
void limit_waiting(self_pointer self) {
  auto& state = self->state;
  if (std::exchange(state.timed, true))
    return;
  state.timer_at = state.given.context->wall_now() + state.given.context->limits.plan_wait_max;
  self->delayed_send(self, state.given.context->limits.plan_wait_max, atom::tick::value, ++state.timer_number);
}

void count_refusal(self_pointer self, ingest_result answer, verify_reason reason) {
  auto& state = self->state;
  if (answer == ingest_result::rejected) {
    ++state.rejected;
    ++state.refusals[static_cast<std::size_t>(reason)];
    state.given.context->counts.ingest_refusals[static_cast<std::size_t>(reason)].add();
  } else {
    ++(answer == ingest_result::method ? state.wrong_methods : state.unknown);
  }
}

// A refusal may rest on an old configuration: ask, once for all that wait, and at most every `refresh_gap`.
void doubt_or_refuse(self_pointer self, ingest_request_ptr request, ingest_result answer,
                     verify_reason reason = verify_reason::ok, std::shared_ptr<const fixed_answer> response = {}) {
  auto& state = self->state;
  const auto& limits = state.given.context->limits;
  const bool fresh = self->clock().now() - state.confirmed_at < limits.refresh_gap;
  if (fresh || !state.given.plan || state.given.plan->gone) {
    count_refusal(self, answer, reason);
    const auto code = answer == ingest_result::rejected ? to_string(reason) : std::string_view{};
    return request->ticket.answer(answer, {}, code, std::move(response));
  }
  if (state.doubted.size() >= limits.waiting_requests_max) {
    ++state.overloaded;
    return request->ticket.answer(ingest_result::overloaded);
  }
  state.doubted.push_back(std::move(request));
  if (std::exchange(state.asked, true))
    return;
  self->send(state.given.supervisor, atom::refresh::value, state.given.plan->config->version);
  limit_waiting(self);
}

// The URL as the provider called it: what the source says of itself, or the request's own host, with the request's
// query.
std::string url_of(const source_config& source, const ingest_request& request) {
  const auto query = std::min(request.target.find('?'), request.target.size());
  const auto host = request.forwarded_host.empty() ? find_header(request.headers, "host").value
                                                   : std::string_view{request.forwarded_host};
  return public_url_of(source, (request.over_tls ? "https://" : "http://") + std::string{host} +
                                 request.target.substr(0, query)) +
         request.target.substr(query);
}

void on_ingest(self_pointer self, ingest_request_ptr request) {
  auto& state = self->state;
  state.given.used->store(self->clock().now().time_since_epoch().count(), std::memory_order_relaxed);
  if (!state.source)
    return doubt_or_refuse(self, std::move(request), ingest_result::unknown);
  const auto url = url_of(*state.source, *request);
  auto verified = verify_request(*state.source, {request->method, url, request->headers, request->body},
                                 state.given.context->wall_now());
  auto verdict = ingest_verdict(*state.source, verified);
  if (verdict.result == ingest_result::accepted && over_quota(self, *request))
    return;
  if (verdict.result == ingest_result::accepted)
    return accept(self, *request, std::move(verified), std::move(verdict.response));
  if (verdict.result != ingest_result::handshake)
    return doubt_or_refuse(self, std::move(request), verdict.result, verified.reason, std::move(verdict.response));
  ++state.handshakes;
  request->ticket.answer(verdict.result, {}, {}, std::move(verdict.response));
}

void on_plan(self_pointer self, routing_plan_ptr plan) {
  auto& state = self->state;
  state.given.plan = std::move(plan);
  state.confirmed_at = self->clock().now();
  state.asked = state.timed = false;
  ++state.timer_number; // nobody waits any more
  find_source(self);
  state.life.enter(state.given.context->wall_now(), state.source ? "verifying" : "refusing", "configuration");
  for (auto& request : std::exchange(state.doubted, {}))
    on_ingest(self, std::move(request));
  for (auto& item : std::exchange(state.refused, {})) {
    if (!state.source)
      item->ticket.answer(ingest_result::unknown);
    else if (item->plans >= state.given.context->limits.plans_max)
      item->ticket.answer(ingest_result::unavailable);
    else
      hand_to_store(self, std::move(item));
  }
}

void on_stale(self_pointer self, std::vector<accept_item_ptr> items) {
  auto& state = self->state;
  state.planned_again += items.size();
  if (!state.source) { // it had one when these were planned: the plan in hand is newer, and deleted it
    for (auto& item : items)
      item->ticket.answer(ingest_result::unknown);
    return;
  }
  for (auto& item : items)
    state.refused.push_back(std::move(item)); // bounded by what was admitted
  self->send(state.given.supervisor, atom::changed::value);
  limit_waiting(self);
}

// No configuration came: neither an acceptance nor a refusal is certain. Sending again is safe.
void give_up_waiting(self_pointer self, std::uint64_t number) {
  auto& state = self->state;
  if (number != state.timer_number)
    return;
  state.asked = state.timed = false;
  state.gave_up += state.doubted.size() + state.refused.size();
  state.doubted.clear(); // their tickets answer 503
  state.refused.clear();
}

actor_status describe(self_pointer self) {
  auto& state = self->state;
  actor_status out;
  state.life.describe(out);
  out.path = state.given.path;
  out.kind = "provider_verifier";
  out.mailbox = messages_waiting(*self);
  out.restarts = state.given.restarts;
  out.node = state.given.context->node_name;
  out.epoch = state.given.epoch;
  out.counters = {{"accepted", static_cast<std::int64_t>(state.accepted)},
                  {"rejected", static_cast<std::int64_t>(state.rejected)},
                  {"unknown", static_cast<std::int64_t>(state.unknown)},
                  {"handshakes", static_cast<std::int64_t>(state.handshakes)},
                  {"wrong_methods", static_cast<std::int64_t>(state.wrong_methods)},
                  {"overloaded", static_cast<std::int64_t>(state.overloaded)},
                  {"rate_limited", static_cast<std::int64_t>(state.rate_limited)},
                  {"backlog_full", static_cast<std::int64_t>(state.backlog_full)},
                  {"gave_up", static_cast<std::int64_t>(state.gave_up)},
                  {"planned_again", static_cast<std::int64_t>(state.planned_again)},
                  {"waiting", static_cast<std::int64_t>(state.doubted.size() + state.refused.size())}};
  for (std::size_t i = 1; i < state.refusals.size(); ++i) // every reason, also those that did not happen
    out.counters.emplace_back("rejected:" + std::string{to_string(static_cast<verify_reason>(i))}, state.refusals[i]);
  if (state.timed)
    out.next_wake_at = state.timer_at;
  return out;
}

} // namespace

provider_verifier_state::~provider_verifier_state() {
  if (given.context)
    given.context->counts.actors_verifiers.add(-1);
}

provider_verifier_actor::behavior_type provider_verifier(self_pointer self, provider_verifier_arguments given) {
  auto& state = self->state;
  log_and_end_on_exception(self, given.path);
  state.given = std::move(given);
  state.random = state.given.context->new_chance();
  state.given.context->counts.actors_verifiers.add(1);
  find_source(self);
  state.life.enter(state.given.context->wall_now(), state.source ? "verifying" : "refusing", "started");
  return {
    [=](atom::ingest, const ingest_request_ptr& request) { on_ingest(self, request); },
    [=](atom::plan, const routing_plan_ptr& plan) { on_plan(self, plan); },
    [=](atom::stale, const handed<std::vector<accept_item_ptr>>& items) { on_stale(self, items.take()); },
    [=](atom::tick, std::uint64_t number) { give_up_waiting(self, number); },
    [=](atom::status) { return hand(describe(self)); },
  };
}

} // namespace postrider
