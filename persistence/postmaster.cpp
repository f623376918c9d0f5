#include "persistence/postmaster.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <libpq-fe.h>
#include <spdlog/spdlog.h>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

namespace postrider {
namespace {

namespace fs = std::filesystem;

pid_t pid_in(const fs::path& lock_file) {
  pid_t pid = 0;
  std::ifstream file{lock_file};
  return (file >> pid) ? pid : 0;
}

/// The server changes into its data directory at its start.
bool stands_in(pid_t pid, const fs::path& directory) {
  struct stat here {
  }, there{};
  const auto link = "/proc/" + std::to_string(pid) + "/cwd";
  return stat(link.c_str(), &there) == 0 && stat(directory.c_str(), &here) == 0 && here.st_ino == there.st_ino &&
         here.st_dev == there.st_dev;
}

/// PostgreSQL refuses to start while the process of a left-over lock file lives, even when that number is somebody
/// else's by now. It takes its parent's number (ours) for stale, and still reads the shared memory's key from the other
/// lines.
void disown_lock_file(const postgres_directory& directory) {
  const auto path = directory.data() / "postmaster.pid";
  std::ifstream file{path};
  if (!file)
    return;
  std::string first;
  if (!std::getline(file, first)) { // cut short while it was written: PostgreSQL would refuse it, and it names nobody
    unlink(path.c_str());
    return;
  }
  std::ostringstream rest;
  rest << file.rdbuf();
  // Beside it and then in its place: a crash in between must not leave half of it.
  if (const auto written = replace_file(path, std::to_string(getpid()) + "\n" + rest.str(), directory.user); !written)
    spdlog::warn("{}", written.error().detail);
}

void clear_stale_locks(const postgres_directory& directory) {
  disown_lock_file(directory);
  for (const char* name : {".s.PGSQL.5432", ".s.PGSQL.5432.lock"})
    unlink((directory.sockets / name).c_str());
}

} // namespace

std::optional<process_handle> find_postmaster(const postgres_directory& directory) {
  const pid_t pid = pid_in(directory.data() / "postmaster.pid");
  if (pid <= 0 || pid == getpid())
    return std::nullopt;
  auto found = process_handle::of_stranger(pid); // held first, so that what is looked at is what is held
  if (found.ended() || !stands_in(pid, directory.data()))
    return std::nullopt;
  return found;
}

result<pid_t> start_postmaster(const postgres_directory& directory) {
  clear_stale_locks(directory);
  const int data = open(directory.data().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int sockets = open(directory.sockets.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const auto log = open_server_log(directory);
  result<pid_t> pid = embedded_problem("cannot open its directories: " + std::string{std::strerror(errno)});
  if (data >= 0 && sockets >= 0 && log) {
    const auto name_of = [&](const fs::path& path, const char* descriptor) {
      return directory.user ? descriptor : path.string();
    };
    pid = start_child(
      {directory.binaries / "postgres",
       {"-D", name_of(directory.data(), "/proc/self/fd/3"), "-k", name_of(directory.sockets, "/proc/self/fd/4")},
       {data, sockets},
       *log,
       directory.user});
  }
  for (const int fd : {data, sockets, log ? *log : -1})
    if (fd >= 0)
      close(fd);
  return pid;
}

server_answer ask_server(const postgres_directory& directory) {
  const auto url = directory.url("postgres") + "&connect_timeout=2";
  switch (PQping(url.c_str())) {
  case PQPING_OK:
    return server_answer::accepts;
  case PQPING_REJECT:
    return server_answer::starting;
  default:
    return server_answer::silent;
  }
}

bool stop_postmaster(const process_handle& server, milliseconds deadline) {
  struct step {
    int signal;
    milliseconds patience;
  };
  for (const auto& [signal, patience] :
       {step{SIGINT, deadline}, step{SIGQUIT, milliseconds{5'000}}, step{SIGKILL, milliseconds{5'000}}}) {
    if (signal != SIGINT)
      spdlog::warn("embedded PostgreSQL: still runs; sending {}", strsignal(signal));
    if (!server.signal(signal) && errno != ESRCH)
      spdlog::warn("embedded PostgreSQL: cannot signal process {}: {}", server.pid(), std::strerror(errno));
    if (server.wait_until_ended(patience))
      return true;
  }
  return false;
}

} // namespace postrider
