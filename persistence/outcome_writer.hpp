#pragma once

#include "actors/store.hpp"
#include "core/metrics.hpp"
#include "core/progress.hpp"
#include "persistence/availability.hpp"
#include "persistence/open_rides.hpp"
#include "persistence/record_queue.hpp"
#include "persistence/session.hpp"
#include "persistence/stop_signal.hpp"

#include <atomic>
#include <span>
#include <thread>
#include <vector>

namespace postrider {

/// The statements that a recording session prepares.
std::vector<prepared_sql> record_statements();

/// Runs the guarded statement once and tells, for each write in its order, what came of it (the missed ones by a second
/// read).
session_result<std::vector<record_result>> write_outcomes(session& on, std::span<const outcome_write> writes);

/// One thread and connection that writes outcomes in batches and tells their owners. Repeats a batch whose commit is in
/// doubt: a row that is already what it should become, under the same fence, counts as recorded.
class outcome_writer {
public:
  outcome_writer(record_queue& queue, open_rides& rides, availability& reports, metrics& counts,
                 session_options options, watchdog& dog, pulse* progress = nullptr);
  ~outcome_writer();
  outcome_writer(const outcome_writer&) = delete;
  outcome_writer& operator=(const outcome_writer&) = delete;

  /// Ends once the queue is closed and drained, at once where there is no connection, and at `until` in any case: what
  /// is left then is closed as interrupted by the next owner.
  void stop(mono_time until);

private:
  void run();
  bool ensure_connected();
  /// Tells what could be decided; what remains undecided is put back. Whether a statement was committed: where each row
  /// is refused nothing remains, and yet nothing was recorded.
  bool write(std::span<outcome_write> writes, std::vector<outcome_write>& back);
  bool failed(const session_failure& failure, std::span<outcome_write> writes, std::vector<outcome_write>& back);
  /// `ended`: their rides are over, as far as this process knows.
  void tell(std::span<outcome_write> writes, std::vector<record_result> results, bool ended = true);

  record_queue& queue_;
  open_rides& rides_;
  availability& reports_;
  metrics& metrics_;
  session session_;
  reconnect_backoff backoff_;
  stop_signal stop_;
  std::atomic<mono_time> end_{mono_time::max()};
  milliseconds pause_{0};
  work_pulse progress_;
  std::thread thread_;
};

} // namespace postrider
