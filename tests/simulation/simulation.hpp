#pragma once

#include "tests/simulation/delivery_check.hpp"
#include "tests/simulation/simulated_node.hpp"
#include "tests/simulation/surroundings.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace postrider::simulation {

struct run_result {
  std::uint64_t seed = 0;
  std::uint64_t hash = 0;   ///< of the whole trace
  std::uint64_t events = 0; ///< in the trace
  std::size_t deliveries = 0;
  std::size_t requests = 0;
  milliseconds virtual_time{0};
  std::string failure; ///< which invariant does not hold, when, and the end of the trace; empty: all hold
};

/// One run: two nodes over one database and one set of endpoints, bad weather for some virtual minutes, then good
/// weather until every delivery has ended. Everything follows from the seed.
class simulation {
public:
  explicit simulation(std::uint64_t seed);
  ~simulation();
  simulation(const simulation&) = delete;
  simulation& operator=(const simulation&) = delete;

  run_result run();

  // ---- what the weather does (weather.cpp)
  static constexpr int nodes_max = 2;
  static constexpr milliseconds poll_gap{1'000};
  static constexpr milliseconds healing_max{1'200'000}; ///< all deliveries end so long after the bad weather at most

  [[nodiscard]] milliseconds elapsed() const { return around.elapsed(); }
  /// In so long from now.
  void in(milliseconds delay, std::function<void()> job) { around.later.at(around.now + delay, std::move(job)); }

  // nodes
  void start_node(int number);
  void crash_node(int number);
  void drain_node(int number); ///< and stop it when it has ended, or after a while
  [[nodiscard]] bool runs(int number) const { return nodes_[static_cast<std::size_t>(number)] != nullptr; }

  // leases
  void take(shard_no shard, int node); ///< under a new fence; with the sweeps that follow
  void lapse(shard_no shard);          ///< trust ends now, the lease a little later
  void renew(shard_no shard);          ///< under the same fence, where nobody has taken it
  [[nodiscard]] int owner_of(shard_no shard) const { return shards_.at(shard).owner; }
  [[nodiscard]] std::vector<shard_no> shards() const;

  // configuration and traffic
  void change(tenant_no tenant, const std::function<void(tenant_config&)>& how);
  void delete_tenant(tenant_no tenant);
  [[nodiscard]] const std::vector<tenant_no>& tenants() const noexcept { return tenants_; }
  void send_webhook();
  [[nodiscard]] std::vector<std::pair<tenant_no, endpoint_no>> endpoints() const;
  /// Good weather from now on.
  void heal();

  surroundings around;

private:
  struct shard_state {
    int owner = -1; ///< whose lease it is, or was last
    fence under = 0;
    std::int64_t epoch = 0;
    bool trusted = false;  ///< by its owner
    bool valid = false;    ///< as the database says
    bool orphaned = false; ///< its process has ended: only a new fence follows
  };
  struct waiting_request {
    std::string key;
    int node = 0;
    mono_time since{};
    int tries = 0;
    tenant_no tenant = 0;
  };

  void make_tenants();
  endpoint_config make_endpoint(endpoint_no no);
  void put(tenant_config config);
  void stop_node(int number);
  void stop_drained(int number);
  void expire(shard_no shard, milliseconds after);
  void tell_leases(int node, milliseconds within);
  void sweep(shard_no shard, fence under);
  void poll();
  void settle();
  void advance();
  void submit(tenant_no tenant, const std::string& key, int tries);
  void send_again(const waiting_request& what);
  void answered(std::uint64_t sequence, const ingest_answer& answer);
  void check_answers() const;
  void check_memory();
  void check_regularly();
  [[nodiscard]] int some_node();
  [[nodiscard]] std::vector<shard_lease> leases_of(int node) const;

  delivery_check checks_;
  node_limits limits_;
  std::array<std::unique_ptr<simulated_node>, nodes_max> nodes_;
  std::map<shard_no, shard_state> shards_;
  std::vector<tenant_no> tenants_;
  std::set<tenant_no> deleted_;
  std::vector<std::pair<tenant_no, endpoint_no>> endpoints_;
  std::map<std::uint64_t, waiting_request> waiting_;
  std::uint64_t sequence_ = 0;
  std::int64_t webhooks_ = 0;
  std::map<int, std::uint64_t> draining_; ///< node: which drain
  std::uint64_t drains_ = 0;
  bool healed_ = false;
};

/// Plans the bad weather of a run of so long; its parts are drawn, so that each seed has another mix.
void plan_weather(simulation& run, milliseconds duration);

} // namespace postrider::simulation
