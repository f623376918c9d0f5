#pragma once

#include "actors/management_store.hpp"
#include "core/time.hpp"
#include "persistence/session.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

/// How events, deliveries and attempts leave the database. A tenant's own `retention_days`, else its plan's, says how
/// long its rows are kept, at least a day and at most `days_max` (which all have that name nothing). An age is that of
/// the time inside the id.
///
/// | age of a row                          | what happens to it | | ------------------------------------- |
/// -------------------------------------------------------------------------- | | a day (or half of the time that it is
/// | a delivery that is still live: an alert `deliveries_expire` of its endpoint, | | kept) less than it is kept | open
/// for as long as there is one                                           | | kept long enough                      | a
/// live delivery becomes `dead`, `expired`; one whose request runs, after it | | the same, of a tenant that keeps less
/// | final deliveries with their attempts, then events, are deleted in batches   | | than others do | | | the whole day
/// is older than what      | its partitions are detached, without holding anybody up, and dropped       | | anybody
/// keeps                         |                                                                            |
///
/// The accounting (`tenant_counter`) goes on counting what left: `accepted` is all that ever were, and rows that are
/// gone stay among the final ones. A live delivery in a partition that is dropped (a person revived it just then) is
/// moved to `dead` by the transaction that drops the table. Whoever holds a row in memory that left finds its write
/// missed and the row final or gone, and forgets it.
namespace postrider {

struct retention_policy {
  std::int64_t days_max = 30;                 ///< `[retention] days`: the same on all nodes, or the least one wins
  std::map<std::string, tenant_quotas> plans; ///< `[plans.NAME]`; one that is missing here says nothing
};

/// What a round did, for the log and for tests.
struct retention_round {
  std::int64_t alerts = 0; ///< opened
  std::int64_t expired = 0;
  std::int64_t deliveries = 0, events = 0; ///< deleted in batches
  std::int64_t partitions = 0;             ///< dropped
};

/// One round as of `now`; nothing: the database's clock, for no other may decide what is deleted. Bounded: a statement
/// takes at most `retention_batch` rows, a round so many batches of each kind; the next round goes on, also where one
/// was cut short at any point. One node at a time: where another is at it, nothing is done. Goes on after a failure and
/// answers the first; `done`, where given, tells what was done in any case.
std::optional<session_failure> retain(session& on, const retention_policy& policy, std::optional<wall_time> now = {},
                                      retention_round* done = nullptr);

} // namespace postrider
