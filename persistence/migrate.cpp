#include "persistence/migrate.hpp"

#include "core/signature.hpp"
#include "persistence/connection_string.hpp"

#include <pqxx/pqxx>

#include <spdlog/spdlog.h>

#include <algorithm>

namespace postrider {
namespace {

constexpr const char* lock_sql = "select pg_advisory_lock(hashtextextended('postrider migrations', 0))";
constexpr const char* table_sql = "create table if not exists schema_migration ("
                                  " number integer primary key, name text not null, sha256 text not null,"
                                  " applied_at timestamptz not null default clock_timestamp())";
constexpr const char* applied_sql = "select number, name, sha256 from schema_migration order by number";
constexpr const char* note_sql = "insert into schema_migration (number, name, sha256) values ($1, $2, $3)";

struct applied_migration {
  int number = 0;
  std::string name;
  std::string checksum;
};

std::string checksum_of(const migration& each) {
  return encode_hex(sha256(each.sql));
}

std::vector<applied_migration> read_applied(pqxx::transaction_base& transaction) {
  std::vector<applied_migration> out;
  if (transaction.exec1("select to_regclass('schema_migration') is null")[0].as<bool>())
    return out;
  for (const auto& row : transaction.exec(applied_sql))
    out.push_back({row[0].as<int>(), row[1].as<std::string>(), row[2].as<std::string>()});
  return out;
}

/// Nothing: what was applied is the beginning of what we know.
std::optional<problem> compare(const std::vector<applied_migration>& applied, std::span<const migration> known) {
  for (const auto& each : applied) {
    const auto ours = std::find_if(known.begin(), known.end(), [&](const auto& m) { return m.number == each.number; });
    if (ours == known.end())
      return problem{500, "schema-newer",
                     "the database's schema has migration " + std::to_string(each.number) + " (" + each.name +
                       "), this program knows " + std::to_string(known.size()) + "; use the newer program"};
    if (checksum_of(*ours) != each.checksum)
      return problem{500, "schema-changed",
                     "migration " + std::to_string(each.number) + " (" + each.name +
                       ") was applied with another text than this program's"};
  }
  return std::nullopt;
}

void apply(pqxx::connection_base& connection, const migration& each) {
  pqxx::work transaction{connection};
  transaction.exec(std::string{each.sql});
  transaction.exec_params(note_sql, each.number, std::string{each.name}, checksum_of(each));
  transaction.commit();
  spdlog::info("database: applied migration {} ({})", each.number, each.name);
}

problem migration_failed(const std::string& name, const char* what) {
  return {500, "migration-failed", "migration " + name + ": " + what};
}

/// Calls `work` with a connection and turns what libpqxx throws into problems.
template <class F>
result<migrate_report> with_connection(const std::string& url, const std::string& role, F&& work) {
  const auto dsn = connection_string(url, "postrider " + role, milliseconds{5'000});
  if (!dsn)
    return dsn.error();
  try {
    pqxx::connection connection{*dsn};
    const pqxx::quiet_errorhandler quiet{connection}; // notices would go to standard error
    return work(connection);
  } catch (const pqxx::broken_connection& error) {
    return store_unavailable(error.what());
  } catch (const std::exception& error) {
    return migration_failed(role, error.what());
  }
}

} // namespace

result<migrate_report> migrate(const std::string& url, std::span<const migration> known) {
  return with_connection(url, "migrate", [&](pqxx::connection& connection) -> result<migrate_report> {
    {
      pqxx::nontransaction session{connection};
      session.exec("set lock_timeout = " + std::to_string(migrate_lock_patience.count()));
      session.exec(lock_sql); // until this connection ends
      session.exec(table_sql);
    }
    const auto applied = [&] {
      pqxx::nontransaction session{connection};
      return read_applied(session);
    }();
    if (auto wrong = compare(applied, known))
      return *wrong;
    migrate_report report{static_cast<int>(applied.size()), static_cast<int>(known.size()), {}};
    for (const auto& each : known.subspan(applied.size())) {
      try {
        apply(connection, each);
      } catch (const pqxx::sql_error& error) {
        return migration_failed(std::to_string(each.number) + " (" + std::string{each.name} + ")", error.what());
      }
      report.applied.emplace_back(each.name);
    }
    return report;
  });
}

result<migrate_report> migrate(const std::string& url) {
  auto report = migrate(url, embedded_migrations());
  if (!report)
    return report;
  auto partitions = with_connection(url, "partitions", [&](pqxx::connection& connection) -> result<migrate_report> {
    pqxx::nontransaction{connection}.exec("select ensure_partitions_ahead()");
    return *report;
  });
  return partitions;
}

result<migrate_report> check_schema(const std::string& url) {
  return with_connection(url, "check", [&](pqxx::connection& connection) -> result<migrate_report> {
    pqxx::nontransaction session{connection};
    const auto applied = read_applied(session);
    const auto known = embedded_migrations();
    if (auto wrong = compare(applied, known))
      return *wrong;
    const auto number = static_cast<int>(applied.size());
    if (applied.size() < known.size())
      return problem{500, "schema-older",
                     "the database's schema is at migration " + std::to_string(number) + " of " +
                       std::to_string(known.size()) + "; run `postrider migrate`"};
    return migrate_report{number, number, {}};
  });
}

} // namespace postrider
