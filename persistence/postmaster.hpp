#pragma once

#include "core/result.hpp"
#include "core/time.hpp"
#include "persistence/postgres_directory.hpp"

#include <optional>
#include <sys/types.h>

namespace postrider {

/// The running server of DIR: what postmaster.pid names, if that process lives and stands in DIR/data (process ids are
/// used again).
std::optional<process_handle> find_postmaster(const postgres_directory& directory);

/// Starts the server; it does not accept yet. Lock files that a dead one left behind are taken out of its way, but its
/// postmaster.pid stays: PostgreSQL itself looks there whether backends of the dead one still use the data.
/// `find_postmaster` must have found nothing.
result<pid_t> start_postmaster(const postgres_directory& directory);

enum class server_answer : std::uint8_t { accepts, starting, silent };
/// Asks the socket, within two seconds.
server_answer ask_server(const postgres_directory& directory);

/// A fast shutdown (open transactions are rolled back, a checkpoint is written); past `deadline` an immediate one,
/// whose next start recovers; 5 s later SIGKILL. False: even that did not end it.
bool stop_postmaster(const process_handle& server, milliseconds deadline);

} // namespace postrider
