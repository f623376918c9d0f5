#include "tests/support/recorded_events.hpp"

#include <algorithm>

namespace postrider::tests {

void recorded_events::accepted(std::vector<accept_item_ptr> batch) {
  const std::lock_guard lock{mutex_};
  ++batches_;
  for (auto& each : batch) {
    const auto id = each->what->id;
    answered_[id] = std::move(each);
  }
}

void recorded_events::leases(std::vector<shard_lease> mine) {
  const std::lock_guard lock{mutex_};
  held_ = std::move(mine);
  ++lease_reports_;
}

void recorded_events::due(std::vector<due_hint> hints) {
  const std::lock_guard lock{mutex_};
  due_.insert(due_.end(), hints.begin(), hints.end());
}

void recorded_events::configuration_changed(std::vector<tenant_no> tenants) {
  const std::lock_guard lock{mutex_};
  changed_.insert(changed_.end(), tenants.begin(), tenants.end());
}

void recorded_events::availability(bool database_ok, std::string) {
  const std::lock_guard lock{mutex_};
  if (available_ && !database_ok)
    ++outages_;
  available_ = database_ok;
}

const accept_item* recorded_events::answered(event_id id) const {
  const std::lock_guard lock{mutex_};
  const auto found = answered_.find(id);
  return found == answered_.end() ? nullptr : found->second.get();
}

std::size_t recorded_events::answered_count() const {
  const std::lock_guard lock{mutex_};
  return answered_.size();
}

std::size_t recorded_events::batches() const {
  const std::lock_guard lock{mutex_};
  return batches_;
}

std::vector<shard_lease> recorded_events::held() const {
  const std::lock_guard lock{mutex_};
  return held_;
}

std::size_t recorded_events::lease_reports() const {
  const std::lock_guard lock{mutex_};
  return lease_reports_;
}

bool recorded_events::was_due(endpoint_no endpoint) const {
  const std::lock_guard lock{mutex_};
  return std::any_of(due_.begin(), due_.end(), [&](const due_hint& each) { return each.endpoint == endpoint; });
}

void recorded_events::forget_due() {
  const std::lock_guard lock{mutex_};
  due_.clear();
}

bool recorded_events::was_changed(tenant_no tenant) const {
  const std::lock_guard lock{mutex_};
  return std::find(changed_.begin(), changed_.end(), tenant) != changed_.end();
}

void recorded_events::forget_changes() {
  const std::lock_guard lock{mutex_};
  changed_.clear();
}

bool recorded_events::available() const {
  const std::lock_guard lock{mutex_};
  return available_;
}

std::size_t recorded_events::outages() const {
  const std::lock_guard lock{mutex_};
  return outages_;
}

void recorded_results::finished(std::vector<attempt_result>) {}

void recorded_results::recorded(std::vector<record_result> results) {
  const std::lock_guard lock{mutex_};
  results_.insert(results_.end(), results.begin(), results.end());
}

std::size_t recorded_results::count() const {
  const std::lock_guard lock{mutex_};
  return results_.size();
}

std::optional<record_result> recorded_results::of(delivery_id id) const {
  const std::lock_guard lock{mutex_};
  const auto found =
    std::find_if(results_.rbegin(), results_.rend(), [&](const record_result& each) { return each.delivery == id; });
  return found == results_.rend() ? std::nullopt : std::optional{*found};
}

} // namespace postrider::tests
