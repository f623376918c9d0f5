#pragma once

#include "actors/store.hpp"

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace postrider::tests {

/// STORE in memory, by the same rules as the real one (the conformance suite runs on both), for tests of actors. No
/// threads and no clock of its own: what is asked waits until `run`, which does it in order and calls back from there.
/// Not thread-safe.
class fake_store final : public store {
public:
  static constexpr std::size_t accepts_max = 4'096;

  /// A delivery's row and its attempts.
  struct row {
    delivery_id id;
    event_ptr what;
    tenant_no tenant = 0;
    endpoint_no endpoint = 0;
    shard_no shard = 0;
    std::uint32_t seed = 0;
    delivery_lane lane = delivery_lane::live_medium;
    delivery_state state = delivery_state::pending;
    delivery_reason reason = delivery_reason::none;
    fence under = 0;
    std::uint32_t attempt_count = 0;
    std::uint32_t step = 0;
    std::optional<wall_time> next_attempt_at{};
    wall_time updated_at{};
    delivery_reason cancel_asked =
      delivery_reason::none; ///< somebody's wish: it becomes `cancelled` instead of living on
    struct attempt {
      std::uint32_t number = 0;
      wall_time started_at{};
      milliseconds duration{0};
      attempt_outcome outcome = attempt_outcome::succeeded;
      attempt_reason reason = attempt_reason::none;
      int http_status = 0;
      std::string excerpt{};
    };
    std::vector<attempt> attempts{};    ///< in the order of their numbers
    std::optional<order_place> place{}; ///< of an ordered endpoint's
  };

  explicit fake_store(store_events& events);

  // ---- the world around it, as a test arranges it
  void set_now(wall_time now) { now_ = now; }
  void set_mono_now(mono_time now) { mono_now_ = now; }
  [[nodiscard]] wall_time now() const noexcept { return now_; }
  /// False: the database is away. Outcomes, events (until their deadline), runtimes and disabled endpoints wait; all
  /// else is answered "unavailable".
  void set_available(bool available);
  /// Adds the tenant, or replaces its configuration; tells `configuration_changed` at the next `run` where it replaces.
  void put_tenant(tenant_config_ptr config);
  /// Deletes it; its configuration as it was last can still be looked at.
  void remove_tenant(tenant_no tenant);
  /// This process's lease of the shard; reported by `report_leases`. Fence 0: somebody else has it.
  void set_lease(shard_no shard, fence under);
  [[nodiscard]] fence lease(shard_no shard) const { return leases_.at(static_cast<std::size_t>(shard)); }
  void report_leases();
  /// What the due poll reports: every endpoint with something scheduled until `until`, but for those that may not send.
  void poll_due(wall_time until);
  /// Closes what is in flight under other fences in the shards that are held, as a take-over does.
  void sweep();
  /// Gives first attempts of ours that are open for a minute a due time, so that the poll shows them to their actor.
  void expose_open_rides();
  /// Makes what waits of deleted tenants, and what is past its deadline, dead, in the shards that are held.
  void close_deleted_tenants();

  /// Does all that waits, and what that asks for. How many things were done.
  std::size_t run();
  [[nodiscard]] std::size_t waiting() const noexcept { return jobs_.size() + accepts_.size() + writes_.size(); }

  // ---- what is stored
  [[nodiscard]] const row* find(delivery_id id) const;
  [[nodiscard]] std::vector<row> deliveries_of(endpoint_no endpoint) const;
  [[nodiscard]] const std::map<delivery_id, row>& deliveries() const noexcept { return deliveries_; }
  /// Nothing: there is no such tenant.
  [[nodiscard]] tenant_config_ptr tenant(tenant_no no) const;
  [[nodiscard]] bool has_event(event_id id) const { return events_by_id_.contains(id); }
  [[nodiscard]] const std::vector<std::pair<endpoint_no, std::string>>& disabled() const noexcept { return disabled_; }
  /// By state; what `tenant_counter` would say.
  [[nodiscard]] std::array<std::int64_t, delivery_state_count> counters(tenant_no tenant) const;
  /// Changes a row behind the actors' back, as a person's wish would.
  void change(delivery_id id, const std::function<void(row&)>& how);
  [[nodiscard]] std::size_t accept_calls() const noexcept { return accept_calls_; }
  [[nodiscard]] std::size_t claim_calls() const noexcept { return claim_calls_; }
  [[nodiscard]] delivery_priority last_claims_priority() const noexcept { return last_claims_priority_; }
  [[nodiscard]] std::size_t load_calls() const noexcept { return load_calls_; }
  [[nodiscard]] std::size_t live_calls() const noexcept { return live_calls_; }

  // ---- store
  bool accept(accept_item_ptr& item) override;
  void record(std::vector<outcome_write> writes) override;
  void claim(claim_request request, std::function<void(claim_result)> done) override;
  void close_interrupted(tenant_no tenant, endpoint_no endpoint, shard_no shard, fence under,
                         std::vector<delivery_id> known, std::function<void(std::optional<std::size_t>)> done) override;
  /// The same, of attempts that began until `asked_at` only: for a call that is executed late.
  void close_interrupted(endpoint_no endpoint, shard_no shard, fence under, std::vector<delivery_id> known,
                         wall_time asked_at, std::function<void(std::optional<std::size_t>)> done);
  void close_deleted(tenant_no tenant, endpoint_no endpoint, shard_no shard, fence under,
                     std::function<void(deleted_closing)> done) override;
  void load_tenant(tenant_key key, std::function<void(result<tenant_config_ptr>)> done) override;
  void count_live(tenant_no tenant, std::function<void(result<std::int64_t>)> done) override;
  void load_runtime(endpoint_no endpoint, std::function<void(result<std::optional<endpoint_runtime>>)> done) override;
  void save_runtime(endpoint_runtime now, shard_no shard, fence under, std::string cause) override;
  void disable_endpoint(tenant_no tenant, endpoint_no endpoint, std::string reason) override;

private:
  [[nodiscard]] bool holds(shard_no shard, fence under) const;
  /// Its endpoint is paused or disabled.
  [[nodiscard]] bool waits(const row& of) const;
  std::size_t run_accepts();
  void decide(accept_item& item);
  void insert(accept_item& item);
  void confirm(accept_item& item) const;
  std::size_t run_writes();
  record_result write(const outcome_write& write);
  claim_result claim_now(const claim_request& request);
  void claim_in_order(const claim_request& request, claim_result& out);
  claimed_delivery take(row& found, const claim_request& request);
  /// At once, or when the database is back.
  void keep(std::function<void()> job);
  void interrupt(row& found);
  void close(row& found, delivery_reason reason);
  void move(row& found, delivery_state to);

  store_events& events_;
  wall_time now_{std::chrono::hours{24 * 365 * 56}};
  mono_time mono_now_{};
  bool available_ = true;
  std::deque<std::function<void()>> jobs_;
  std::deque<accept_item_ptr> accepts_;
  std::deque<outcome_write> writes_;
  std::deque<std::function<void()>> kept_; ///< until the database is back
  std::map<uuid, event_id> keys_;
  std::map<event_id, event_ptr> events_by_id_;
  std::map<delivery_id, row> deliveries_;
  std::map<endpoint_no, std::int64_t> order_counters_;
  std::map<tenant_no, tenant_config_ptr> tenants_;
  std::set<tenant_no> deleted_tenants_;
  std::map<tenant_no, std::array<std::int64_t, delivery_state_count>> counters_;
  std::map<endpoint_no, endpoint_runtime> runtimes_;
  std::array<fence, shard_count> leases_{};
  std::vector<std::pair<endpoint_no, std::string>> disabled_;
  std::size_t accept_calls_ = 0, claim_calls_ = 0, load_calls_ = 0, live_calls_ = 0;
  delivery_priority last_claims_priority_ = delivery_priority::medium;
};

} // namespace postrider::tests
