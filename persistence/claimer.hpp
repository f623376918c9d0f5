#pragma once

#include "actors/store.hpp"
#include "core/metrics.hpp"
#include "persistence/open_rides.hpp"
#include "persistence/session.hpp"

#include <cstddef>
#include <optional>
#include <unordered_map>
#include <vector>

namespace postrider {

/// What closing a page of a deleted endpoint's rows came to.
struct deleted_page {
  bool owned = false;   ///< the lease is ours; else nothing was looked at
  bool deleted = false; ///< the endpoint is; else nothing was touched
  bool more = false;    ///< there may be further rows
};

/// Claims, on the thread of the claim session. Remembers for each endpoint below which due time only dead index entries
/// are left; once a minute it looks without that bound. A claim whose answer was lost may have been committed: for a
/// minute each further claim of that endpoint first makes what it took overdue, so that its asker hears of it and goes
/// on; beyond, the rows' own deadline does. Not thread-safe.
class claimer {
public:
  explicit claimer(metrics& counts) : metrics_{counts} {}

  static std::vector<prepared_sql> statements();

  session_result<claim_result> claim(session& on, const claim_request& request);
  /// The database's time as it writes it, for `asked_at`: not ours, which would leave out a row by its error.
  static session_result<std::string> database_time(session& on);
  /// How many rows were closed as interrupted; nothing where the lease is not ours. `rides_from`: no first attempt that
  /// rode is open below that id. Only attempts that began until `asked_at` are closed, whenever the statement runs.
  static session_result<std::optional<std::size_t>>
  close_interrupted(session& on, endpoint_no endpoint, shard_no shard, fence under,
                    const std::vector<delivery_id>& known, const uuid& rides_from, const std::string& asked_at);
  /// One page of a deleted endpoint's live rows becomes dead.
  static session_result<deleted_page> close_deleted(session& on, tenant_no tenant, endpoint_no endpoint, shard_no shard,
                                                    fence under, const uuid& rides_from);

private:
  session_result<claim_result> claim_by_time(session& on, const claim_request& request, mono_time now);
  /// What follows from a claim's end.
  session_result<claim_result> answered(session_result<claim_result> out, const claim_request& request, mono_time now);

  struct bound {
    by_lane<wall_time> lower{}; ///< nothing of that lane is due before
    mono_time unbounded_at{};   ///< when it was last looked without
  };
  static constexpr std::size_t bounds_max = 65'536;
  /// A claim whose answer was lost: what it took, if it was committed, has this deadline.
  struct lost_claim {
    wall_time deadline{};
    mono_time look_until{}; ///< the server may be about to commit it yet
  };
  static constexpr std::size_t lost_endpoints_max = 4'096;
  static constexpr std::size_t lost_claims_max = 8; ///< of one endpoint; the oldest are forgotten first

  [[nodiscard]] std::optional<by_lane<wall_time>> lower_bounds(endpoint_no endpoint, mono_time now) const;
  void remember(const claim_request& request, const by_lane<std::optional<wall_time>>& last_claimed, bool unbounded,
                mono_time now);

  void remember_lost(const claim_request& request, mono_time now);
  std::optional<session_failure> expose_lost(session& on, const claim_request& request, mono_time now);

  metrics& metrics_;
  std::unordered_map<endpoint_no, bound> bounds_;
  std::unordered_map<endpoint_no, std::vector<lost_claim>> lost_;
  int backend_ = 0; ///< that they were learnt from
};

} // namespace postrider
