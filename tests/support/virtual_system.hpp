#pragma once

#include "actors/engine_context.hpp"
#include "actors/inspector.hpp"
#include "actors/store_bridge.hpp"
#include "tests/support/fake_operator_reads.hpp"
#include "tests/support/fake_sender.hpp"
#include "tests/support/fake_store.hpp"
#include "tests/support/faulty_store.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postrider::test {

/// Where answers go: remembered by the sequence of their request.
class recorded_replies final : public ingest_replies {
public:
  void answer(std::vector<ingest_answer> answers) override {
    for (const auto& each : answers) {
      by_sequence.emplace(each.to.sequence, each);
      ++count;
    }
  }
  std::map<std::uint64_t, ingest_answer> by_sequence;
  std::size_t count = 0;
};

/// A counter that an actor shows; -1: it shows none of that name.
inline std::int64_t counter_of(const actor_status& of, std::string_view name) {
  for (const auto& [shown, value] : of.counters)
    if (shown == name)
      return value;
  return -1;
}

/// The actors of one node, from the gate to the tree, on CAF's testing scheduler: no threads, time moves only when
/// told. STORE and SENDER are fakes. The end sends exits and drains the timers: a delayed message left pending would
/// keep its actor, and so the actor system.
class virtual_system {
public:
  explicit virtual_system(engine_limits limits = {});
  ~virtual_system();
  virtual_system(const virtual_system&) = delete;
  virtual_system& operator=(const virtual_system&) = delete;

  /// Runs actors alone until none has anything to do.
  void run_actors() { scheduler_->run(); }
  /// Runs actors, STORE and SENDER until all are still. At one point of time.
  void settle();
  /// Moves time alone: what has become due waits for its turn.
  void pass(std::chrono::milliseconds by);
  /// Moves time in small steps, each settled; the due poll asks each second.
  void advance(std::chrono::milliseconds by);

  /// A signed webhook comes in, as LISTENER would hand it over; the sequence under which it is answered.
  struct webhook {
    std::string tenant = "acme";
    std::string source = "github";
    std::string id = "d-1";
    std::string type = "push";
    std::string body = R"({"a":1})";
    std::string secret = "s3cret";
  };
  std::uint64_t submit(const webhook& what);
  std::uint64_t submit() { return submit(webhook{}); }
  std::optional<ingest_answer> answer(std::uint64_t sequence) const;
  /// The same, settled, and what was answered.
  ingest_result post(const webhook& what);

  /// The shard of every tenant here is held under that fence; 0: not by us.
  void own(fence under);
  std::vector<actor_status> tree();
  /// A page of it, as an operator asks for it; what is at rest comes from `resting`. Time must not be needed.
  actor_page page(actor_query query);
  /// The same, without waiting for anything: the page when it is there.
  std::shared_ptr<std::optional<actor_page>> begin_page(actor_query query);
  /// One actor by its path.
  result<actor_status> one(const std::string& path);
  /// The one whose path ends so; nothing where there is none.
  std::optional<actor_status> actor(const std::string& path_end);
  /// Starts the drain; the flag turns true when it has ended.
  std::shared_ptr<bool> drain();

  [[nodiscard]] std::size_t count_of(delivery_state state) const;
  [[nodiscard]] wall_time wall() const;
  [[nodiscard]] mono_time mono() const;

  /// Tenant `acme`, number 1, shard 3, source `github`, one endpoint per number given.
  static tenant_config config_of(std::vector<endpoint_no> endpoints, std::int64_t version = 1);
  static endpoint_id id_of(endpoint_no no);
  void put(tenant_config config) { database.put_tenant(std::make_shared<const tenant_config>(std::move(config))); }

  static constexpr fence fence_ = 5LL << 20 | 7;

  bool polls = true;
  metrics counts;
  directory verifiers;
  store_bridge bridge;
  tests::fake_store database{bridge};
  faulty_store door{database};
  fake_sender requests;
  fake_operator_reads resting;
  std::shared_ptr<recorded_replies> replies = std::make_shared<recorded_replies>();
  std::shared_ptr<ingest_admission> admission = std::make_shared<ingest_admission>();
  engine_context context;

private:
  struct configuration : caf::actor_system_config {
    configuration() { set("scheduler.policy", caf::atom("testing")); }
  };
  void tell_time();

  configuration configuration_;
  caf::actor_system system_;
  caf::scheduler::test_coordinator* scheduler_ = nullptr;
  mono_time start_{};
  mono_time next_poll_{};
  std::uint64_t sequence_ = 0;

public:
  node_actor node; ///< the top of the tree
  inspector_actor looking;
};

} // namespace postrider::test
