// What fake_store does besides accepting and recording.

#include "tests/support/claim_choice.hpp"
#include "tests/support/fake_store.hpp"

#include <algorithm>

namespace postrider::tests {

// ------------------------------------------------------------------------------------------------ claiming

void fake_store::claim(claim_request request, std::function<void(claim_result)> done) {
  ++claim_calls_;
  last_claims_priority_ = request.priority;
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
  if (request.order)
    claim_in_order(request, out);
  std::vector<row*> scheduled;
  for (auto& [id, each] : deliveries_) {
    if (each.endpoint != request.endpoint || each.shard != request.shard || !each.next_attempt_at ||
        (request.order && each.place))
      continue;
    if (each.state == delivery_state::in_flight) {
      if (*each.next_attempt_at <= request.now)
        out.overdue_attempts.push_back({each.id, each.under, each.attempt_count, each.step, {}});
    } else {
      scheduled.push_back(&each);
    }
  }
  std::stable_sort(scheduled.begin(), scheduled.end(),
                   [](const row* left, const row* right) { return *left->next_attempt_at < *right->next_attempt_at; });
  by_lane<std::vector<row*>> reached;
  for (auto* each : scheduled)
    if (*each->next_attempt_at <= request.now || (request.backoff_before && each->state == delivery_state::retry_wait &&
                                                  each->updated_at < *request.backoff_before))
      reached[postrider::index_of(each->lane)].push_back(each);
  const auto left = request.limit - static_cast<std::uint32_t>(out.claimed.size());
  for (auto* each : test::choose_by_turns(reached, request.turns, left))
    out.claimed.push_back(take(*each, request));
  for (const auto* each : scheduled)
    if (each->state != delivery_state::in_flight)
      out.due_by_lane.note(*each->next_attempt_at, each->lane);
  out.next_due = out.due_by_lane.earliest();
  return out;
}

claimed_delivery fake_store::take(row& found, const claim_request& request) {
  move(found, delivery_state::in_flight);
  found.under = request.under;
  found.next_attempt_at = request.attempt_deadline;
  ++found.attempt_count;
  return {found.id, found.what, found.attempt_count, found.step, found.seed, found.lane, {}};
}

void fake_store::interrupt(row& found) {
  found.attempts.push_back({found.attempt_count,
                            found.updated_at,
                            now_ - found.updated_at,
                            attempt_outcome::interrupted,
                            attempt_reason::interrupted,
                            0,
                            {}});
  const bool cancelled = found.cancel_asked != delivery_reason::none;
  move(found, cancelled ? delivery_state::cancelled : delivery_state::retry_wait);
  found.reason = cancelled ? found.cancel_asked : found.reason;
  found.next_attempt_at = cancelled ? std::nullopt : std::optional{now_};
}

void fake_store::close_interrupted(tenant_no, endpoint_no endpoint, shard_no shard, fence under,
                                   std::vector<delivery_id> known,
                                   std::function<void(std::optional<std::size_t>)> done) {
  close_interrupted(endpoint, shard, under, std::move(known), wall_time::max(), std::move(done));
}

void fake_store::close_interrupted(endpoint_no endpoint, shard_no shard, fence under, std::vector<delivery_id> known,
                                   wall_time asked_at, std::function<void(std::optional<std::size_t>)> done) {
  jobs_.push_back([=, this, known = std::move(known), done = std::move(done)] {
    if (!available_)
      return done(std::nullopt);
    std::size_t closed = 0;
    for (auto& [id, each] : deliveries_) {
      if (each.endpoint != endpoint || each.state != delivery_state::in_flight || !holds(shard, under) ||
          (each.place && each.under != under) || each.updated_at > asked_at ||
          std::find(known.begin(), known.end(), id) != known.end())
        continue;
      interrupt(each);
      ++closed;
    }
    done(closed);
  });
}

void fake_store::close_deleted(tenant_no tenant, endpoint_no endpoint, shard_no shard, fence under,
                               std::function<void(deleted_closing)> done) {
  jobs_.push_back([=, this, done = std::move(done)] {
    if (!available_ || !holds(shard, under))
      return done(deleted_closing::unavailable);
    const auto found = tenants_.find(tenant);
    if (found == tenants_.end() || deleted_tenants_.contains(tenant) ||
        std::any_of(found->second->endpoints.begin(), found->second->endpoints.end(),
                    [&](const auto& living) { return living.no == endpoint; }))
      return done(deleted_closing::not_deleted);
    for (auto& [id, each] : deliveries_)
      if (each.endpoint == endpoint && !is_final(each.state))
        close(each, delivery_reason::endpoint_deleted);
    done(deleted_closing::done);
  });
}

void fake_store::close(row& found, delivery_reason reason) {
  if (found.state == delivery_state::in_flight)
    interrupt(found);
  move(found, delivery_state::dead);
  found.reason = reason;
  found.next_attempt_at.reset();
}

// An attempt that runs may end and record its outcome until its deadline.
void fake_store::close_deleted_tenants() {
  jobs_.push_back([this] {
    for (auto& [id, each] : deliveries_)
      if (deleted_tenants_.contains(each.tenant) && each.next_attempt_at &&
          leases_.at(static_cast<std::size_t>(each.shard)) != 0 &&
          (each.state != delivery_state::in_flight || *each.next_attempt_at <= now_))
        close(each, delivery_reason::tenant_deleted);
  });
}

// ------------------------------------------------------------------------------------------------ configuration

void fake_store::load_tenant(tenant_key key, std::function<void(result<tenant_config_ptr>)> done) {
  ++load_calls_;
  jobs_.push_back([this, key = std::move(key), done = std::move(done)] {
    if (!available_)
      return done(store_unavailable());
    for (const auto& [no, each] : tenants_)
      if (!deleted_tenants_.contains(no) &&
          (key.no != 0 ? no == key.no : each->slug == key.slug_or_id || to_string(each->id) == key.slug_or_id))
        return done(each);
    done(tenant_config_ptr{});
  });
}

void fake_store::count_live(tenant_no tenant, std::function<void(result<std::int64_t>)> done) {
  ++live_calls_;
  jobs_.push_back([this, tenant, done = std::move(done)] {
    if (!available_)
      return done(store_unavailable());
    std::int64_t live = 0;
    for (const auto state : {delivery_state::pending, delivery_state::in_flight, delivery_state::retry_wait})
      live += counters(tenant).at(static_cast<std::size_t>(state));
    done(live);
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
  keep([this, now, shard, under] {
    if (holds(shard, under))
      runtimes_[now.endpoint] = now;
  });
}

void fake_store::disable_endpoint(tenant_no tenant, endpoint_no endpoint, std::string reason) {
  keep([this, tenant, endpoint, reason = std::move(reason)] {
    const auto found = tenants_.find(tenant);
    if (found == tenants_.end() || deleted_tenants_.contains(tenant))
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
