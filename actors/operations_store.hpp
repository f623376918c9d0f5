#pragma once

#include "actors/management_store.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What people ask of deliveries, events and endpoints besides configuring them (docs/decisions/0011-operations.md).
/// The second part of the management port: the same rules as in actors/management_store.hpp, and a change here is made
/// under an `Idempotency-Key` by the same `management_store::once`.
namespace postrider {

/// Work over many deliveries. Stored as words.
enum class job_kind : std::uint8_t {
  retry,         ///< final deliveries of a tenant become pending
  cancel,        ///< live ones become cancelled
  replay,        ///< final ones of one endpoint become pending
  replay_missing ///< the same, and events that match the endpoint and have no delivery to it get one
};
inline constexpr std::size_t job_kind_count = 4;
std::string_view to_string(job_kind kind) noexcept;
std::optional<job_kind> parse_job_kind(std::string_view word) noexcept;

struct new_job {
  job_kind kind = job_kind::retry;
  std::optional<endpoint_id> endpoint{};     ///< a replay always has one
  std::vector<delivery_state> states{};      ///< at least one, all final, or for a cancel all live
  std::vector<std::string> event_types{};    ///< patterns; empty: all
  std::optional<wall_time> since{}, until{}; ///< by the event's `received_at`, from and below; until: at most now
};

enum class job_state : std::uint8_t { running, done, failed };
struct job_record {
  job_id id;
  job_kind kind = job_kind::retry;
  job_state state = job_state::running;
  std::int64_t done = 0;               ///< deliveries changed or made
  std::optional<std::int64_t> total{}; ///< nothing: they are being counted
  std::string error;                   ///< for people; empty: none
  wall_time created_at{}, updated_at{};
};
/// Running ones of a tenant; beyond: 409 `too-many-jobs`.
inline constexpr std::int64_t running_jobs_max = 20;

/// One event that the tenant's own application publishes.
struct new_event {
  std::string type, content_type, payload;
  std::optional<std::string> id{}; ///< unique per tenant within the dedupe window
  std::optional<wall_time> deliver_at{};
  std::optional<int> priority{}; ///< 0 high, 1 medium, 2 low
  std::string at{};              ///< where it stands in the request's body, a JSON pointer
};
struct published_event {
  event_id id; ///< of the first, where it is a duplicate
  bool duplicate = false;
};

struct tenant_stats {
  std::array<std::int64_t, delivery_state_count> by_state{}; ///< their sum is what was accepted
  std::optional<std::int64_t> latency_p50_ms{},
    latency_p99_ms{}; ///< of those that succeeded, the newest 10,000 of each endpoint looked at
};

class operations_store {
public:
  virtual ~operations_store() = default;

  /// 409 `endpoint-disabled`: it is neither active nor paused.
  virtual void pause_endpoint(std::string tenant, endpoint_id id, reply<endpoint_record> done) = 0;
  virtual void resume_endpoint(std::string tenant, endpoint_id id, reply<endpoint_record> done) = 0;
  /// The breaker is closed in the database, and wherever it is held within a second.
  virtual void reset_breaker(std::string tenant, endpoint_id id, reply<endpoint_record> done) = 0;
  /// An event `postrider.test`, with a delivery to this endpoint alone. 409 `endpoint-disabled`.
  virtual void test_endpoint(std::string tenant, endpoint_id id, reply<event_id> done) = 0;

  /// A new generation of a final delivery. 409 `delivery-live`, `payload-erased`, `endpoint-deleted`.
  virtual void retry_delivery(std::string tenant, delivery_id id, reply<delivery_record> done) = 0;
  /// `cancelled`; or `in_flight`, where an attempt runs, whose outcome decides: no other starts. 409 `delivery-final`.
  virtual void cancel_delivery(std::string tenant, delivery_id id, reply<delivery_record> done) = 0;

  virtual void start_job(std::string tenant, new_job job, reply<job_record> done) = 0;
  virtual void get_job(std::string tenant, job_id id, reply<job_record> done) = 0;

  /// Payload, headers and excerpts of responses are gone for good; live deliveries of it are cancelled.
  virtual void erase_event(std::string tenant, event_id id, reply<event_record> done) = 0;

  /// All or none, in the order given. 422 where one with `deliver_at` matches an ordered endpoint; 403
  /// `tenant-disabled`.
  virtual void publish(std::string tenant, std::vector<new_event> events, reply<std::vector<published_event>> done) = 0;

  /// Of deliveries of events received since then; nothing: of all, from one snapshot.
  virtual void get_stats(std::string tenant, std::optional<wall_time> since, reply<tenant_stats> done) = 0;
};

} // namespace postrider
