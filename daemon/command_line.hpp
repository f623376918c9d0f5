#pragma once

#include "core/api_key.hpp"
#include "core/time.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>

namespace postrider {

enum class command_name : std::uint8_t { serve, migrate, check_config, keys_create, keys_list, keys_revoke, version };
enum class output_format : std::uint8_t { table, json };

/// What the process shall do (api.md, "Command line").
struct command_line {
  command_name command = command_name::version;

  // how the configuration and the database are found
  std::optional<std::string> config_file;
  std::optional<std::string> embedded_postgres; ///< DIR of the private PostgreSQL
  std::map<std::string, std::string> flags;     ///< of settings, by flag without dashes; for `load_settings`

  // serve
  bool dev = false;
  bool no_migrate = false;

  // check-config
  bool example = false; ///< print the example file instead

  // keys
  api_role role = api_role::operator_;
  std::string key_name;
  std::optional<wall_time> expires_at;
  std::string key; ///< of `keys revoke`: `key_…`

  output_format output = output_format::table;
};

/// The command line was a question (help: status 0, `out`) or a mistake (status 2, `err`).
struct command_line_end {
  int exit_status = 2;
  std::string out, err;
};

std::variant<command_line, command_line_end> parse_command_line(int argc, const char* const* argv);

} // namespace postrider
