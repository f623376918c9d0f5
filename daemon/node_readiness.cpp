#include "daemon/node_readiness.hpp"

#include <utility>

namespace postrider {

node_readiness::node_readiness(store_events& next, probes ask) : next_{next}, ask_{std::move(ask)} {}

dependency_status node_readiness::database() const {
  const std::lock_guard lock{mutex_};
  if (!draining_ && ask_.server_healthy && !ask_.server_healthy())
    return {"database", false, "the private PostgreSQL is down; it is being started again"};
  return {"database", database_ok_, database_ok_ ? "answers" : database_detail_};
}

dependency_status node_readiness::delivery() const {
  const auto now = ask_.now();
  auto parts = ask_.parts ? ask_.parts() : std::vector<part_progress>{};
  parts.push_back({"actors", now - ask_.since_last_turn(), turn_max});
  const auto stuck = stuck_part(parts, now);
  return {"delivery", !stuck, stuck.value_or("makes progress")};
}

void node_readiness::drain() {
  const std::lock_guard lock{mutex_};
  draining_ = true;
}

std::vector<dependency_status> node_readiness::check() const {
  const auto shards = shards_.load();
  const bool trusted = shards > 0 && ask_.trusts_leases();
  return {
    database(),
    {"leases", trusted, trusted ? std::to_string(shards) + " shards" : "no shard's lease is held"},
    delivery(),
    {"draining", !draining(), draining() ? "the node is stopping" : "no"},
  };
}

void node_readiness::accepted(std::vector<accept_item_ptr> batch) {
  next_.accepted(std::move(batch));
}

void node_readiness::leases(std::vector<shard_lease> mine) {
  shards_ = mine.size();
  next_.leases(std::move(mine));
}

void node_readiness::due(std::vector<due_hint> hints) {
  next_.due(std::move(hints));
}

void node_readiness::configuration_changed(std::vector<tenant_no> tenants) {
  next_.configuration_changed(std::move(tenants));
}

void node_readiness::availability(bool database_ok, std::string detail) {
  {
    const std::lock_guard lock{mutex_};
    database_ok_ = database_ok;
    database_detail_ = detail;
  }
  next_.availability(database_ok, std::move(detail));
}

} // namespace postrider
