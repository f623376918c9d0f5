#pragma once

#include "actors/inspection.hpp"
#include "core/time.hpp"

namespace postrider {

class management_queue;

/// What operators read, on the threads and connections of the management store. See actors/inspection.hpp.
///
/// A stretch of the tree is read tenant by tenant in batches that grow from 16 to 256, each with at most a page of its
/// children: what is read follows the page, not the number of customers. After `tenants_max` tenants without a full
/// page it says how far it came.
class postgres_operator_reads final : public operator_reads {
public:
  static constexpr std::size_t tenants_max = 4'096;

  postgres_operator_reads(management_queue& queue, milliseconds lease_ttl) : queue_{queue}, lease_ttl_{lease_ttl} {}

  void resting(resting_query query, std::function<void(result<resting_stretch>)> done) override;
  void resting(tree_path path, std::vector<shard_no> shards,
               std::function<void(result<std::optional<resting_actor>>)> done) override;
  void nodes(std::function<void(result<std::vector<cluster_node>>)> done) override;

private:
  management_queue& queue_;
  milliseconds lease_ttl_;
};

} // namespace postrider
