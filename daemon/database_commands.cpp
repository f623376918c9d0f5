#include "daemon/database_commands.hpp"

#include "core/time.hpp"
#include "daemon/configuration.hpp"
#include "daemon/console_output.hpp"
#include "daemon/database_location.hpp"
#include "daemon/logging.hpp"
#include "persistence/embedded_postgres.hpp"
#include "persistence/key_repository.hpp"
#include "persistence/migrate.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <ostream>

namespace postrider {

namespace {

int fail(std::ostream& errors, const problem& what) {
  errors << "postrider: " << what.detail << '\n';
  for (const auto& each : what.errors)
    errors << "postrider: " << each.pointer << ": " << each.detail << '\n';
  return what.status == 422 ? exit_usage : exit_failed;
}

/// Runs `work(url)` on the migrated database of the command.
template <class Work>
int with_database(const command_line& given, std::ostream& errors, Work work) {
  const auto loaded = load_configuration(given, errors);
  if (!loaded.values)
    return loaded.exit_status;
  const auto located = attach_database(given, *loaded.values);
  if (!located)
    return fail(errors, located.error());
  const auto migrated = migrate(located->url);
  if (!migrated)
    return fail(errors, migrated.error());
  return work(located->url, *migrated);
}

boost::json::value time_or_null(const std::optional<wall_time>& at) {
  return at ? boost::json::value(to_rfc3339(*at)) : boost::json::value(nullptr);
}

boost::json::object to_json(const api_key_record& key) {
  return {{"id", to_string(key.id)},
          {"name", key.name},
          {"role", to_string(key.role)},
          {"expires_at", time_or_null(key.expires_at)},
          {"last_used_at", time_or_null(key.last_used_at)},
          {"created_at", to_rfc3339(key.created_at)}};
}

std::string time_or_dash(const std::optional<wall_time>& at) {
  return at ? to_rfc3339(*at) : "-";
}

} // namespace

int migrate_database(const command_line& given, std::ostream& out, std::ostream& errors) {
  return with_database(given, errors, [&](const std::string&, const migrate_report& report) {
    for (const auto& name : report.applied)
      out << "applied " << name << '\n';
    out << "the schema is at migration " << report.to << '\n';
    return exit_done;
  });
}

int create_key(const command_line& given, std::ostream& out, std::ostream& errors) {
  return with_database(given, errors, [&](const std::string& url, const migrate_report&) {
    const auto made =
      create_api_key(url, {.name = given.key_name, .role = given.role, .tenant = {}, .expires_at = given.expires_at});
    if (!made)
      return fail(errors, made.error());
    const auto id = to_string(made->record.id);
    if (given.output == output_format::json)
      out << boost::json::serialize(boost::json::object{{"id", id}, {"key", made->key}}) << '\n';
    else
      print_table(out, {"ID", "KEY"}, {{id, made->key}});
    return exit_done;
  });
}

int list_keys(const command_line& given, std::ostream& out, std::ostream& errors) {
  return with_database(given, errors, [&](const std::string& url, const migrate_report&) {
    const auto keys = list_api_keys(url);
    if (!keys)
      return fail(errors, keys.error());
    if (given.output == output_format::json) {
      boost::json::array all;
      for (const auto& key : *keys)
        all.push_back(to_json(key));
      out << boost::json::serialize(all) << '\n';
      return exit_done;
    }
    std::vector<std::vector<std::string>> rows;
    for (const auto& key : *keys)
      rows.push_back({to_string(key.id), key.name, std::string{to_string(key.role)}, time_or_dash(key.expires_at),
                      time_or_dash(key.last_used_at), to_rfc3339(key.created_at)});
    print_table(out, {"ID", "NAME", "ROLE", "EXPIRES", "LAST USED", "CREATED"}, rows);
    return exit_done;
  });
}

int revoke_key(const command_line& given, std::ostream& errors) {
  return with_database(given, errors, [&](const std::string& url, const migrate_report&) {
    const auto revoked = revoke_api_key(url, *parse_id<key_id>(given.key));
    return revoked ? exit_done : fail(errors, revoked.error());
  });
}

} // namespace postrider
