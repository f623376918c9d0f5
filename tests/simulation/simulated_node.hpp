#pragma once

#include "actors/ingest.hpp"
#include "core/held_work.hpp"
#include "tests/simulation/delivery_check.hpp"
#include "tests/simulation/gate_check.hpp"
#include "tests/simulation/surroundings.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace postrider::simulation {

struct node_limits {
  milliseconds delivery_idle{30'000};
  milliseconds tenant_idle{300'000};
  work_size memory = node_work_max;
};

/// One life of one node: all its actors, from the gate to the tree, on CAF's testing scheduler with their own clock,
/// and its ends of STORE and SENDER. Its end drops everything that was in memory.
class simulated_node {
public:
  /// `answered` is called for each request, with the sequence it was handed in under.
  simulated_node(surroundings& around, delivery_check& checks, const std::vector<endpoint_config>& endpoints,
                 node_limits limits, int number, std::function<void(std::uint64_t, const ingest_answer&)> answered);
  ~simulated_node();
  simulated_node(const simulated_node&) = delete;
  simulated_node& operator=(const simulated_node&) = delete;

  /// Whether it trusts the lease of that tenant's shard, under that fence, asked before each first byte.
  std::function<bool(tenant_no, fence)> trusts;

  void submit(ingest_request request, std::uint64_t sequence);
  /// The shards that it has from now on; its actors hear of it at once.
  void tell_leases(std::vector<shard_lease> mine);
  /// As its actors know it; 0: not theirs.
  [[nodiscard]] fence told_fence(shard_no shard) const;
  void tell_due(std::vector<due_hint> hints);
  void tell_changed(std::vector<tenant_no> tenants);
  void allow(const endpoint_config& endpoint);
  /// Starts the drain.
  void drain();
  [[nodiscard]] bool drained() const;
  /// What its actors hold of committed, undelivered deliveries.
  [[nodiscard]] work_size memory() const;

  /// When its clock or its ends have something to do next.
  [[nodiscard]] std::optional<mono_time> next() const;
  /// Time passes: its actors' timers go off.
  void pass_to(mono_time now);
  /// Does all that is due now, its actors' turns in an order drawn by chance; false: there was nothing.
  bool work();

private:
  class implementation;
  std::unique_ptr<implementation> implementation_;
};

} // namespace postrider::simulation
