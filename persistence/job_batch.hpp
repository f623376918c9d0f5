#pragma once

#include "actors/operations_store.hpp"
#include "persistence/delivery_changes.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pqxx {
class transaction_base;
} // namespace pqxx

/// One batch of a job, in one transaction: a page of rows by an index, what is changed of it, and how far the job is.
namespace postrider {

/// Stored as numbers: never renumber. A job goes through those that it needs, in this order.
///
/// | stage | goes through | and |
/// | --- | --- | --- |
/// | count_deliveries | the deliveries of each endpoint | counts those that the job means |
/// | count_events | the tenant's events (`replay_missing` alone) | counts those without a delivery to the endpoint |
/// | change_deliveries | as the first | changes them |
/// | make_deliveries | as the second | makes what is missing |
enum class job_stage : std::int16_t {
  count_deliveries = 0,
  count_events = 1,
  change_deliveries = 2,
  make_deliveries = 3
};
constexpr bool is_counted(job_stage stage) noexcept {
  return stage >= job_stage::change_deliveries;
}

/// Rows of a batch that counts, and of one that changes.
inline constexpr int count_page = 5'000;
inline constexpr int change_page = 50; ///< small: what comes in waits for no long statement
/// A job that makes deliveries pending waits while so many of the endpoint's are due: live traffic goes first.
inline constexpr int due_backlog_max = 1'000;

/// A job as its row says.
struct running_job {
  uuid id;
  tenant_no tenant = 0;
  job_kind kind = job_kind::retry;
  endpoint_no only = 0; ///< 0: every endpoint
  std::vector<delivery_state> states;
  std::vector<std::string> event_types;
  uuid first{}, end{};
  job_stage stage = job_stage::count_deliveries;
  endpoint_no endpoint = 0; ///< that is gone through; 0: the first is to be found
  uuid cursor{};
};

struct job_batch {
  std::int64_t changed = 0;                ///< rows
  std::vector<endpoint_no> due;            ///< something of it is due now
  std::vector<cancelled_delivery> running; ///< to be withdrawn
  bool waits = false;                      ///< nothing was done: the endpoint has enough to do
};

/// The next job that may go on, its row locked until the end of the transaction; nothing: none.
std::optional<running_job> take_job(pqxx::transaction_base& transaction);
/// Does a batch of it and stores how far it is. The caller commits, and withdraws afterwards.
job_batch run_batch(pqxx::transaction_base& transaction, running_job job);
/// A batch failed. After 20 in a row the job has failed.
void note_failure(pqxx::transaction_base& transaction, const uuid& job, const std::string& detail);
/// Deletes jobs that ended 30 days ago, 1,000 at most.
void delete_old_jobs(pqxx::transaction_base& transaction);

} // namespace postrider
