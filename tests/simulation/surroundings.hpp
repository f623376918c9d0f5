#pragma once

#include "tests/simulation/dice.hpp"
#include "tests/simulation/timeline.hpp"
#include "tests/simulation/trace.hpp"
#include "tests/support/fake_store.hpp"

#include <map>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace postrider::simulation {

/// How the sky is at the moment: what STORE's calls and the news between nodes meet.
struct conditions {
  bool database_away = false;
  milliseconds leg_max{3};   ///< of the way to the database, and of the way back
  double lost_answers = 0;   ///< of calls: the connection is lost at COMMIT
  double lost_hints = 0;     ///< of what the due poll tells
  double repeated_hints = 0; ///< likewise
  double throws = 0;         ///< of calls of STORE and SENDER: a mistake of ours in an actor's handler
  double full = 0;           ///< of accepts: the queue has no room
};

/// The one database of all nodes: the fake STORE with what it reports kept for whoever asked.
class shared_database final : public store_events {
public:
  tests::fake_store rows{*this};

  void accepted(std::vector<accept_item_ptr> batch) override;
  void leases(std::vector<shard_lease>) override {}
  void due(std::vector<due_hint> hints) override { hints_ = std::move(hints); }
  void configuration_changed(std::vector<tenant_no> tenants) override {
    changed_.insert(tenants.begin(), tenants.end());
  }
  void availability(bool, std::string) override {}

  /// Writes the item; it comes back with its outcome.
  accept_item_ptr accept(accept_item_ptr item);
  std::vector<record_result> record(std::vector<outcome_write> writes);
  std::vector<due_hint> poll(wall_time until);
  std::set<tenant_no> take_changed() { return std::exchange(changed_, {}); }

private:
  std::vector<accept_item_ptr> accepted_;
  std::vector<due_hint> hints_;
  std::set<tenant_no> changed_;
};

/// What an endpoint does with requests, by shares of them; what is left is answered 200.
struct endpoint_mood {
  double failing = 0; ///< 500
  double busy = 0;    ///< 429 with Retry-After
  double hanging = 0; ///< until the time-out
  double resetting = 0;
  double refusing = 0; ///< no connection
  double gone = 0;     ///< 410
  double asking_disable = 0, asking_abort = 0;
  double cutting = 0; ///< the request is cut short by SENDER itself, as at its end: `interrupted`
  milliseconds latency_max{40};
};

/// What all parts of a run share: time, chance, the trace, the database, the endpoints.
class surroundings {
public:
  explicit surroundings(std::uint64_t seed);

  [[nodiscard]] wall_time wall() const;
  [[nodiscard]] milliseconds elapsed() const;
  void note(std::string_view what, std::int64_t first = 0, std::int64_t second = 0, std::int64_t third = 0) {
    events.note(elapsed(), what, first, second, third);
  }
  /// A small number for a delivery, in the order in which they were first seen: for the trace.
  std::int64_t number_of(const delivery_id& delivery);
  void set_now(mono_time to);
  /// Something happened that may cut attempts of that endpoint short (0: of all).
  void disturb(endpoint_no endpoint) { disturbances_[endpoint].push_back(wall()); }
  [[nodiscard]] bool disturbed(endpoint_no endpoint, wall_time from, wall_time until) const;

  static constexpr mono_time start{std::chrono::hours{1'000}};
  static constexpr milliseconds margin{300}; ///< trust in a lease ends so much before the lease

  mono_time now = start;
  dice chance;
  trace events;
  conditions sky;
  timeline later; ///< what outlives a node
  shared_database database;
  std::map<endpoint_no, endpoint_mood> moods;
  std::map<endpoint_no, mono_time> resting_since; ///< paused or disabled by its tenant
  /// Requests under way of each endpoint and key, on whichever node: one at most.
  std::map<std::pair<endpoint_no, std::string>, delivery_id> in_order;
  mono_time call_failed_at{}; ///< the last of STORE's that was not answered as it should

private:
  std::unordered_map<delivery_id, std::int64_t> numbers_;
  std::map<endpoint_no, std::vector<wall_time>> disturbances_; // ascending
};

} // namespace postrider::simulation
