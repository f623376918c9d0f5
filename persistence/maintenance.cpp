#include "persistence/maintenance.hpp"

#include "persistence/maintenance_sql.hpp"
#include "persistence/parameters.hpp"

#include <pqxx/pqxx>

#include <spdlog/spdlog.h>

namespace postrider {

namespace {

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

/// `name` is that of a partition of ours: letters, digits and underscores.
session_result<void> run_on(session& on, const std::string& before, const std::string& name, const std::string& after) {
  return on.call([&](pqxx::connection_base& connection) {
    pqxx::nontransaction{connection}.exec(before + connection.quote_name(name) + after);
  });
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
  const auto expired = read_names(on, expired_dedupe_sql);
  if (!expired)
    return expired.error();
  for (const auto& name : *expired) {
    // Concurrently: it waits for old transactions without holding up new ones.
    if (const auto done = run_on(on, "alter table dedupe detach partition ", name, " concurrently"); !done)
      return done.error();
    if (const auto done = run_on(on, "drop table ", name, ""); !done)
      return done.error();
    spdlog::info("store: expired dedupe table dropped table={}", name);
  }
  return failure_of(on.call([&](pqxx::connection_base& connection) {
    pqxx::nontransaction{connection}.exec(std::string{expired_idempotency_keys_sql});
  }));
}

std::optional<session_failure> freeze_past_days(session& on) {
  const auto names = read_names(on, unfrozen_partitions_sql);
  if (!names)
    return names.error();
  for (const auto& name : *names)
    if (const auto done = run_on(on, "vacuum (freeze, analyze) ", name, ""); !done)
      return done.error();
  return std::nullopt;
}

} // namespace postrider
