#pragma once

#include "daemon/command_line.hpp"

#include <iosfwd>

namespace postrider {

// Commands that touch the database directly. They find it as `serve` does, migrate it if need be, and need no master
// key. Results stand on `out`, what went wrong on `errors`; they return the exit status.

int migrate_database(const command_line& given, std::ostream& out, std::ostream& errors);
/// Prints the id and the key: this once.
int create_key(const command_line& given, std::ostream& out, std::ostream& errors);
/// Operators' keys that are not revoked, newest first.
int list_keys(const command_line& given, std::ostream& out, std::ostream& errors);
int revoke_key(const command_line& given, std::ostream& errors);

} // namespace postrider
