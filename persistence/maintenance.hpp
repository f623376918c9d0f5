#pragma once

#include "persistence/session.hpp"

#include <optional>
#include <vector>

/// What keeps the tables in shape, on the thread of the maintenance session. Any number of nodes may do it at once.
namespace postrider {

/// Creates the partitions of yesterday to three days ahead that do not exist yet.
std::optional<session_failure> ensure_partitions(session& on);

/// Folds each tenant's counter rows into one; the sums stay the same for every reader.
std::optional<session_failure> fold_counters(session& on);

/// Deletes idempotency keys older than 24 h, in batches, and secrets that were rotated out and are past their overlap;
/// then drops dedupe tables older than the window (7 days and the one that is half over), also where an earlier attempt
/// was cut short. Goes on after a failure and answers the first.
std::optional<session_failure> drop_expired(session& on);

/// Freezes the tables of days that are over, once: autovacuum is told to leave the insert-only ones alone.
std::optional<session_failure> freeze_past_days(session& on);

} // namespace postrider
