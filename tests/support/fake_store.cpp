#include "tests/support/fake_store.hpp"

#include <algorithm>

namespace postrider::tests {

namespace {

std::size_t index_of(delivery_state state) {
  return static_cast<std::size_t>(state);
}

/// PostgreSQL takes no text with these.
bool is_poison(std::string_view text) {
  return text.find('\0') != std::string_view::npos || text.find('\xff') != std::string_view::npos;
}

} // namespace

fake_store::fake_store(store_events& events) : events_{events} {}

void fake_store::set_available(bool available) {
  available_ = available;
  if (available)
    for (auto& each : std::exchange(kept_, {}))
      jobs_.push_back(std::move(each));
  jobs_.push_back([this, available] { events_.availability(available, available ? "" : "the fake database is away"); });
}

void fake_store::put_tenant(tenant_config_ptr config) {
  const auto no = config->no;
  if (tenants_.contains(no))
    jobs_.push_back([this, no] { events_.configuration_changed({no}); });
  tenants_[no] = std::move(config);
  deleted_tenants_.erase(no);
}

void fake_store::remove_tenant(tenant_no tenant) {
  deleted_tenants_.insert(tenant);
  jobs_.push_back([this, tenant] { events_.configuration_changed({tenant}); });
}

void fake_store::set_lease(shard_no shard, fence under) {
  leases_.at(static_cast<std::size_t>(shard)) = under;
}

void fake_store::report_leases() {
  jobs_.push_back([this] {
    std::vector<shard_lease> mine;
    for (std::size_t i = 0; i < leases_.size(); ++i)
      if (leases_[i] != 0)
        mine.push_back({static_cast<shard_no>(i), epoch_of(leases_[i]), leases_[i]});
    events_.leases(std::move(mine));
  });
}

bool fake_store::waits(const row& of) const {
  const auto found = tenants_.find(of.tenant);
  return found != tenants_.end() && std::any_of(found->second->endpoints.begin(), found->second->endpoints.end(),
                                                [&](const endpoint_config& each) {
                                                  return each.no == of.endpoint &&
                                                         each.status != endpoint_status::active;
                                                });
}

void fake_store::poll_due(wall_time until) {
  jobs_.push_back([this, until] {
    std::map<endpoint_no, due_hint> hints;
    for (const auto& [id, each] : deliveries_) {
      if (!each.next_attempt_at || *each.next_attempt_at > until ||
          leases_.at(static_cast<std::size_t>(each.shard)) == 0 || waits(each) ||
          deleted_tenants_.contains(each.tenant))
        continue;
      const auto [found, fresh] =
        hints.try_emplace(each.endpoint, due_hint{each.tenant, each.endpoint, *each.next_attempt_at});
      if (!fresh)
        found->second.next_due = std::min(found->second.next_due, *each.next_attempt_at);
    }
    std::vector<due_hint> out;
    for (const auto& [endpoint, hint] : hints)
      out.push_back(hint);
    if (!out.empty())
      events_.due(std::move(out));
  });
}

void fake_store::sweep() {
  jobs_.push_back([this] {
    for (auto& [id, each] : deliveries_) {
      const auto held = leases_.at(static_cast<std::size_t>(each.shard));
      const bool may_run = each.place && each.next_attempt_at && *each.next_attempt_at > now_; // nothing is proved here
      if (each.state == delivery_state::in_flight && held != 0 && each.under != held && !may_run)
        interrupt(each);
    }
  });
}

void fake_store::expose_open_rides() {
  jobs_.push_back([this] {
    for (auto& [id, each] : deliveries_)
      if (each.state == delivery_state::in_flight && !each.next_attempt_at && holds(each.shard, each.under) &&
          now_ - each.updated_at >= std::chrono::minutes{1})
        each.next_attempt_at = now_;
  });
}

void fake_store::keep(std::function<void()> job) {
  jobs_.push_back([this, job = std::move(job)] {
    if (available_)
      job();
    else
      kept_.push_back(job);
  });
}

std::size_t fake_store::run() {
  std::size_t done = 0;
  for (;;) {
    auto step = run_accepts() + run_writes();
    if (!jobs_.empty()) {
      const auto job = std::move(jobs_.front());
      jobs_.pop_front();
      job();
      ++step;
    }
    if (step == 0)
      return done;
    done += step;
  }
}

const fake_store::row* fake_store::find(delivery_id id) const {
  const auto found = deliveries_.find(id);
  return found == deliveries_.end() ? nullptr : &found->second;
}

tenant_config_ptr fake_store::tenant(tenant_no no) const {
  const auto found = tenants_.find(no);
  return found == tenants_.end() ? nullptr : found->second;
}

std::vector<fake_store::row> fake_store::deliveries_of(endpoint_no endpoint) const {
  std::vector<row> out;
  for (const auto& [id, each] : deliveries_)
    if (each.endpoint == endpoint)
      out.push_back(each);
  return out;
}

std::array<std::int64_t, delivery_state_count> fake_store::counters(tenant_no tenant) const {
  const auto found = counters_.find(tenant);
  return found == counters_.end() ? std::array<std::int64_t, delivery_state_count>{} : found->second;
}

void fake_store::change(delivery_id id, const std::function<void(row&)>& how) {
  auto& found = deliveries_.at(id);
  const auto before = found.state;
  how(found);
  auto& counts = counters_[found.tenant];
  --counts[index_of(before)];
  ++counts[index_of(found.state)];
}

bool fake_store::holds(shard_no shard, fence under) const {
  return under != 0 && leases_.at(static_cast<std::size_t>(shard)) == under;
}

void fake_store::move(row& found, delivery_state to) {
  auto& counts = counters_[found.tenant];
  --counts[index_of(found.state)];
  ++counts[index_of(to)];
  found.state = to;
  found.updated_at = now_;
}

// ------------------------------------------------------------------------------------------------ accepting

bool fake_store::accept(accept_item_ptr& item) {
  ++accept_calls_;
  if (accepts_.size() >= accepts_max)
    return false;
  accepts_.push_back(std::move(item));
  return true;
}

std::size_t fake_store::run_accepts() {
  std::vector<accept_item_ptr> batch;
  std::deque<accept_item_ptr> kept;
  while (!accepts_.empty()) {
    auto item = std::move(accepts_.front());
    accepts_.pop_front();
    if (item->deadline <= mono_now_)
      item->outcome = accept_outcome::unavailable;
    else if (available_)
      decide(*item);
    if (item->outcome != accept_outcome::accepted)
      for (auto& each : item->deliveries)
        each.ride = item->outcome == accept_outcome::waiting && each.ride;
    if (item->outcome == accept_outcome::waiting)
      kept.push_back(std::move(item));
    else
      batch.push_back(std::move(item));
  }
  accepts_ = std::move(kept);
  const auto count = batch.size();
  if (!batch.empty())
    events_.accepted(std::move(batch));
  return count;
}

void fake_store::decide(accept_item& item) {
  const auto tenant = tenants_.find(item.what->tenant);
  if (is_poison(item.what->type) || is_poison(item.what->provider_event_id) || is_poison(item.what->content_type)) {
    item.outcome = accept_outcome::rejected;
    item.detail = "invalid byte sequence";
  } else if (const auto first = keys_.find(item.dedupe_key); first != keys_.end()) {
    item.outcome = accept_outcome::duplicate;
    item.first = first->second;
    if (item.first == item.what->id)
      confirm(item);
  } else if (tenant == tenants_.end() || deleted_tenants_.contains(tenant->first) ||
             tenant->second->version != item.config_version) {
    item.outcome = accept_outcome::stale;
  } else {
    insert(item);
  }
}

// An earlier run, whose answer was lost, has committed it: what rode then rides, unless it was taken over meanwhile.
void fake_store::confirm(accept_item& item) const {
  item.outcome = accept_outcome::accepted;
  for (auto& each : item.deliveries) {
    const auto* found = find(each.id);
    each.ride = each.ride && found != nullptr && found->state == delivery_state::in_flight &&
                found->under == each.under && found->attempt_count == 1 && !found->next_attempt_at;
  }
}

void fake_store::insert(accept_item& item) {
  item.outcome = accept_outcome::accepted;
  keys_.emplace(item.dedupe_key, item.what->id);
  events_by_id_.emplace(item.what->id, item.what);
  for (auto& each : item.deliveries) {
    each.ride = each.ride && holds(item.shard, each.under);
    row fresh{each.id, item.what, item.what->tenant, each.endpoint, item.shard, each.seed, each.lane};
    fresh.updated_at = now_;
    if (each.ride) {
      fresh.state = delivery_state::in_flight;
      fresh.under = each.under;
      fresh.attempt_count = 1;
    } else {
      fresh.next_attempt_at = now_;
    }
    if (each.order_key)
      fresh.lane = delivery_lane::in_order,
      fresh.place = order_place{++order_counters_[each.endpoint], *each.order_key};
    ++counters_[fresh.tenant][index_of(fresh.state)];
    deliveries_.emplace(each.id, std::move(fresh));
  }
}

// ------------------------------------------------------------------------------------------------ recording

void fake_store::record(std::vector<outcome_write> writes) {
  std::move(writes.begin(), writes.end(), std::back_inserter(writes_));
}

std::size_t fake_store::run_writes() {
  if (!available_)
    return 0;
  auto batch = std::exchange(writes_, {});
  std::vector<std::pair<std::shared_ptr<delivery_port>, std::vector<record_result>>> by_owner;
  for (const auto& each : batch) {
    auto outcome = write(each);
    auto found =
      std::find_if(by_owner.begin(), by_owner.end(), [&](const auto& entry) { return entry.first == each.owner; });
    if (found == by_owner.end())
      found = by_owner.insert(by_owner.end(), {each.owner, {}});
    found->second.push_back(std::move(outcome));
  }
  for (auto& [owner, results] : by_owner)
    if (owner)
      owner->recorded(std::move(results));
  return batch.size();
}

record_result fake_store::write(const outcome_write& write) {
  const auto entry = deliveries_.find(write.delivery);
  if (entry == deliveries_.end())
    return {write.delivery, write.ticket, false, std::nullopt};
  auto& found = entry->second;
  const auto uncounted = write.uncount ? 1U : 0U;
  const bool hit = found.state == write.from && found.under == write.under && found.attempt_count == write.number &&
                   (!write.uncount || found.next_attempt_at == write.claimed_until);
  if (!hit) {
    if (found.state == write.to && found.under == write.under && found.attempt_count == write.number - uncounted)
      return {write.delivery, write.ticket, true, std::nullopt};
    return {write.delivery, write.ticket, false, record_result::actual{found.state, found.under}};
  }
  const bool cancelled = found.cancel_asked != delivery_reason::none && !is_final(write.to);
  move(found, cancelled ? delivery_state::cancelled : write.to);
  found.reason = cancelled ? found.cancel_asked : write.reason;
  found.step = write.step;
  if (write.attempt && write.attempt->outcome == attempt_outcome::failed && !is_final(write.to))
    found.lane = lane_after_failure(found.lane);
  found.next_attempt_at = cancelled ? std::nullopt : write.next_attempt_at;
  found.attempt_count -= uncounted;
  if (write.attempt) {
    const auto& made = *write.attempt;
    found.attempts.push_back(
      {write.number, made.started_at, made.duration, made.outcome, made.reason, made.http_status, made.excerpt});
  }
  if (cancelled)
    return {write.delivery, write.ticket, false, record_result::actual{found.state, found.under}};
  return {write.delivery, write.ticket, true, std::nullopt};
}

} // namespace postrider::tests
