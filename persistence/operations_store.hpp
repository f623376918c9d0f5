#pragma once

#include "actors/operations_store.hpp"
#include "actors/withdrawal.hpp"
#include "persistence/management_queue.hpp"

#include <functional>
#include <string>
#include <vector>

namespace postrider {

/// Whom operations tell of what is committed. All of it is only quicker than what finds out by itself: the due poll and
/// the poll for configurations, each within a second. Empty: nobody is told.
struct operations_ears {
  std::function<void(tenant_no)> configuration_changed{};
  std::function<void(tenant_no, endpoint_no)> due{}; ///< something of that endpoint is due now
  delivery_withdrawal* withdrawals = nullptr;        ///< outlives the store
};

/// The operations on PostgreSQL, over the threads and connections of the management store.
class postgres_operations_store final : public operations_store {
public:
  /// How long the answer to a cancel waits until what was only waiting in memory is taken back.
  static constexpr milliseconds withdrawal_max{1'000};

  /// `queue` must outlive this.
  postgres_operations_store(management_queue& queue, operations_ears ears) : queue_{queue}, ears_{std::move(ears)} {}

  void pause_endpoint(std::string tenant, endpoint_id id, reply<endpoint_record> done) override;
  void resume_endpoint(std::string tenant, endpoint_id id, reply<endpoint_record> done) override;
  void reset_breaker(std::string tenant, endpoint_id id, reply<endpoint_record> done) override;
  void test_endpoint(std::string tenant, endpoint_id id, reply<event_id> done) override;
  void retry_delivery(std::string tenant, delivery_id id, reply<delivery_record> done) override;
  void cancel_delivery(std::string tenant, delivery_id id, reply<delivery_record> done) override;
  void start_job(std::string tenant, new_job job, reply<job_record> done) override;
  void get_job(std::string tenant, job_id id, reply<job_record> done) override;
  void erase_event(std::string tenant, event_id id, reply<event_record> done) override;
  void publish(std::string tenant, std::vector<new_event> events, reply<std::vector<published_event>> done) override;
  void get_stats(std::string tenant, std::optional<wall_time> since, reply<tenant_stats> done) override;

private:
  void tell_due(tenant_no tenant, const std::vector<endpoint_no>& endpoints) const;

  management_queue& queue_;
  const operations_ears ears_;
};

} // namespace postrider
