#include "tests/simulation/delivery_check.hpp"

#include <algorithm>

namespace postrider::simulation {

namespace {

/// How long an attempt that was cut short may have waited before what cut it was noticed: claims last four time-outs
/// and half a minute, open rides are exposed after a minute.
constexpr milliseconds notice_max{90'000};

std::int64_t index_of(delivery_state state) {
  return static_cast<std::int64_t>(state);
}

} // namespace

void delivery_check::allow(const endpoint_config& endpoint) {
  auto& known = retries_[endpoint.no];
  if (known.empty() || known.back() != endpoint.retry)
    known.push_back(endpoint.retry);
}

void delivery_check::committed(const accept_item& item, const tenant_config& config) {
  const auto [found, fresh] = expected_.try_emplace(item.what->id);
  if (!fresh)
    return; // run again after a lost answer
  for (const auto& each : item.deliveries)
    if (!found->second.emplace(each.endpoint, each.id).second)
      violated("I2: two deliveries for one endpoint", each.endpoint);
  for (const auto& each : config.endpoints)
    if (matches(each, item.what->source, item.what->type) != found->second.contains(each.no))
      violated("I2: deliveries do not match the endpoints at acceptance: endpoint", each.no);
}

void delivery_check::seen(const attempt_request& request, const std::optional<attempt_facts>& answer) {
  ++requests_;
  const auto* stored = around_.database.rows.find(request.delivery);
  const auto short_id = around_.number_of(request.delivery);
  if (stored == nullptr)
    violated("I4: a request without a row: delivery", short_id);
  if (stored->endpoint != request.endpoint->no || stored->what->id != request.what->id)
    violated("a request to another endpoint than its row's: delivery", short_id);
  if (stored->state != delivery_state::in_flight || stored->attempt_count != request.number)
    violated("I4/I7: a request that its row does not show as under way: delivery, attempt; the row's state, attempt",
             short_id, request.number, index_of(stored->state), stored->attempt_count);
  if (const auto held = around_.database.rows.lease(stored->shard); held != 0 && stored->under != held)
    violated("I7: a request under another fence than the lease's: delivery, attempt", short_id, request.number);
  auto& all = sights_[request.delivery];
  if (!all.empty() && all.back().number >= request.number)
    violated("I4: an attempt's number was used before: delivery, attempt, before", short_id, request.number,
             all.back().number);
  const bool good = answer && answer->failure == attempt_reason::none && answer->http_status / 100 == 2;
  all.push_back({request.number, good});
}

bool delivery_check::within_schedule(endpoint_no endpoint, const outcome_write& write,
                                     std::optional<milliseconds> retry_after) const {
  const auto found = retries_.find(endpoint);
  const auto wait = *write.next_attempt_at - around_.wall();
  return std::any_of(found->second.begin(), found->second.end(), [&](const retry_policy& each) {
    const auto delay = step_delay(each, write.step);
    if (!delay)
      return false;
    const auto least = static_cast<double>(delay->count()) * (1 - each.jitter) - 2;
    const auto most = static_cast<double>(delay->count()) * (1 + each.jitter) + 2;
    const auto waits = static_cast<double>(wait.count());
    return waits >= least && (waits <= most || (retry_after && wait <= *retry_after + milliseconds{2}));
  });
}

void delivery_check::asked(const outcome_write& write, std::optional<milliseconds> retry_after) {
  const bool failed = write.attempt && write.attempt->outcome == attempt_outcome::failed;
  if (write.to == delivery_state::retry_wait && failed && !within_schedule(write.endpoint, write, retry_after))
    violated("the backoff is not that of the schedule: endpoint, step, ms", write.endpoint, write.step,
             (*write.next_attempt_at - around_.wall()).count());
}

void delivery_check::answered(const std::string& key, const ingest_answer& answer) {
  if (answer.result != ingest_result::accepted && answer.result != ingest_result::duplicate)
    return;
  if (!around_.database.rows.has_event(answer.id))
    violated("I1: answered 2xx, but not committed");
  const auto [first, fresh] = first_.emplace(key, answer.id);
  if (!fresh && first->second != answer.id)
    violated("I10: the same provider event is two events");
}

// ------------------------------------------------------------------------------------------------ rows

void delivery_check::check_attempts(const row& of) const {
  const auto open = of.state == delivery_state::in_flight ? 1U : 0U;
  if (of.attempts.size() + open != of.attempt_count)
    violated("I4: attempts and their count differ: rows, count, state", of.attempts.size(), of.attempt_count,
             index_of(of.state));
  std::uint32_t failed = 0;
  for (std::size_t i = 0; i < of.attempts.size(); ++i) {
    const auto& each = of.attempts[i];
    failed += each.outcome == attempt_outcome::failed ? 1 : 0;
    if (each.number != i + 1)
      violated("I4: attempts with a gap: place, number", i + 1, each.number);
    if (each.outcome == attempt_outcome::interrupted &&
        !around_.disturbed(of.endpoint, each.started_at - notice_max, each.started_at + each.duration + notice_max))
      violated("I6: interrupted, but nothing happened: endpoint, attempt", of.endpoint, each.number);
  }
  if (failed != of.step)
    violated("I4/I8: the schedule's step is not the number of failed attempts: step, failed", of.step, failed);
}

void delivery_check::check_rows() const {
  std::map<tenant_no, std::array<std::int64_t, delivery_state_count>> sums;
  for (const auto& [id, each] : around_.database.rows.deliveries()) {
    ++sums[each.tenant][static_cast<std::size_t>(each.state)];
    check_attempts(each);
    if (!is_final(each.state) && !each.place && (each.step > 0) != (each.lane == delivery_lane::retry))
      violated("a delivery that has failed is among first attempts, or the reverse: step", each.step);
    if (!is_final(each.state) && each.state != delivery_state::in_flight && !each.next_attempt_at)
      violated("I3: waits without a due time: state", index_of(each.state));
    if (is_final(each.state) && each.next_attempt_at)
      violated("I3: final with a due time: state", index_of(each.state));
  }
  for (const auto& [tenant, each] : sums)
    if (around_.database.rows.counters(tenant) != each)
      violated("I14: the accounting is not the sum of the rows: tenant", tenant);
}

bool delivery_check::all_final() const {
  const auto& rows = around_.database.rows.deliveries();
  return std::all_of(rows.begin(), rows.end(), [](const auto& each) { return is_final(each.second.state); });
}

void delivery_check::check_final(const row& of) const {
  const auto short_id = of.endpoint;
  if (of.state == delivery_state::succeeded) {
    const auto seen_by_endpoint = sights_.find(of.id);
    const auto number = of.attempts.back().number;
    if (of.attempts.back().outcome != attempt_outcome::succeeded || seen_by_endpoint == sights_.end() ||
        std::none_of(seen_by_endpoint->second.begin(), seen_by_endpoint->second.end(),
                     [&](const sight& each) { return each.good && each.number == number; }))
      violated("I5: succeeded, but the endpoint did not answer 2xx to that request: endpoint, attempt", short_id,
               number);
  }
  // Of a schedule that was made shorter meanwhile there may be more failures than it has places.
  const auto& all = retries_.at(of.endpoint);
  const auto [least, most] = std::minmax_element(all.begin(), all.end(), [](const auto& left, const auto& right) {
    return attempts_allowed(left) < attempts_allowed(right);
  });
  if (of.state == delivery_state::dead && of.reason == delivery_reason::exhausted &&
      (of.step < attempts_allowed(*least) || of.step > attempts_allowed(*most)))
    violated("exhausted, but not after as many failures as the schedule has: endpoint, failures", short_id, of.step);
  if (of.state == delivery_state::dead && of.reason == delivery_reason::none)
    violated("dead without a reason: endpoint", short_id);
}

// What endpoints saw and no row tells of; and the duplicates: an endpoint that answered 2xx sees the same again only
// where that attempt was cut short, which `check_attempts` holds against what happened.
void delivery_check::check_events() const {
  for (const auto& [delivery, all] : sights_) {
    const auto* stored = around_.database.rows.find(delivery);
    for (const auto& each : all) {
      if (each.number > stored->attempts.size())
        violated("I4: a request that no attempt tells of: attempt", each.number);
      const auto outcome = stored->attempts[each.number - 1].outcome;
      if (each.good && outcome == attempt_outcome::failed &&
          stored->attempts[each.number - 1].reason != attempt_reason::timeout)
        violated("an answer of 2xx is recorded as a failure: attempt", each.number);
    }
  }
  for (const auto& [event, endpoints] : expected_)
    for (const auto& [endpoint, delivery] : endpoints)
      if (around_.database.rows.find(delivery) == nullptr)
        violated("I2: a delivery is missing: endpoint", endpoint);
  std::size_t count = 0;
  for (const auto& [event, endpoints] : expected_)
    count += endpoints.size();
  if (count != around_.database.rows.deliveries().size())
    violated("I2: deliveries that no acceptance made", around_.database.rows.deliveries().size(), count);
}

void delivery_check::check_end() const {
  check_rows();
  for (const auto& [id, each] : around_.database.rows.deliveries()) {
    if (!is_final(each.state))
      violated("I3: not final in time: endpoint, state, attempts", each.endpoint, index_of(each.state),
               each.attempt_count);
    check_final(each);
  }
  check_events();
}

} // namespace postrider::simulation
