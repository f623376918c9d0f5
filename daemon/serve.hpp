#pragma once

#include "daemon/command_line.hpp"

namespace postrider {

/// `postrider serve`: runs a node until SIGTERM or SIGINT. Prints the ready line when both listeners accept, and
/// nothing else, on standard output. Exit status: 0 stopped, 1 could not start or was refused, 2 a flag is wrong.
int serve(const command_line& given);

} // namespace postrider
