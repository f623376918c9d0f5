#pragma once

#include "actors/clock.hpp"
#include "actors/store.hpp"
#include "core/metrics.hpp"
#include "core/progress.hpp"
#include "persistence/accept_queue.hpp"
#include "persistence/availability.hpp"
#include "persistence/open_rides.hpp"
#include "persistence/session.hpp"
#include "persistence/shared_pace.hpp"
#include "persistence/stop_signal.hpp"

#include <atomic>
#include <functional>
#include <span>
#include <thread>
#include <vector>

namespace postrider {

/// What the accept writers share.
struct accept_environment {
  accept_queue& queue;
  store_events& events;
  open_rides& rides;
  availability& reports;
  metrics& counts;
  const db_clock& clock;
  std::function<void()> partitions_missing; ///< asks maintenance to create them now
  shared_pace* pace = nullptr;              ///< told how long events take; nothing: nobody asks
};

/// One thread and connection that takes batches from the queue and commits them: a batch is one statement. In doubt
/// (connection lost while it ran), the same statement runs again with the same ids, and no read decides against an
/// item: the old backend may still be about to commit it. A batch that fails for one row's sake, or that takes too
/// long, is bisected.
class accept_writer {
public:
  /// `progress`: where it tells that it works; nothing: nowhere.
  accept_writer(accept_environment environment, session_options options, watchdog& dog, pulse* progress = nullptr,
                session_role role = session_role::accept);
  ~accept_writer();
  accept_writer(const accept_writer&) = delete;
  accept_writer& operator=(const accept_writer&) = delete;

  /// Ends once the queue is closed and drained, at once where there is no connection, and at `until` in any case.
  void stop(mono_time until);

private:
  void run();
  [[nodiscard]] bool past_the_end() const;
  bool ensure_connected();
  void write(std::vector<queued_accept> batch);
  void attempt(std::span<queued_accept> items);
  /// The statement left rows out, or did not let all ride: tells each item's outcome by a second read.
  void classify(std::span<queued_accept> items);
  void failed(const session_failure& failure, std::span<queued_accept> items);
  void put_aside(const session_failure& failure, queued_accept& item) const;
  [[nodiscard]] bool near_midnight() const;

  accept_environment environment_;
  session session_;
  reconnect_backoff backoff_;
  stop_signal stop_;
  std::atomic<mono_time> end_{mono_time::max()};
  mono_time first_minute_until_{}; ///< the database said that it is the first minute of a day
  milliseconds pause_{0};          ///< before the next batch, after a failure that time may heal
  work_pulse progress_;
  const session_role role_;
  std::thread thread_;
};

/// Hands answered items to the node and frees their room. Used by the writers and for what expires in the queue.
void publish_accepts(const accept_environment& environment, std::vector<queued_accept> done);

} // namespace postrider
