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
///   * first attempts that rode and are open for more than a minute get a due time (`expose_open_rides`), and at once
///     those of events whose commit was in doubt when they were answered (`expose_doubtful_rides`), so that
///   * the due poll (`poll_due`) shows their endpoint, and every other endpoint with something due, to the node;
///   * the live deliveries of deleted tenants become dead (`close_deleted_tenants`): nobody else closes them.
/// All but the poll is done under leases that hold in the statement's own eyes, and counts as done only for their
/// shards: what was looked at under a lease that had run out is looked at again. Not thread-safe.
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
  std::optional<session_failure> expose_doubtful_rides(session& on);
  /// For at most half a second a call.
  std::optional<session_failure> close_deleted_tenants(session& on);

private:
  /// What statements under leases did.
  struct swept_rows {
    std::size_t closed = 0;
    std::uint64_t held = ~std::uint64_t{0}; ///< one bit for each shard whose lease held in every statement
  };
  static session_result<swept_rows> interrupt_rides(session& on, const std::vector<shard_table::sweep>& sweeps);
  static session_result<swept_rows> interrupt_claimed(session& on, const std::vector<shard_table::sweep>& sweeps);
  session_result<std::size_t> report_due(session& on, const std::vector<shard_lease>& held,
                                         std::optional<wall_time> until);

  store_events& events_;
  metrics& metrics_;
  std::shared_ptr<const db_clock> clock_;
  shard_table& shards_;
  open_rides& rides_;
};

/// Tells the node which tenants' configuration changed since the last poll, by the database's clock. Not thread-safe.
class configuration_poll {
public:
  explicit configuration_poll(store_events& events) : events_{events} {}

  static std::vector<prepared_sql> statements();
  std::optional<session_failure> poll(session& on);

private:
  store_events& events_;
  std::optional<wall_time> latest_{};        ///< change seen; never ahead of the database's clock
  std::map<tenant_no, std::int64_t> recent_; ///< versions reported within the overlap
};

} // namespace postrider
