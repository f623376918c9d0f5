#pragma once

#include "actors/clock.hpp"
#include "actors/ingest.hpp"
#include "actors/inspection.hpp"
#include "actors/sender.hpp"
#include "actors/store.hpp"
#include "actors/withdrawal.hpp"
#include "core/metrics.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace postrider {

struct actor_engine_options {
  std::string node_name;
  std::size_t scheduler_threads = 2;
  std::chrono::milliseconds disable_after{0}; ///< see engine_limits
  /// NODE has ended although nobody stopped it: nothing is accepted or delivered any more, while the leases would still
  /// be renewed. The process should end. Called once, from one of CAF's threads; must not call back into the engine.
  std::function<void(std::string why)> failed{};
};

/// The actor system behind its ports: the only class of actors/ that the daemon sees. Order of life: constructed with
/// STORE and SENDER (which outlive it and were given `events()` by reference), `start()`, …, `drain()`, `stop()`.
class actor_engine {
public:
  /// `store` and `sender` are used from `start()` on. `clock` gives the database's time.
  explicit actor_engine(actor_engine_options options, metrics& counts, const db_clock& clock);
  ~actor_engine(); ///< stops
  actor_engine(const actor_engine&) = delete;
  actor_engine& operator=(const actor_engine&) = delete;

  /// Where STORE reports. Valid from construction; what comes before `start()` waits.
  [[nodiscard]] store_events& events() noexcept;
  /// Where LISTENER hands requests in. Before `start()` and after `stop()` every request is answered 503.
  [[nodiscard]] ingest_gate& gate() noexcept;
  [[nodiscard]] inspection& inspect() noexcept;
  /// Where cancelled deliveries are taken back. Before `start()` and after `stop()` there is nothing to take back.
  [[nodiscard]] delivery_withdrawal& withdrawals() noexcept;

  void start(store& database, sender& requests);

  /// Starts nothing new, releases what was claimed and not sent, waits for what runs and for its outcomes to be
  /// recorded; at most until the deadline. True when all had ended. Not from an actor's or an io thread.
  bool drain(std::chrono::milliseconds deadline);
  /// Ends all actors and joins CAF's threads. Idempotent. On the thread that called `start()` (see steward_actor).
  void stop();

  /// How long ago the actors last made a turn: the delivery loop's progress, for readiness.
  [[nodiscard]] std::chrono::milliseconds since_last_turn() const noexcept;

private:
  class implementation;
  std::unique_ptr<implementation> implementation_;
};

} // namespace postrider
