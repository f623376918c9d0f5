#include "tests/simulation/simulated_node.hpp"

#include "actors/engine_context.hpp"
#include "actors/node.hpp"
#include "actors/store_bridge.hpp"
#include "tests/simulation/stormy_sender.hpp"
#include "tests/simulation/stormy_store.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <utility>

namespace postrider::simulation {

namespace {

/// Where answers go; after the node's end nobody hears them.
class heard_replies final : public ingest_replies {
public:
  explicit heard_replies(std::function<void(std::uint64_t, const ingest_answer&)> answered)
      : answered_{std::move(answered)} {}
  void answer(std::vector<ingest_answer> answers) override {
    for (const auto& each : answers)
      if (answered_)
        answered_(each.to.sequence, each);
  }
  void end() { answered_ = nullptr; }

private:
  std::function<void(std::uint64_t, const ingest_answer&)> answered_;
};

constexpr std::size_t turns_max = 200'000; // at one point of time
/// Beyond a node's bound: rides whose commit was under way when it was reached, and answers of claims.
constexpr std::uint64_t rows_on_the_way = 24;

struct configuration : caf::actor_system_config {
  configuration() {
    set("scheduler.policy", caf::atom("testing"));
    set("scheduler.max-throughput", 3); // so that actors' turns mix
  }
};

} // namespace

class simulated_node::implementation {
public:
  implementation(surroundings& around, delivery_check& checks, const std::vector<endpoint_config>& endpoints,
                 node_limits limits, int number, std::function<void(std::uint64_t, const ingest_answer&)> answered)
      : around_{around}
      , number_{number}
      , replies_{std::make_shared<heard_replies>(std::move(answered))}
      , database_{around, jobs_, gates_, checks}
      , requests_{around, jobs_, gates_, checks}
      , context_{.node_name = "n" + std::to_string(number),
                 .database = database_,
                 .requests = requests_,
                 .counts = counts_,
                 .verifiers = verifiers_,
                 .wall_now = [&around] { return around.wall(); },
                 .new_chance = [&around] { return chance{around.chance.next()}; }}
      , system_{configuration_} {
    for (const auto& each : endpoints)
      gates_[each.no].allow(each);
    context_.limits.delivery_idle = limits.delivery_idle;
    context_.limits.tenant_idle = limits.tenant_idle;
    context_.held = std::make_shared<held_work>(limits.memory);
    rows_max_ = limits.memory.rows;
    database_.report = [this](std::vector<accept_item_ptr> batch) { bridge_.accepted(std::move(batch)); };
    database_.retry_after = [this](const delivery_id& delivery) { return requests_.retry_after(delivery); };
    scheduler_ = &dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler());
    scheduler_->clock().current_time = around_.now;
    node_ = system_.spawn(node, node_arguments{&context_, std::make_shared<heartbeat>(0)});
    bridge_.connect(node_);
  }

  ~implementation() {
    replies_->end();
    database_.end();
    requests_.end();
    jobs_.clear();
    bridge_.disconnect();
    caf::anon_send_exit(node_, caf::exit_reason::user_shutdown);
    node_ = nullptr;
    scheduler_->run();
    while (scheduler_->has_pending_timeout()) { // a delayed message keeps its actor, and so the actor system
      scheduler_->trigger_timeouts();
      scheduler_->run();
    }
    jobs_.clear();
  }

  implementation(const implementation&) = delete;
  implementation& operator=(const implementation&) = delete;

  void submit(ingest_request request, std::uint64_t sequence) {
    const auto bytes = static_cast<std::int64_t>(request.body.size());
    auto shared = std::make_shared<ingest_request>(std::move(request));
    if (!admission_->try_enter(bytes))
      return replies_->answer({{{0, 0, sequence}, ingest_result::overloaded, {}, {}}});
    shared->ticket = ingest_ticket{{0, 0, sequence}, bytes, replies_, admission_};
    const bool known = verifiers_.with(shared->tenant, shared->source, [&](const provider_verifier_actor& verifier) {
      caf::anon_send(verifier, atom::ingest::value, shared);
    });
    if (!known)
      caf::anon_send(node_, atom::ingest::value, std::move(shared));
  }

  void drain() {
    system_.spawn(
      [](caf::event_based_actor* self, const node_actor& asked, const std::shared_ptr<bool>& into) {
        self->request(asked, caf::infinite, atom::drain::value).then([into](bool done) { *into = done; });
      },
      node_, drained_);
  }

  [[nodiscard]] std::optional<mono_time> next() const {
    auto out = jobs_.next();
    const auto& timers = scheduler_->clock().schedule();
    if (!timers.empty() && (!out || timers.begin()->first < *out))
      out = timers.begin()->first;
    return out;
  }

  void pass_to(mono_time now) { scheduler_->advance_time(now - scheduler_->clock().now()); }

  bool work() {
    bool any = false;
    for (std::size_t turns = 0;;) {
      while (!scheduler_->jobs.empty()) {
        auto& jobs = scheduler_->jobs;
        std::swap(jobs.front(), jobs[around_.chance.index(jobs.size())]);
        scheduler_->run_once();
        any = true;
        if (const auto held = context_.held->held().rows; held > rows_max_ + rows_on_the_way)
          violated("I13: a node holds more than its bound: node", number_, static_cast<std::int64_t>(held),
                   static_cast<std::int64_t>(rows_max_));
        if (++turns > turns_max)
          violated("time stands still: the actors are never done: node", number_);
      }
      told_ = leases_;
      if (!jobs_.run_one(around_.now))
        return any;
      any = true;
    }
  }

  void tell_leases(std::vector<shard_lease> mine) {
    leases_.clear();
    for (const auto& each : mine)
      leases_[each.shard] = each.under;
    bridge_.leases(std::move(mine));
  }

  surroundings& around_;
  int number_;
  std::shared_ptr<heard_replies> replies_;
  std::shared_ptr<ingest_admission> admission_ = std::make_shared<ingest_admission>();
  timeline jobs_;
  std::map<endpoint_no, gate_check> gates_;
  metrics counts_;
  directory verifiers_;
  store_bridge bridge_;
  stormy_store database_;
  stormy_sender requests_;
  engine_context context_;
  std::uint64_t rows_max_ = 0;
  std::map<shard_no, fence> leases_; ///< as the actors will know
  std::map<shard_no, fence> told_;   ///< as they know
  std::shared_ptr<bool> drained_ = std::make_shared<bool>(false);

  configuration configuration_;
  caf::actor_system system_;
  caf::scheduler::test_coordinator* scheduler_ = nullptr;
  node_actor node_;
};

simulated_node::simulated_node(surroundings& around, delivery_check& checks,
                               const std::vector<endpoint_config>& endpoints, node_limits limits, int number,
                               std::function<void(std::uint64_t, const ingest_answer&)> answered)
    : implementation_{
        std::make_unique<implementation>(around, checks, endpoints, limits, number, std::move(answered))} {
  auto& inside = *implementation_;
  inside.requests_.trusts = [this](tenant_no tenant, fence under) { return trusts(tenant, under); };
  inside.requests_.told_lost = [&inside](tenant_no tenant) {
    const auto shard = inside.around_.database.rows.tenant(tenant)->shard;
    return !inside.told_.contains(shard) && !inside.leases_.contains(shard);
  };
}
simulated_node::~simulated_node() = default;

void simulated_node::submit(ingest_request request, std::uint64_t sequence) {
  implementation_->submit(std::move(request), sequence);
}
void simulated_node::tell_leases(std::vector<shard_lease> mine) {
  implementation_->tell_leases(std::move(mine));
}
void simulated_node::tell_due(std::vector<due_hint> hints) {
  implementation_->bridge_.due(std::move(hints));
}
void simulated_node::tell_changed(std::vector<tenant_no> tenants) {
  implementation_->bridge_.configuration_changed(std::move(tenants));
}
fence simulated_node::told_fence(shard_no shard) const {
  const auto found = implementation_->told_.find(shard);
  return found == implementation_->told_.end() ? 0 : found->second;
}
void simulated_node::allow(const endpoint_config& endpoint) {
  implementation_->gates_[endpoint.no].allow(endpoint);
}
void simulated_node::drain() {
  implementation_->drain();
}
bool simulated_node::drained() const {
  return *implementation_->drained_;
}
work_size simulated_node::memory() const {
  return implementation_->context_.held->held();
}
std::optional<mono_time> simulated_node::next() const {
  return implementation_->next();
}
void simulated_node::pass_to(mono_time now) {
  implementation_->pass_to(now);
}
bool simulated_node::work() {
  return implementation_->work();
}

} // namespace postrider::simulation
