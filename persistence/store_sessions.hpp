#pragma once

#include "persistence/postgres_store.hpp"
#include "persistence/session.hpp"

#include <string>

/// What each of STORE's connections is opened with: its statements, and how long they may take (design.md, section 5).
namespace postrider {

session_options lease_session(const postgres_store_options& options);
/// `role`: of which lane.
session_options accept_session(const postgres_store_options& options, std::string role);
session_options outcome_session(const postgres_store_options& options);
session_options claim_session(const postgres_store_options& options);
session_options lookup_session(const postgres_store_options& options);
session_options poll_session(const postgres_store_options& options);
session_options upkeep_session(const postgres_store_options& options);
session_options maintenance_session(const postgres_store_options& options);

} // namespace postrider
