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
  jobs_.push_back([this, available] { events_.availability(available, available ? "" : "the fake database is away"); });
}

void fake_store::put_tenant(tenant_config_ptr config) {
  const auto no = config->no;
  if (tenants_.contains(no))
    jobs_.push_back([this, no] { events_.configuration_changed({no}); });
  tenants_[no] = std::move(config);
}

void fake_store::remove_tenant(tenant_no tenant) {
  tenants_.erase(tenant);
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

void fake_store::poll_due(wall_time until) {
  jobs_.push_back([this, until] {
    std::map<endpoint_no, due_hint> hints;
    for (const auto& [id, each] : deliveries_) {
      if (!each.next_attempt_at || *each.next_attempt_at > until ||
          leases_.at(static_cast<std::size_t>(each.shard)) == 0)
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
  } else if (tenant == tenants_.end() || tenant->second->version != item.config_version) {
    item.outcome = accept_outcome::stale;
  } else {
    insert(item);
  }
}

void fake_store::insert(accept_item& item) {
  item.outcome = accept_outcome::accepted;
  keys_.emplace(item.dedupe_key, item.what->id);
  events_by_id_.emplace(item.what->id, item.what);
  for (auto& each : item.deliveries) {
    each.ride = each.ride && holds(item.shard, each.under);
    row fresh{each.id, item.what, item.what->tenant, each.endpoint, item.shard, each.seed};
    fresh.updated_at = now_;
    if (each.ride) {
      fresh.state = delivery_state::in_flight;
      fresh.under = each.under;
      fresh.attempt_count = 1;
    } else {
      fresh.next_attempt_at = now_;
    }
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
    return {write.delivery, false, std::nullopt};
  auto& found = entry->second;
  if (found.state != write.from || found.under != write.under) {
    if (found.state == write.to && found.under == write.under)
      return {write.delivery, true, std::nullopt};
    return {write.delivery, false, record_result::actual{found.state, found.under}};
  }
  move(found, write.to);
  found.reason = write.reason;
  found.step = write.step;
  found.next_attempt_at = write.next_attempt_at;
  found.attempt_count -= write.uncount ? 1 : 0;
  if (write.attempt)
    found.attempts.push_back(*write.attempt);
  return {write.delivery, true, std::nullopt};
}

// ------------------------------------------------------------------------------------------------ claiming

void fake_store::claim(claim_request request, std::function<void(claim_result)> done) {
  ++claim_calls_;
  jobs_.push_back([this, request, done = std::move(done)] {
    claim_result away;
    away.available = false;
    done(available_ ? claim_now(request) : std::move(away));
  });
}

claim_result fake_store::claim_now(const claim_request& request) {
  claim_result out;
  out.owned = holds(request.shard, request.under);
  if (!out.owned)
    return out;
  std::vector<row*> scheduled;
  for (auto& [id, each] : deliveries_) {
    if (each.endpoint != request.endpoint || each.shard != request.shard || !each.next_attempt_at)
      continue;
    if (each.state == delivery_state::in_flight) {
      if (*each.next_attempt_at <= request.now)
        out.overdue_attempts.push_back({each.id, each.under, each.attempt_count, each.step});
    } else {
      scheduled.push_back(&each);
    }
  }
  std::stable_sort(scheduled.begin(), scheduled.end(),
                   [](const row* left, const row* right) { return *left->next_attempt_at < *right->next_attempt_at; });
  for (auto* each : scheduled) {
    const bool due = *each->next_attempt_at <= request.now || request.even_if_not_due;
    if (!due || out.claimed.size() >= request.limit) {
      out.next_due = each->next_attempt_at;
      break;
    }
    move(*each, delivery_state::in_flight);
    each->under = request.under;
    each->next_attempt_at = request.attempt_deadline;
    ++each->attempt_count;
    out.claimed.push_back({each->id, each->what, each->attempt_count, each->step, each->seed});
  }
  return out;
}

void fake_store::interrupt(row& found) {
  found.attempts.push_back({found.attempt_count,
                            found.updated_at,
                            now_ - found.updated_at,
                            attempt_outcome::interrupted,
                            attempt_reason::interrupted,
                            0,
                            {}});
  move(found, delivery_state::retry_wait);
  found.next_attempt_at = now_;
}

void fake_store::close_interrupted(tenant_no, endpoint_no endpoint, shard_no shard, fence under,
                                   std::vector<delivery_id> known,
                                   std::function<void(std::optional<std::size_t>)> done) {
  jobs_.push_back([=, this, known = std::move(known), done = std::move(done)] {
    if (!available_)
      return done(std::nullopt);
    std::size_t closed = 0;
    for (auto& [id, each] : deliveries_) {
      if (each.endpoint != endpoint || each.state != delivery_state::in_flight || !holds(shard, under) ||
          std::find(known.begin(), known.end(), id) != known.end())
        continue;
      interrupt(each);
      ++closed;
    }
    done(closed);
  });
}

void fake_store::close_deleted(tenant_no, endpoint_no endpoint, shard_no shard, fence under,
                               std::function<void(bool)> done) {
  jobs_.push_back([=, this, done = std::move(done)] {
    if (available_ && holds(shard, under))
      for (auto& [id, each] : deliveries_)
        if (each.endpoint == endpoint && !is_final(each.state)) {
          if (each.state == delivery_state::in_flight)
            interrupt(each);
          move(each, delivery_state::dead);
          each.reason = delivery_reason::endpoint_deleted;
          each.next_attempt_at.reset();
        }
    done(available_);
  });
}

// ------------------------------------------------------------------------------------------------ configuration

void fake_store::load_tenant(tenant_key key, std::function<void(result<tenant_config_ptr>)> done) {
  ++load_calls_;
  jobs_.push_back([this, key = std::move(key), done = std::move(done)] {
    if (!available_)
      return done(store_unavailable());
    for (const auto& [no, each] : tenants_)
      if (key.no != 0 ? no == key.no : each->slug == key.slug_or_id || to_string(each->id) == key.slug_or_id)
        return done(each);
    done(tenant_config_ptr{});
  });
}

void fake_store::load_runtime(endpoint_no endpoint, std::function<void(result<std::optional<endpoint_runtime>>)> done) {
  jobs_.push_back([this, endpoint, done = std::move(done)] {
    if (!available_)
      return done(store_unavailable());
    const auto found = runtimes_.find(endpoint);
    done(found == runtimes_.end() ? std::optional<endpoint_runtime>{} : std::optional{found->second});
  });
}

void fake_store::save_runtime(endpoint_runtime now, shard_no shard, fence under, std::string) {
  jobs_.push_back([this, now, shard, under] {
    if (holds(shard, under))
      runtimes_[now.endpoint] = now;
  });
}

void fake_store::disable_endpoint(tenant_no tenant, endpoint_no endpoint, std::string reason) {
  jobs_.push_back([this, tenant, endpoint, reason = std::move(reason)] {
    const auto found = tenants_.find(tenant);
    if (found == tenants_.end())
      return;
    auto changed = std::make_shared<tenant_config>(*found->second);
    for (auto& each : changed->endpoints)
      if (each.no == endpoint && each.status != endpoint_status::disabled) {
        each.status = endpoint_status::disabled;
        ++changed->version;
        disabled_.emplace_back(endpoint, reason);
        put_tenant(changed);
        return;
      }
  });
}

} // namespace postrider::tests
