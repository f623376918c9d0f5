#include "persistence/store_sessions.hpp"

#include "persistence/accept_batch.hpp"
#include "persistence/claimer.hpp"
#include "persistence/outcome_writer.hpp"
#include "persistence/runtime_store.hpp"
#include "persistence/sweeper.hpp"
#include "persistence/tenant_loader.hpp"

#include <algorithm>

namespace postrider {

namespace {

template <class... Lists>
std::vector<prepared_sql> joined(Lists... lists) {
  std::vector<prepared_sql> out;
  (out.insert(out.end(), lists.begin(), lists.end()), ...);
  return out;
}

session_options session_of(const postgres_store_options& options, std::string role, bool pinned,
                           std::vector<prepared_sql> statements) {
  session_options out;
  out.url = options.url;
  out.role = std::move(role);
  out.pinned_plans = pinned;
  out.idle_in_transaction_timeout = options.lease_ttl / 3;
  out.statements = std::move(statements);
  return out;
}

} // namespace

session_options claim_session(const postgres_store_options& options) {
  return session_of(options, "claim", true, claimer::statements());
}

session_options lookup_session(const postgres_store_options& options) {
  return session_of(options, "lookup", false, joined(tenant_loader_statements(), runtime_statements()));
}

session_options outcome_session(const postgres_store_options& options) {
  return session_of(options, "outcome", true, record_statements());
}

session_options upkeep_session(const postgres_store_options& options) {
  return session_of(options, "upkeep", false, {});
}

// The renewal must be over, or known to hang, well within the lease.
session_options lease_session(const postgres_store_options& options) {
  auto out = session_of(options, "lease", true, {});
  out.statement_timeout = options.lease_ttl / 3;
  out.lock_timeout = options.lease_ttl / 3;
  out.call_deadline =
    std::min(options.lease_ttl / 2, milliseconds{2'500}); // not ready within 5 s of losing the database
  return out;
}

session_options accept_session(const postgres_store_options& options, std::string role) {
  auto out = session_of(options, std::move(role), true, accept_statements());
  out.statement_timeout = milliseconds{4'000}; // below an event's deadline
  return out;
}

// A sweep may look at a whole backlog.
session_options poll_session(const postgres_store_options& options) {
  auto out = session_of(options, "poll", true, joined(sweeper::statements(), configuration_poll::statements()));
  out.statement_timeout = milliseconds{30'000};
  out.call_deadline = milliseconds{35'000};
  return out;
}

session_options maintenance_session(const postgres_store_options& options) {
  auto out = session_of(options, "maintenance", false, {});
  out.ends_with_us = true;
  out.statement_timeout = milliseconds{600'000};
  out.call_deadline = milliseconds{610'000};
  return out;
}

} // namespace postrider
