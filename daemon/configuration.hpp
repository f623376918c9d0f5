#pragma once

#include "config/load.hpp"
#include "daemon/command_line.hpp"

#include <iosfwd>
#include <optional>

namespace postrider {

inline constexpr int exit_done = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;

/// The settings of this process: file, environment, flags; `node.name` filled in. Otherwise every error stands on
/// `errors` and `exit_status` says how to end: 2 where only flags are wrong, else 1.
struct configuration {
  std::optional<settings> values;
  config_origins origins;
  int exit_status = exit_done;
};
configuration load_configuration(const command_line& given, std::ostream& errors);

/// `check-config`: what is wrong with it, or that nothing is. Also reads the secrets and
/// certificates that it names.
int check_configuration(const command_line& given, std::ostream& out, std::ostream& errors);

} // namespace postrider
