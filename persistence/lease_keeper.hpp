#pragma once

#include "actors/clock.hpp"
#include "actors/store.hpp"
#include "core/metrics.hpp"
#include "core/result.hpp"
#include "core/shard.hpp"
#include "persistence/availability.hpp"
#include "persistence/node_identity.hpp"
#include "persistence/open_rides.hpp"
#include "persistence/session.hpp"
#include "persistence/shard_table.hpp"
#include "persistence/stop_signal.hpp"

#include <functional>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <thread>

namespace postrider {

struct lease_options {
  node_identity node;
  milliseconds ttl{6'000}; ///< at least 2 s
  /// Called, once, when another process is found to live under this node's name after `start` had to return without
  /// knowing (the database was away): this process must end.
  std::function<void(problem)> refused{};
};

/// What the lease keeper writes and tells.
struct lease_environment {
  store_events& events;
  availability& reports;
  metrics& counts;
  std::shared_ptr<db_clock> clock;
  std::shared_ptr<lease_trust> trust;
  shard_table& shards;
  const open_rides& rides;
  std::function<void()> taken; ///< shards were taken: the sweep should look now
};

/// One thread and connection for leases and nothing else. Holds the incarnation's advisory lock, registers the node,
/// takes shards and renews them with the heartbeat, measures the clock, and says until when the leases may be trusted:
/// renewal's start + ttl - margin on CLOCK_BOOTTIME. Trust ends at once when the connection is lost: another process
/// may then think this one dead.
class lease_keeper {
public:
  lease_keeper(lease_environment environment, lease_options options, session_options session, watchdog& dog);
  ~lease_keeper();
  lease_keeper(const lease_keeper&) = delete;
  lease_keeper& operator=(const lease_keeper&) = delete;

  /// Waits, at most 10 s, until the node is registered, or the database turns out to be away (success: it will be
  /// registered when it is back). 409 `node-name-taken`: another live process has the name; the keeper has ended then.
  result<void> start();
  /// From now on the heartbeat says `draining`.
  void drain() noexcept { draining_.store(true); }
  /// Gives the leases up and ends.
  void stop();

private:
  enum class step_result : std::uint8_t { ok, failed, refused };

  void run();
  step_result enter(); ///< connect, register, take
  step_result renew();
  bool take_missing();
  void measure_clock(std::int64_t database_us, std::chrono::system_clock::time_point before,
                     std::chrono::system_clock::time_point after) const;
  void lost(const session_failure& failure);
  void show_fences();
  void tell_leases();
  void release();
  void decide(result<void> outcome);
  void wait_or_hang_up(milliseconds delay);
  [[nodiscard]] milliseconds period() const { return std::min(options_.ttl / 3, milliseconds{2'000}); }
  [[nodiscard]] milliseconds margin() const { return std::min(options_.ttl / 6, milliseconds{1'000}); }

  lease_environment environment_;
  lease_options options_;
  session session_;
  stop_signal stop_;
  std::atomic<bool> draining_{false};
  reconnect_backoff backoff_;
  std::optional<uuid> former_; ///< incarnation that had the name before, proved gone
  std::mt19937 chance_{std::random_device{}()};
  std::promise<result<void>> decided_;
  bool is_decided_ = false;
  bool told_ = false; ///< the node thinks it holds leases
  std::thread thread_;
};

} // namespace postrider
