#pragma once

#include "actors/clock.hpp"
#include "actors/management_store.hpp"
#include "actors/store.hpp"
#include "core/metrics.hpp"
#include "core/progress.hpp"
#include "core/result.hpp"
#include "core/secret_box.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace postrider {

struct postgres_store_options {
  std::string url;            ///< libpq URL or DSN, several hosts allowed
  std::string node_name;      ///< unique in the cluster
  std::string node_address{}; ///< where peers reach this node; empty: it takes none
  std::string version{};
  milliseconds lease_ttl{6'000};       ///< at least 2 s
  std::vector<secret_key> master_keys; ///< newest first
  std::shared_ptr<metrics> counts;
  std::shared_ptr<db_clock> clock;              ///< set by the lease keeper
  std::shared_ptr<lease_trust> trust;           ///< set by the lease keeper
  std::shared_ptr<store_pulses> pulses{};       ///< set by the threads; nothing: not wanted
  std::map<std::string, tenant_quotas> plans{}; ///< `[plans.NAME]`
  int retention_days = 30;                      ///< the most that events are kept: persistence/retention.hpp
  int accept_writers = 2;                       ///< 1 to 4
  std::chrono::microseconds accept_linger{0};   ///< a batch that is not full waits so long; 0: natural batching alone
  /// Called once if another live process turns out to have the node's name after `start` has returned: this process
  /// must end.
  std::function<void(problem)> refused{};
};

/// STORE on PostgreSQL. Threads and connections of its own: lease, accept (1 to 4), outcome, claim, lookup, poll,
/// upkeep, maintenance; one thread that cuts calls past their deadline, one that answers expired events. The schema
/// must be migrated; where it is not yet, or the database is away, it keeps trying and says so through
/// `store_events::availability`.
///
/// `events` must outlive it. Events come from its threads, none before `start` and none after `stop`.
class postgres_store final : public store {
public:
  postgres_store(postgres_store_options options, store_events& events);
  ~postgres_store() override;
  postgres_store(const postgres_store&) = delete;
  postgres_store& operator=(const postgres_store&) = delete;

  /// Within 10 s. 409 `node-name-taken`: another live process has the node's name. A database that is away is no
  /// failure.
  result<void> start();

  /// Shutdown, in this order. `drain`: the heartbeat says so, no more shards are taken, nothing due is reported,
  /// maintenance ends.
  void drain();
  /// Takes no more events; commits what was accepted, at most until the deadline: what is left then is answered
  /// `unavailable`.
  void close_accepting(milliseconds deadline);
  /// Writes the outcomes handed over so far, at most until the deadline, then ends all threads, that of the leases
  /// last, which releases them: half a second for a call that runs, a second for the release. (A thread that is just
  /// connecting to a server that does not answer ends with its connect timeout, 3 s a host.) Calls that wait for an
  /// answer get their "unavailable".
  void stop(milliseconds deadline);

  bool accept(accept_item_ptr& item) override;
  void record(std::vector<outcome_write> writes) override;
  void claim(claim_request request, std::function<void(claim_result)> done) override;
  void close_interrupted(tenant_no tenant, endpoint_no endpoint, shard_no shard, fence under,
                         std::vector<delivery_id> known, std::function<void(std::optional<std::size_t>)> done) override;
  void close_deleted(tenant_no tenant, endpoint_no endpoint, shard_no shard, fence under,
                     std::function<void(deleted_closing)> done) override;
  void load_tenant(tenant_key key, std::function<void(result<tenant_config_ptr>)> done) override;
  void count_live(tenant_no tenant, std::function<void(result<std::int64_t>)> done) override;
  void load_runtime(endpoint_no endpoint, std::function<void(result<std::optional<endpoint_runtime>>)> done) override;
  void save_runtime(endpoint_runtime now, shard_no shard, fence under, std::string cause) override;
  void disable_endpoint(tenant_no tenant, endpoint_no endpoint, std::string reason) override;

private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

} // namespace postrider
