#include "tests/simulation/stormy_sender.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace postrider::simulation {

using namespace std::chrono_literals;

stormy_sender::stormy_sender(surroundings& around, timeline& jobs, std::map<endpoint_no, gate_check>& gates,
                             delivery_check& checks)
    : around_{around}, jobs_{jobs}, gates_{gates}, checks_{checks} {}

std::optional<milliseconds> stormy_sender::retry_after(const delivery_id& delivery) const {
  const auto found = retry_after_.find(delivery);
  return found == retry_after_.end() ? std::nullopt : std::optional{found->second};
}

void stormy_sender::start(std::vector<attempt_request> attempts) {
  if (ended_)
    return;
  if (around_.sky.throws > 0 && around_.chance.chance(around_.sky.throws)) {
    around_.note("throw start");
    around_.disturb(0);
    throw std::runtime_error("the storm hit start");
  }
  for (auto& each : attempts) {
    around_.note("start", around_.number_of(each.delivery), each.endpoint->no, each.number);
    gates_[each.endpoint->no].started(each, around_.wall());
    check_may_start(each);
    const auto ticket = ++tickets_;
    running_.emplace(ticket, std::move(each));
    jobs_.at(around_.now + around_.chance.between(0ms, 5ms), [this, ticket] { first_byte(ticket); });
  }
}

void stormy_sender::check_may_start(const attempt_request& request) const {
  const auto& endpoint = *request.endpoint;
  if (endpoint.status != endpoint_status::active)
    violated("a request is started although its endpoint is paused or disabled: endpoint", endpoint.no);
  const auto running = std::count_if(running_.begin(), running_.end(),
                                     [&](const auto& each) { return each.second.owner == request.owner; });
  if (running >= static_cast<std::ptrdiff_t>(endpoint.max_in_flight))
    violated("more requests at once than the window: endpoint, window", endpoint.no, endpoint.max_in_flight);
  if (told_lost(request.what->tenant))
    violated("I7: a request is started under a lost lease: endpoint", endpoint.no);
  const auto* stored = around_.database.rows.find(request.delivery);
  if (stored->state == delivery_state::in_flight && stored->attempt_count == request.number &&
      stored->next_attempt_at && *stored->next_attempt_at <= around_.wall())
    violated("a request is started after its claim's time was over: endpoint, attempt", endpoint.no, request.number);
}

// An actor that lives on sends nothing again of which it has heard that it was received, where nothing happened to its
// row meanwhile: no take-over, no outage, no call that was executed when nobody waited for it any more.
void stormy_sender::check_not_heard(const attempt_request& request) const {
  const auto found = heard_.find(request.delivery);
  if (found != heard_.end() && found->second.by == request.owner &&
      !around_.disturbed(request.endpoint->no, found->second.started_at, around_.wall()))
    violated("I6: sent again by an actor that heard of its 2xx: endpoint, attempt", request.endpoint->no,
             request.number);
}

void stormy_sender::end() {
  ended_ = true;
  for (const auto& [ticket, request] : running_)
    leave_turn(request);
}

void stormy_sender::check_turn(const attempt_request& request) {
  const auto& rows = around_.database.rows;
  const auto* stored = rows.find(request.delivery);
  if (!stored->place)
    return;
  const auto endpoint = request.endpoint->no;
  if (!around_.in_order.emplace(std::pair{endpoint, stored->place->key}, request.delivery).second)
    violated("I9: two requests of one key are under way at once: endpoint", endpoint);
  for (const auto& each : rows.deliveries_of(endpoint))
    if (each.place && each.place->key == stored->place->key && each.place->no < stored->place->no &&
        !is_final(each.state))
      violated("I9: a request is sent before the one ahead is final: endpoint, delivery, one ahead", endpoint,
               around_.number_of(request.delivery), around_.number_of(each.id));
}

void stormy_sender::leave_turn(const attempt_request& request) {
  std::erase_if(around_.in_order, [&](const auto& each) { return each.second == request.delivery; });
}

stormy_sender::answer stormy_sender::draw_answer(const attempt_request& request) {
  const auto& mood = around_.moods[request.endpoint->no];
  auto& chance = around_.chance;
  answer out;
  out.facts.http_status = 200;
  out.after = chance.between(0ms, mood.latency_max);
  auto left = chance.draw();
  const auto falls = [&](double share) { return (left -= share) < 0; };
  if (falls(mood.failing)) {
    out.facts.http_status = 500;
  } else if (falls(mood.busy)) {
    out.facts.http_status = 429;
    out.facts.retry_after = chance.between(0ms, 20'000ms);
  } else if (falls(mood.hanging)) {
    out = {{.failure = attempt_reason::timeout}, request.endpoint->timeout};
  } else if (falls(mood.resetting)) {
    out.facts = {.failure = attempt_reason::reset};
  } else if (falls(mood.refusing)) {
    out = {{.failure = attempt_reason::connect_refused}, out.after, false};
  } else if (falls(mood.cutting)) {
    around_.disturb(request.endpoint->no);
    out.facts = {.failure = attempt_reason::interrupted};
  } else if (falls(mood.gone)) {
    out.facts.http_status = 410;
  } else if (falls(mood.asking_disable)) {
    out.facts.asks_disable = true;
  } else if (falls(mood.asking_abort)) {
    out.facts = {.http_status = 500, .asks_abort = true};
  }
  return out;
}

void stormy_sender::first_byte(std::uint64_t ticket) {
  const auto found = running_.find(ticket);
  if (found == running_.end())
    return;
  const auto& request = found->second;
  if (!trusts(request.what->tenant, request.under)) {
    around_.note("not sent", around_.number_of(request.delivery), request.number);
    return end_attempt(ticket, {.failure = attempt_reason::connect_timeout}, false, around_.wall());
  }
  const auto drawn = draw_answer(request);
  around_.note("request", around_.number_of(request.delivery), request.number,
               drawn.facts.http_status + static_cast<int>(drawn.facts.failure));
  check_not_heard(request);
  check_turn(request);
  if (drawn.reaches)
    checks_.seen(request, drawn.facts);
  if (drawn.facts.retry_after)
    retry_after_[request.delivery] = *drawn.facts.retry_after;
  else
    retry_after_.erase(request.delivery);
  jobs_.at(around_.now + drawn.after, [this, ticket, facts = drawn.facts, started_at = around_.wall()] {
    if (running_.contains(ticket))
      end_attempt(ticket, facts, true, started_at);
  });
}

void stormy_sender::end_attempt(std::uint64_t ticket, const attempt_facts& facts, bool sent, wall_time started_at) {
  const auto found = running_.find(ticket);
  auto request = std::move(found->second);
  running_.erase(found);
  leave_turn(request);
  attempt_result result;
  result.delivery = request.delivery;
  result.number = request.number;
  result.breaker_epoch = request.breaker_epoch;
  result.facts = facts;
  result.sent = sent;
  result.started_at = started_at;
  result.duration = around_.wall() - started_at;
  if (sent && facts.failure == attempt_reason::none && facts.http_status / 100 == 2)
    heard_[request.delivery] = {request.owner, started_at};
  request.owner->finished({std::move(result)});
}

void stormy_sender::abort(const delivery_port* owner, std::function<void(std::vector<attempt_result>)> done) {
  if (ended_)
    return;
  jobs_.at(around_.now + around_.chance.between(0ms, 5ms), [this, owner, done = std::move(done)] {
    std::vector<attempt_result> results;
    std::erase_if(running_, [&](const auto& each) {
      if (each.second.owner.get() != owner)
        return false;
      leave_turn(each.second);
      attempt_result result;
      result.delivery = each.second.delivery;
      result.number = each.second.number;
      result.facts.failure = attempt_reason::interrupted;
      results.push_back(std::move(result));
      return true;
    });
    around_.note("aborted", static_cast<std::int64_t>(results.size()));
    done(std::move(results));
  });
}

} // namespace postrider::simulation
