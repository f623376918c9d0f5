#pragma once

#include "core/result.hpp"
#include "core/time.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <sys/types.h>

namespace postrider {

class postgres_supervisor;

struct embedded_postgres_options {
  std::filesystem::path directory;
  std::filesystem::path binaries{};       ///< empty: POSTRIDER_POSTGRES_BIN, Debian's, pg_config
  milliseconds start_deadline{60'000};    ///< until it accepts; ten times that while it says that it recovers
  milliseconds stop_deadline{30'000};     ///< of the fast shutdown
  milliseconds restart_delay_first{100};  ///< after it died by itself; doubles …
  milliseconds restart_delay_max{10'000}; ///< … to here; back to the first once it has run a minute
  milliseconds watch_interval{100};
  milliseconds lock_patience{2'000}; ///< for a former owner that is just ending
  bool durable = true;               ///< false: fsync off, for tests
};

/// A private PostgreSQL 15 with its data in a directory, a unix socket and no TCP (layout: postgres_directory.hpp).
///
/// Its owner is who holds the lock of the directory: a second one is refused. The owner watches the server from one
/// thread, starts it again when it dies, and stops it when it is destroyed. The server is no companion of its owner's
/// death: after a `kill -9` of the owner it runs on (what it committed is safe either way), and the next owner finds it
/// by postmaster.pid, adopts it, and supervises and stops it as if it were its child. PR_SET_PDEATHSIG would not do: it
/// is bound to the thread that forked, is cleared by the change of user, and would have the server killed while it may
/// be in the middle of its checkpoint.
class embedded_postgres {
public:
  /// Prepares the directory, starts the server or adopts a running one, and returns when it accepts and has its
  /// database. Errors (500): `embedded-postgres-locked` (another process owns the directory),
  /// `embedded-postgres-failed` (the detail says why; the end of DIR/postgresql.log is part of it). Nothing runs after
  /// an error, but a server found alive, which stays.
  static result<std::unique_ptr<embedded_postgres>> start(embedded_postgres_options options);

  /// For a command beside the daemon: where another process owns the directory, its server is used as it is (and must
  /// accept within start_deadline); otherwise as `start`, for as long as the object lives. A daemon that starts
  /// meanwhile waits for the command's end.
  static result<std::unique_ptr<embedded_postgres>> attach(embedded_postgres_options options);

  /// The libpq URL that DIR's server has or will have; nothing is started.
  static std::string url_of(const std::filesystem::path& directory);

  ~embedded_postgres();
  embedded_postgres(const embedded_postgres&) = delete;
  embedded_postgres& operator=(const embedded_postgres&) = delete;

  /// libpq URL of the database `postrider`, of another database, for its superuser. Stable as long as the object lives.
  [[nodiscard]] std::string url() const;
  [[nodiscard]] std::string url(std::string_view database) const;
  /// The process lives and has accepted since it was started. For readiness; asks nothing.
  [[nodiscard]] bool healthy() const noexcept;
  /// The server's process; 0 while it is down or not ours.
  [[nodiscard]] pid_t server_pid() const noexcept;
  /// How often it was started again after it had died by itself.
  [[nodiscard]] std::uint32_t restarts() const noexcept;
  /// It was found running: its former owner was killed.
  [[nodiscard]] bool adopted() const noexcept;

private:
  embedded_postgres(std::unique_ptr<postgres_supervisor> owned, std::filesystem::path root) noexcept;
  std::unique_ptr<postgres_supervisor> supervisor_; ///< null: another process's
  std::filesystem::path root_;
};

} // namespace postrider
