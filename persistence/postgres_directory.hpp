#pragma once

#include "core/result.hpp"
#include "persistence/child_process.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace postrider {

/// The directory of an embedded PostgreSQL and what lies in it:
///
///   DIR/postrider.lock       flock'ed by the process that supervises the server; its pid and role as text
///   DIR/data                 PGDATA, 0700, of the user that runs the server
///   DIR/run                  the unix socket, 0700, likewise
///   DIR/socket_directory     instead of DIR/run, where that path is too long for a socket: the path of a directory of
///   an
///                            unpredictable name under XDG_RUNTIME_DIR or /tmp
///   DIR/postgresql.log       what the server says; begun anew (the last one kept as .1) past 16 MiB
///
/// Started as root, the server runs as the owner of DIR/data, at first `postgres`, else `nobody`; DIR itself stays
/// root's. That user needs no access to DIR or its parents: the server is handed open descriptors and finds its
/// directories as /proc/self/fd/N.
struct postgres_directory {
  std::filesystem::path root;
  std::filesystem::path binaries;
  std::filesystem::path sockets;   ///< DIR/run, or what DIR/socket_directory says
  std::optional<unix_user> user{}; ///< nothing: as we are
  bool durable = true;             ///< false: fsync off, for tests

  [[nodiscard]] std::filesystem::path data() const { return root / "data"; }
  /// libpq URL of a database of this server, as its superuser.
  [[nodiscard]] std::string url(std::string_view database) const;
};

inline constexpr std::string_view embedded_user = "postrider";
inline constexpr std::string_view embedded_database = "postrider";

/// The directory with PostgreSQL's programs: `given`, POSTRIDER_POSTGRES_BIN, Debian's for version 15, or what
/// pg_config in PATH says.
result<std::filesystem::path> find_postgres_binaries(const std::filesystem::path& given);

/// Where the sockets of DIR are, without changing anything; for commands beside a running daemon.
std::filesystem::path socket_directory_of(const std::filesystem::path& root);

/// Makes DIR, its socket directory and, at the first use, its data (initdb: data checksums, C.UTF-8, trust on the
/// socket alone), and writes the configuration file. DIR must be locked by the caller. Errors (500
/// `embedded-postgres-failed`) say what to do.
result<postgres_directory> prepare_postgres_directory(const std::filesystem::path& root,
                                                      const std::filesystem::path& binaries, bool durable);

/// Writes a file beside it, of that owner and 0600, and puts it in its place: there is always a whole one.
result<bool> replace_file(const std::filesystem::path& path, const std::string& text,
                          const std::optional<unix_user>& user);

/// An open descriptor of the directory's log file, for the server's standard error. The caller closes it.
result<int> open_server_log(const postgres_directory& directory);

/// The last 600 bytes of that log, for an error's detail.
std::string end_of_server_log(const postgres_directory& directory);

/// `text` with all but letters, digits and -._~ percent-encoded, so that any path can stand in a URL.
std::string percent_encode(std::string_view text);

problem embedded_problem(std::string detail);

} // namespace postrider
