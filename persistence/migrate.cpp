#include "persistence/migrate.hpp"

#include "core/signature.hpp"
#include "persistence/command_session.hpp"

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

/// Of a whole migration: it may rewrite tables.
constexpr milliseconds migration_patience{1'800'000};

} // namespace

result<migrate_report> migrate(const std::string& url, std::span<const migration> known) {
  command_session on{url, "migrate", migration_patience};
  if (auto failure = on.connect())
    return std::move(*failure);
  const auto applied = on.call([&](pqxx::connection_base& connection) {
    pqxx::nontransaction transaction{connection};
    transaction.exec("set lock_timeout = " + std::to_string(migrate_lock_patience.count()));
    transaction.exec(lock_sql); // until this connection ends
    transaction.exec(table_sql);
    return read_applied(transaction);
  });
  if (!applied)
    return problem_of(applied.error(), "migration-failed", "schema_migration");
  if (auto wrong = compare(*applied, known))
    return *wrong;
  migrate_report report{static_cast<int>(applied->size()), static_cast<int>(known.size()), {}};
  for (const auto& each : known.subspan(applied->size())) {
    if (const auto done = on.call([&](pqxx::connection_base& connection) { apply(connection, each); }); !done)
      return problem_of(done.error(), "migration-failed",
                        "migration " + std::to_string(each.number) + " (" + std::string{each.name} + ")");
    report.applied.emplace_back(each.name);
  }
  return report;
}

result<migrate_report> migrate(const std::string& url) {
  auto report = migrate(url, embedded_migrations());
  if (!report)
    return report;
  command_session on{url, "partitions", migrate_lock_patience};
  if (auto failure = on.connect())
    return std::move(*failure);
  const auto made = on.call([](pqxx::connection_base& connection) {
    pqxx::nontransaction{connection}.exec("select ensure_partitions_ahead()");
  });
  if (!made)
    return problem_of(made.error(), "migration-failed", "partitions");
  return report;
}

result<migrate_report> check_schema(const std::string& url) {
  command_session on{url, "check"};
  if (auto failure = on.connect())
    return std::move(*failure);
  const auto applied = on.call([](pqxx::connection_base& connection) {
    pqxx::nontransaction transaction{connection};
    return read_applied(transaction);
  });
  if (!applied)
    return problem_of(applied.error(), "migration-failed", "check");
  const auto known = embedded_migrations();
  if (auto wrong = compare(*applied, known))
    return *wrong;
  const auto number = static_cast<int>(applied->size());
  if (applied->size() < known.size())
    return problem{500, "schema-older",
                   "the database's schema is at migration " + std::to_string(number) + " of " +
                     std::to_string(known.size()) + "; run `postrider migrate`"};
  return migrate_report{number, number, {}};
}

} // namespace postrider
