#pragma once

#include "core/result.hpp"
#include "core/time.hpp"
#include "persistence/embedded_migrations.hpp"

#include <span>
#include <string>
#include <vector>

namespace postrider {

struct migrate_report {
  int from = 0;                     ///< the schema's number before; 0: there was none
  int to = 0;                       ///< and now
  std::vector<std::string> applied; ///< names, in order; empty: there was nothing to do
};

/// How long a migration waits for another process that is migrating, and for each lock that it needs.
inline constexpr milliseconds migrate_lock_patience{60'000};

/// Brings the schema up to what this program knows: each missing migration in a transaction of its own, all of them
/// under one advisory lock, so any number of processes may call it at once. Then sees to the partitions of the days
/// around now. Errors: 503 `store-unavailable` (no connection, no
/// primary, no lock, a call past its deadline: half an hour for a migration, seconds for the rest), 500 `schema-newer`
/// (made by a newer program: use that), 500 `schema-changed` (a migration that was applied reads otherwise in this
/// program), 500 `migration-failed` (its name and PostgreSQL's message; it changed nothing).
result<migrate_report> migrate(const std::string& url);

/// The same with other migrations; for tests.
result<migrate_report> migrate(const std::string& url, std::span<const migration> known);

/// What `serve --no-migrate` asks: the schema is exactly the one that this program knows. Changes nothing. Errors as
/// above, and 500 `schema-older` (run `postrider migrate`).
result<migrate_report> check_schema(const std::string& url);

} // namespace postrider
