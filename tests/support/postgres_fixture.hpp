#pragma once

#include "persistence/embedded_postgres.hpp"

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <sys/types.h>

namespace postrider::tests {

/// A private PostgreSQL for the tests of this process: unix socket only, in a directory of its own under TMPDIR,
/// started at the first use, gone at exit. A guardian process does the same where the test process dies before. Any
/// number of processes at once.
class postgres_fixture {
public:
  /// The server of this process, fsync off.
  static postgres_fixture& instance();

  struct options {
    bool durable = false; ///< true: fsync and full-page writes on, as in production
  };
  /// A server of one's own, for tests that stop or kill it.
  explicit postgres_fixture(options chosen);
  ~postgres_fixture();
  postgres_fixture(const postgres_fixture&) = delete;
  postgres_fixture& operator=(const postgres_fixture&) = delete;

  /// URL of a new migrated database, cloned from a template in some 20 ms. Thread-safe.
  std::string fresh_database();
  /// URL of a new database without any table.
  std::string empty_database();

  enum class restart_mode : std::uint8_t { fast, immediate, kill };
  /// Ends the server in that way and brings it back; returns when it accepts again.
  void restart(restart_mode mode);
  /// The database is away until `start`; connections are cut, new ones refused.
  void stop();
  void start();
  /// SIGSTOP to the server and all its backends: connections are accepted (by the kernel) and never answered. Until
  /// `thaw`.
  void freeze();
  void thaw();
  /// Terminates that backend (`session::backend_pid`, `pg_backend_pid()`), as a failing network would.
  void kill_backend(int backend_pid);
  /// Terminates every connection to that database but the one that asks.
  void kill_backends_of(const std::string& url);

  [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }
  [[nodiscard]] embedded_postgres& server();

private:
  void execute(const std::string& sql);
  std::string make_database(const std::string& from_template);
  void signal_all(int number);

  options options_;
  std::filesystem::path directory_;
  int guardian_pipe_ = -1; ///< its end wakes the guardian
  pid_t guardian_ = 0;
  std::unique_ptr<embedded_postgres> server_;
  std::mutex mutex_; ///< of the two below and of cloning: a template may have no other connection
  bool template_made_ = false;
  int databases_ = 0;
};

} // namespace postrider::tests
