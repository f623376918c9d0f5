#pragma once

#include "actors/clock.hpp"
#include "actors/store.hpp"
#include "core/metrics.hpp"
#include "persistence/open_rides.hpp"
#include "persistence/session.hpp"
#include "persistence/shard_table.hpp"

#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace postrider {

/// Finds what would otherwise be orphaned, on the thread of the poll session:
///   * what a former owner of a shard left in flight is closed as interrupted and due at once (`sweep`, after a
///   take-over);
///   * first attempts that rode and are open for more than a minute get a due time (`expose_open_rides`), so that
///   * the due poll (`poll_due`) shows their endpoint, and every other endpoint with something due, to the node.
/// Not thread-safe.
class sweeper {
public:
  sweeper(store_events& events, metrics& counts, std::shared_ptr<const db_clock> clock, shard_table& shards,
          open_rides& rides);

  static std::vector<prepared_sql> statements();

  /// All sweeps that are due now. After the first of a take-over everything that is scheduled is reported, however far
  /// ahead.
  std::optional<session_failure> sweep(session& on);
  std::optional<session_failure> poll_due(session& on);
  std::optional<session_failure> expose_open_rides(session& on);

private:
  session_result<std::size_t> interrupt_rides(session& on, const std::vector<shard_table::sweep>& sweeps) const;
  session_result<std::size_t> interrupt_claimed(session& on, const std::vector<shard_table::sweep>& sweeps) const;
  session_result<std::size_t> report_due(session& on, const std::vector<shard_lease>& held,
                                         std::optional<wall_time> until);

  store_events& events_;
  metrics& metrics_;
  std::shared_ptr<const db_clock> clock_;
  shard_table& shards_;
  open_rides& rides_;
};

/// Tells the node which tenants' configuration changed since the last poll. Not thread-safe.
class configuration_poll {
public:
  configuration_poll(store_events& events, std::shared_ptr<const db_clock> clock);

  static std::vector<prepared_sql> statements();
  std::optional<session_failure> poll(session& on);

private:
  store_events& events_;
  std::shared_ptr<const db_clock> clock_;
  std::optional<wall_time> latest_{};        ///< change seen
  std::map<tenant_no, std::int64_t> recent_; ///< versions reported within the overlap
};

} // namespace postrider
