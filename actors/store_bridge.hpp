#pragma once

#include "actors/engine_context.hpp"
#include "actors/store.hpp"

#include <mutex>
#include <vector>

namespace postrider {

/// STORE's reports, turned into messages and answers. Called on STORE's threads; does what is cheap there (grouping a
/// batch) so that one batch costs one post per io thread and one message per tenant in it.
class store_bridge final : public store_events {
public:
  /// From now on reports go to NODE; what came before is handed over (the latest leases, not the hints: the poll
  /// repeats them).
  void connect(node_actor node);
  void disconnect();

  void accepted(std::vector<accept_item_ptr> batch) override;
  void leases(std::vector<shard_lease> mine) override;
  void due(std::vector<due_hint> hints) override;
  void configuration_changed(std::vector<tenant_no> tenants) override;
  void availability(bool database_ok, std::string detail) override;

private:
  node_actor node() const;

  mutable std::mutex mutex_; // guards what follows
  node_actor node_;
  std::vector<shard_lease> early_leases_;
};

} // namespace postrider
