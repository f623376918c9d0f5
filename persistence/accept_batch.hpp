#pragma once

#include "persistence/accept_queue.hpp"
#include "persistence/session.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace postrider {

struct prepared_sql;

/// The statements that an accepting session prepares.
std::vector<prepared_sql> accept_statements();

/// What one run of the accept statement wrote.
struct accept_counts {
  std::size_t events = 0;
  std::size_t rides = 0;
};

/// Runs the accept statement over the items, whatever their keys. `midnight`: the variant for the first minute of a
/// day.
session_result<accept_counts> write_accepts(session& on, std::span<const queued_accept> items, bool midnight);

/// What a second read found, for each item.
struct accept_findings {
  std::vector<std::vector<event_id>> events; ///< those that own the item's key
  std::vector<bool> version_current;         ///< the plan's version is the tenant's
  bool first_minute_of_day = false;
};
session_result<accept_findings> find_accepts(session& on, std::span<const queued_accept> items);

/// Sets `ride` of every delivery of these committed items to what the rows say.
session_result<void> read_rides(session& on, std::span<queued_accept> items);

} // namespace postrider
