#include "persistence/maintenance.hpp"

#include "persistence/maintenance_sql.hpp"
#include "persistence/maintenance_steps.hpp"

#include <spdlog/spdlog.h>

namespace postrider {

namespace {

constexpr int key_batches_max = 400; // of one round, 2 million keys; the next round goes on

template <class T>
std::optional<session_failure> failure_of(const session_result<T>& done) {
  return done ? std::nullopt : std::optional{done.error()};
}

session_result<std::vector<std::string>> read_names(session& on, std::string_view sql) {
  return on.call([&](pqxx::connection_base& connection) {
    std::vector<std::string> out;
    for (const auto& row : pqxx::nontransaction{connection}.exec(std::string{sql}))
      out.emplace_back(row[0].c_str());
    return out;
  });
}

/// In batches, each a transaction of its own: a day's keys in one statement would hold their locks, and the oldest
/// snapshot, for as long as that takes.
session_result<void> delete_expired_keys(session& on) {
  for (int batch = 0; batch < key_batches_max; ++batch) {
    const auto deleted = on.call([](pqxx::connection_base& connection) {
      return pqxx::nontransaction{connection}.exec(std::string{expired_idempotency_keys_sql}).affected_rows();
    });
    if (!deleted)
      return deleted.error();
    if (*deleted < expired_idempotency_keys_batch)
      break;
  }
  return {};
}

/// Goes on after a failure and answers the first.
session_result<void> detach_expired_dedupe(session& on) {
  const auto expired = on.call([](pqxx::connection_base& connection) {
    std::vector<std::pair<std::string, bool>> out;
    for (const auto& row : pqxx::nontransaction{connection}.exec(std::string{expired_dedupe_sql}))
      out.emplace_back(row[0].c_str(), row[1].as<bool>());
    return out;
  });
  if (!expired)
    return expired.error();
  session_result<void> first;
  for (const auto& [name, pending] : *expired) {
    const auto done = detach_partition(on, "dedupe", name, pending);
    if (first)
      first = done;
  }
  return first;
}

} // namespace

std::optional<session_failure> ensure_partitions(session& on) {
  const auto created = on.call([&](pqxx::connection_base& connection) {
    return pqxx::nontransaction{connection}.exec1(std::string{ensure_partitions_sql})[0].as<int>();
  });
  if (created && *created > 0)
    spdlog::info("store: partitions created count={}", *created);
  return failure_of(created);
}

std::optional<session_failure> fold_counters(session& on) {
  return failure_of(on.call(
    [&](pqxx::connection_base& connection) { pqxx::nontransaction{connection}.exec(std::string{fold_counters_sql}); }));
}

std::optional<session_failure> drop_expired(session& on) {
  std::optional<session_failure> first;
  const auto note = [&](const auto& done) {
    if (!done && !first)
      first = done.error();
    return done.has_value();
  };
  note(delete_expired_keys(on)); // first, as the secrets: what follows may wait long
  note(on.call([](pqxx::connection_base& connection) {
    pqxx::nontransaction{connection}.exec(std::string{expired_secrets_sql});
  }));
  note(detach_expired_dedupe(on));
  const auto detached = read_names(on, detached_dedupe_sql);
  if (note(detached))
    for (const auto& name : *detached)
      if (note(run_on(on, "drop table ", name, "")))
        spdlog::info("store: expired dedupe table dropped table={}", name);
  return first;
}

std::optional<session_failure> freeze_past_days(session& on) {
  const auto names = read_names(on, unfrozen_partitions_sql);
  if (!names)
    return names.error();
  // However long a large day takes: cut short it would begin anew each time. The end of the session ends it.
  const auto usual = on.options().call_deadline;
  on.set_call_deadline(std::chrono::hours{24});
  std::optional<session_failure> first;
  for (const auto& name : *names) {
    const auto done =
      without_timeout(on, "statement_timeout", [&] { return run_on(on, "vacuum (freeze, analyze) ", name, ""); });
    if (!done && !first)
      first = done.error();
  }
  on.set_call_deadline(usual);
  return first;
}

} // namespace postrider
