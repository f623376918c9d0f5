#include "daemon/configuration.hpp"

#include "config/example_file.hpp"
#include "config/load.hpp"
#include "config/redact.hpp"
#include "daemon/database_location.hpp"
#include "daemon/tls_files.hpp"

#include <algorithm>
#include <array>
#include <ostream>
#include <string>

#include <unistd.h>

namespace postrider {

namespace {

/// The host's name, with what no node's name may hold as `-`.
std::string host_name() {
  std::array<char, 256> buffer{};
  if (gethostname(buffer.data(), buffer.size() - 1) != 0 || buffer[0] == '\0')
    return "node";
  std::string name{buffer.data()};
  constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  std::ranges::replace_if(
    name, [&](char c) { return allowed.find(c) == std::string_view::npos; }, '-');
  return name.substr(0, 63);
}

} // namespace

configuration load_configuration(const command_line& given, std::ostream& errors) {
  auto loaded = load_settings({.file = given.config_file, .environment = process_environment(), .flags = given.flags});
  if (!loaded.values.database.url.empty() && !is_database_url_readable(loaded.values.database.url))
    loaded.errors.push_back({.origin = {}, .key = "database.url", .detail = "cannot be read by libpq"});
  if (loaded.errors.empty()) {
    if (loaded.values.node.name.empty())
      loaded.values.node.name = host_name();
    return {std::move(loaded.values), std::move(loaded.origins), exit_done};
  }
  for (const auto& error : loaded.errors)
    errors << "postrider: " << to_string(error) << '\n';
  const bool only_flags =
    std::ranges::all_of(loaded.errors, [](const config_error& error) { return error.origin.starts_with("--"); });
  return {std::nullopt, {}, only_flags ? exit_usage : exit_failed};
}

int check_configuration(const command_line& given, std::ostream& out, std::ostream& errors) {
  if (given.example) {
    out << example_file();
    return exit_done;
  }
  const auto loaded = load_configuration(given, errors);
  if (!loaded.values)
    return loaded.exit_status;
  if (const auto& ref = loaded.values->secrets.master_key; ref)
    if (const auto key = read_secret_key(ref); !key) {
      errors << "postrider: secrets.master_key: " << to_string(key.error()) << '\n';
      return exit_failed;
    }
  tls_findings found;
  read_node_tls(*loaded.values, loaded.origins, found);
  for (const auto& error : found.errors)
    errors << "postrider: " << to_string(error) << '\n';
  for (const auto& warning : found.warnings)
    errors << "postrider: warning: " << to_string(warning) << '\n';
  if (!found.errors.empty())
    return exit_failed;
  out << "the configuration is valid\n";
  return exit_done;
}

} // namespace postrider
