#include "daemon/database_location.hpp"

#include "persistence/connection_string.hpp"
#include "persistence/embedded_postgres.hpp"

#include <utility>

namespace postrider {

database_location::database_location() = default;
database_location::database_location(database_location&&) noexcept = default;
database_location& database_location::operator=(database_location&&) noexcept = default;
database_location::~database_location() = default;

bool is_database_url_readable(const std::string& url) {
  return connection_string(url, "postrider", milliseconds{1'000}).has_value();
}

namespace {

using start_function = result<std::unique_ptr<embedded_postgres>> (*)(embedded_postgres_options);

result<database_location> locate(const command_line& given, const settings& values, start_function start) {
  database_location out;
  if (!given.embedded_postgres) {
    if (values.database.url.empty())
      return problem{400, "database-unknown",
                     "database.url is not set: give --database-url or --embedded-postgres DIR"};
    out.url = values.database.url;
    return out;
  }
  if (!values.database.url.empty())
    return problem{400, "database-unknown", "database.url and --embedded-postgres exclude each other"};
  auto server = start({.directory = *given.embedded_postgres});
  if (!server)
    return server.error();
  out.server = *std::move(server);
  out.url = out.server->url();
  return out;
}

} // namespace

result<database_location> open_database(const command_line& given, const settings& values) {
  return locate(given, values, &embedded_postgres::start);
}

result<database_location> attach_database(const command_line& given, const settings& values) {
  return locate(given, values, &embedded_postgres::attach);
}

} // namespace postrider
