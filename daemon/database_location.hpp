#pragma once

#include "config/settings.hpp"
#include "core/result.hpp"
#include "daemon/command_line.hpp"

#include <memory>
#include <string>

namespace postrider {

class embedded_postgres;

/// Whether libpq understands it. Its own message is not shown: it may repeat a part of a password.
bool is_database_url_readable(const std::string& url);

/// The database of a command, and the private server behind it where there is one.
struct database_location {
  std::string url;
  std::unique_ptr<embedded_postgres> server; ///< null: someone else's

  database_location();
  database_location(database_location&&) noexcept;
  database_location& operator=(database_location&&) noexcept;
  ~database_location();
};

/// `serve`: starts the private server of `--embedded-postgres`, or takes `database.url`. 400 `database-unknown` where
/// neither or both are given.
result<database_location> open_database(const command_line& given, const settings& values);
/// Other commands: the same, but a server that a daemon runs is used as it is.
result<database_location> attach_database(const command_line& given, const settings& values);

} // namespace postrider
