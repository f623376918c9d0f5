#include "core/failpoint.hpp"
#include "core/version.hpp"
#include "daemon/command_line.hpp"
#include "daemon/configuration.hpp"
#include "daemon/database_commands.hpp"
#include "daemon/logging.hpp"
#include "daemon/serve.hpp"

#include <exception>
#include <iostream>

namespace {

using namespace postrider;

int run(const command_line& given) {
  switch (given.command) {
  case command_name::serve:
    return serve(given);
  case command_name::migrate:
    return migrate_database(given, std::cout, std::cerr);
  case command_name::check_config:
    return check_configuration(given, std::cout, std::cerr);
  case command_name::keys_create:
    return create_key(given, std::cout, std::cerr);
  case command_name::keys_list:
    return list_keys(given, std::cout, std::cerr);
  case command_name::keys_revoke:
    return revoke_key(given, std::cerr);
  case command_name::version:
    std::cout << version() << '\n';
    return exit_done;
  }
  return exit_usage;
}

} // namespace

int main(int argc, char** argv) {
  try {
    // Before anything can log: spdlog's own default writes to standard output, which belongs to results and the ready
    // line.
    start_logging({.level = "warn", .format = "text"}, "");
    if (const auto wrong = arm_failpoints_of_environment()) {
      std::cerr << "postrider: " << *wrong << '\n';
      return exit_usage;
    }
    const auto parsed = parse_command_line(argc, argv);
    if (const auto* end = std::get_if<command_line_end>(&parsed)) {
      std::cout << end->out;
      std::cerr << end->err;
      return end->exit_status;
    }
    return run(std::get<command_line>(parsed));
  } catch (const std::exception& error) {
    std::cerr << "postrider: " << error.what() << '\n';
    return exit_failed;
  }
}
