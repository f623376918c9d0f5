#pragma once

#include "config/settings.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace postrider {

/// One thing that is wrong with the configuration. Never holds a secret.
struct config_error {
  std::string origin; ///< `postrider.toml:12`, `POSTRIDER_LOG__LEVEL`, `--log-level`; empty: a default
  std::string key;    ///< `log.level`; empty: the file as a whole
  std::string detail;

  friend bool operator==(const config_error&, const config_error&) = default;
};
/// `postrider.toml:12: log.level must be one of …`
std::string to_string(const config_error& error);

/// Where settings come from, weakest first: file, environment, flags.
struct config_sources {
  std::optional<std::string> file; ///< path of a TOML file, at most 1 MiB; it must exist
  /// All variables of the process; of these `POSTRIDER_SECTION__KEY` count (with two underscores between), and
  /// `POSTRIDER_PLANS__NAME__KEY`. Lists are comma-separated.
  std::map<std::string, std::string> environment;
  /// By flag without its dashes: `log-level`.
  std::map<std::string, std::string> flags;
};

/// By key: where it was set last (`postrider.toml:12`).
using config_origins = std::map<std::string, std::string, std::less<>>;

struct load_result {
  settings values; ///< to be used only without errors
  config_origins origins;
  std::vector<config_error> errors; ///< all at once, in the order file, environment, flags, what does not fit together
};

/// Also refuses what this version parses but cannot do yet (`setting_key::not_yet`).
load_result load_settings(const config_sources& from);

/// The variables of this process.
std::map<std::string, std::string> process_environment();

} // namespace postrider
