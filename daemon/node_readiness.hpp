#pragma once

#include "actors/inspection.hpp"
#include "actors/store.hpp"
#include "core/progress.hpp"
#include "core/shard.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace postrider {

/// What `/readyz` says of this node (design I15). Listens in on what STORE reports to the engine; asks nobody anything.
/// Thread-safe.
class node_readiness final : public readiness, public store_events {
public:
  struct probes {
    std::function<bool()> trusts_leases;                        ///< now
    std::function<std::chrono::milliseconds()> since_last_turn; ///< of the delivery loop
    std::function<bool()> server_healthy;                       ///< of the private PostgreSQL; empty: there is none
    /// The other parts of the delivery loop (core/progress.hpp); empty: none is known.
    std::function<std::vector<part_progress>()> parts{};
    std::function<mono_time()> now = &mono_time::clock::now;
  };
  /// Without a turn of the actors for so long the delivery loop makes no progress.
  static constexpr std::chrono::milliseconds turn_max{3'000};

  /// `next` gets every report after this has seen it.
  node_readiness(store_events& next, probes ask);

  [[nodiscard]] std::vector<dependency_status> check() const override;
  /// From now on not ready, until the end. Afterwards `server_healthy` is not asked any more: the private PostgreSQL
  /// may go.
  void drain();
  [[nodiscard]] bool draining() const noexcept { return draining_; }

  void accepted(std::vector<accept_item_ptr> batch) override;
  void leases(std::vector<shard_lease> mine) override;
  void due(std::vector<due_hint> hints) override;
  void configuration_changed(std::vector<tenant_no> tenants) override;
  void availability(bool database_ok, std::string detail) override;

private:
  [[nodiscard]] dependency_status database() const;
  [[nodiscard]] dependency_status delivery() const;

  store_events& next_;
  probes ask_;
  std::atomic<bool> draining_{false};
  std::atomic<std::size_t> shards_{0};
  mutable std::mutex mutex_; // guards what follows
  bool database_ok_ = false;
  std::string database_detail_ = "not reached yet";
};

} // namespace postrider
