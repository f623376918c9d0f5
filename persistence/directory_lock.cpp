#include "persistence/directory_lock.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sys/file.h>
#include <thread>
#include <unistd.h>

namespace postrider {
namespace {

struct holder {
  std::string pid, role;
};

holder holder_of(const std::filesystem::path& path) {
  holder out;
  std::ifstream file{path};
  file >> out.pid >> out.role;
  return out;
}

problem lock_problem(std::string detail) {
  return {500, "embedded-postgres-locked", std::move(detail), {}, {}};
}

} // namespace

result<std::unique_ptr<directory_lock>> directory_lock::take(const std::filesystem::path& directory, role as,
                                                             milliseconds patience, milliseconds command_patience) {
  const auto path = directory / "postrider.lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    return lock_problem("cannot open " + path.string() + ": " + std::strerror(errno));
  std::unique_ptr<directory_lock> lock{new directory_lock{fd}};
  const auto began = std::chrono::steady_clock::now();
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      return lock_problem("cannot lock " + path.string() + ": " + std::strerror(errno));
    const auto other = holder_of(path);
    const auto limit = other.role == "command" ? std::max(patience, command_patience) : patience;
    if (std::chrono::steady_clock::now() - began >= limit)
      return lock_problem(directory.string() + " is in use by process " + other.pid + " (" + other.role + ")");
    std::this_thread::sleep_for(milliseconds{20});
  }
  const auto text = std::to_string(getpid()) + (as == role::daemon ? " daemon\n" : " command\n");
  if (ftruncate(fd, 0) != 0 || pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    return lock_problem("cannot write " + path.string() + ": " + std::strerror(errno));
  return lock;
}

directory_lock::~directory_lock() {
  close(fd_);
}

} // namespace postrider
