#pragma once

#include "core/metrics.hpp"
#include "persistence/operations_store.hpp"
#include "persistence/session_worker.hpp"
#include "persistence/stop_signal.hpp"
#include "persistence/watchdog.hpp"

#include <string>

namespace postrider {

struct job_runner_options {
  std::string url; ///< libpq URL or DSN
  operations_ears ears{};
  milliseconds interval{250}; ///< between two rounds
};

/// Carries out jobs, on a thread and a connection of its own; every node has one. A round does batches, evenly, until
/// there is nothing to do, or `round_rows_max` rows were changed: 1,000 a second and node, and 600 while the node
/// accepts events, which would feel more. Jobs take turns by the time of their last batch, so none keeps the others
/// waiting for long. The rows are locked by whoever does a batch, so any number of nodes share the work, and what a
/// crashed node leaves goes on at once.
class job_runner {
public:
  static constexpr std::int64_t round_rows_max = 250;
  static constexpr std::int64_t round_rows_busy_max = 150;
  static constexpr milliseconds round_max{240};
  static constexpr milliseconds between_batches{40}; ///< of those that change rows: their load is even
  static constexpr milliseconds between_batches_busy{75};

  job_runner(job_runner_options options, metrics& counts);
  ~job_runner(); ///< `stop`
  job_runner(const job_runner&) = delete;
  job_runner& operator=(const job_runner&) = delete;

  void start();
  /// Lets the batch that runs end, for `grace` at most. Idempotent.
  void stop(milliseconds grace = milliseconds{0});

private:
  std::optional<session_failure> run_round(session& on);

  const job_runner_options options_;
  watchdog watchdog_;
  metrics& counts_;
  std::uint64_t accepted_ = 0; ///< events, until the last round
  stop_signal stopping_;
  session_worker worker_;
};

} // namespace postrider
