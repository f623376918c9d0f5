#pragma once

#include "actors/store.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace postrider::tests {

/// A node's ear that remembers all it was told. Thread-safe.
class recorded_events final : public store_events {
public:
  void accepted(std::vector<accept_item_ptr> batch) override;
  void leases(std::vector<shard_lease> mine) override;
  void due(std::vector<due_hint> hints) override;
  void configuration_changed(std::vector<tenant_no> tenants) override;
  void availability(bool database_ok, std::string detail) override;

  /// The item with that event id, once it came back; nothing before. The pointer stays good while this lives.
  [[nodiscard]] const accept_item* answered(event_id id) const;
  [[nodiscard]] std::size_t answered_count() const;
  [[nodiscard]] std::size_t batches() const;
  [[nodiscard]] std::vector<shard_lease> held() const;
  [[nodiscard]] std::size_t lease_reports() const;
  [[nodiscard]] bool was_due(endpoint_no endpoint) const;
  void forget_due();
  [[nodiscard]] bool was_changed(tenant_no tenant) const;
  void forget_changes();
  [[nodiscard]] bool available() const;
  [[nodiscard]] std::size_t outages() const; ///< how often it became unavailable

private:
  mutable std::mutex mutex_;
  std::map<event_id, accept_item_ptr> answered_;
  std::size_t batches_ = 0;
  std::vector<shard_lease> held_;
  std::size_t lease_reports_ = 0;
  std::vector<due_hint> due_;
  std::vector<tenant_no> changed_;
  bool available_ = false;
  std::size_t outages_ = 0;
};

/// An owner of deliveries that remembers what it was told. Thread-safe.
class recorded_results final : public delivery_port {
public:
  void finished(std::vector<attempt_result> results) override;
  void recorded(std::vector<record_result> results) override;

  [[nodiscard]] std::size_t count() const;
  /// The last one for that delivery; nothing before.
  [[nodiscard]] std::optional<record_result> of(delivery_id id) const;

private:
  mutable std::mutex mutex_;
  std::vector<record_result> results_;
};

} // namespace postrider::tests
