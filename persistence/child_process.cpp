#include "persistence/child_process.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace postrider {
namespace {

constexpr int first_inherited = 3;
constexpr int inherited_max = 8;

/// All that the child needs, made before the fork: between fork and exec nothing may allocate or lock.
struct prepared_child {
  const child_command& command;
  std::vector<char*> arguments;
  std::vector<char*> environment;
  int report; // where the child writes errno when it fails before its exec
};

void reset_signals() noexcept {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGALRM, SIGTERM, SIGCHLD, SIGUSR1, SIGUSR2})
    std::signal(number, SIG_DFL);
}

/// The raw calls: glibc's would try to tell threads that exist only in the parent.
bool drop_to(const unix_user& user) noexcept {
  return syscall(SYS_setgroups, 0, nullptr) == 0 && syscall(SYS_setresgid, user.gid, user.gid, user.gid) == 0 &&
         syscall(SYS_setresuid, user.uid, user.uid, user.uid) == 0;
}

/// Descriptors 0 to 2, the inherited ones from 3 on, then the report; everything else is closed.
bool arrange_descriptors(prepared_child& child) noexcept {
  constexpr int high = 64; // out of the way of the target numbers
  std::array<int, inherited_max> moved{};
  const auto& wanted = child.command.inherited;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if ((moved[i] = fcntl(wanted[i], F_DUPFD, high)) < 0)
      return false;
  const int report = fcntl(child.report, F_DUPFD, high);
  const int null = open("/dev/null", O_RDWR);
  const int output = child.command.output >= 0 ? fcntl(child.command.output, F_DUPFD, high) : null;
  if (report < 0 || null < 0 || output < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
    return false;
  int next = first_inherited;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (dup2(moved[i], next++) < 0)
      return false;
  if (dup2(report, next) < 0 || fcntl(next, F_SETFD, FD_CLOEXEC) < 0)
    return false;
  child.report = next++;
  if (syscall(SYS_close_range, static_cast<unsigned>(next), ~0U, 0) != 0)
    for (long fd = next, end = sysconf(_SC_OPEN_MAX); fd < end && fd < 65'536; ++fd)
      close(static_cast<int>(fd));
  return true;
}

[[noreturn]] void become(prepared_child& child) noexcept {
  reset_signals();
  const bool ready = arrange_descriptors(child) && setsid() >= 0 && chdir("/") == 0 &&
                     (!child.command.user || drop_to(*child.command.user));
  if (ready)
    execve(child.command.program.c_str(), child.arguments.data(), child.environment.data());
  const int why = errno;
  const auto told = write(child.report, &why, sizeof why);
  _exit(told == sizeof why ? 127 : 126);
}

std::vector<std::string> child_environment() {
  std::vector<std::string> out{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC", "HOME=/"};
  if (const char* libraries = std::getenv("LD_LIBRARY_PATH"))
    out.push_back(std::string{"LD_LIBRARY_PATH="} + libraries);
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (auto& text : texts)
    out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

/// Ended, but its parent (the init process, for an adopted one) has not asked for its status: some containers' never
/// does.
bool is_zombie(pid_t pid) noexcept {
  std::array<char, 64> path{};
  std::snprintf(path.data(), path.size(), "/proc/%d/stat", static_cast<int>(pid));
  const int fd = open(path.data(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return false;
  std::array<char, 512> text{};
  const auto size = TEMP_FAILURE_RETRY(read(fd, text.data(), text.size() - 1));
  close(fd);
  const char* name_end = size > 0 ? std::strrchr(text.data(), ')') : nullptr; // `pid (name) state …`
  return name_end && (name_end[1] == ' ') && (name_end[2] == 'Z' || name_end[2] == 'X');
}

problem child_failed(const child_command& command, const std::string& why) {
  return {500, "child-failed", command.program.string() + ": " + why, {}, {}};
}

} // namespace

result<pid_t> start_child(const child_command& command) {
  if (command.inherited.size() > inherited_max)
    return child_failed(command, "too many inherited descriptors");
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return child_failed(command, std::strerror(errno));
  auto argument_texts = command.arguments;
  argument_texts.insert(argument_texts.begin(), command.program.string());
  auto environment_texts = child_environment();
  prepared_child child{command, pointers(argument_texts), pointers(environment_texts), ends[1]};

  const pid_t pid = fork();
  if (pid == 0)
    become(child);
  const int fork_errno = errno;
  close(ends[1]);
  int why = 0;
  const auto told = pid > 0 ? TEMP_FAILURE_RETRY(read(ends[0], &why, sizeof why)) : 0;
  close(ends[0]);
  if (pid < 0)
    return child_failed(command, std::strerror(fork_errno));
  if (told == 0) // the report's descriptor was closed by the exec
    return pid;
  wait_until_ended(pid, milliseconds{1'000});
  return child_failed(command, std::strerror(why));
}

result<int> run_child(const child_command& command, milliseconds deadline) {
  const auto pid = start_child(command);
  if (!pid)
    return pid.error();
  const auto end = std::chrono::steady_clock::now() + deadline;
  for (;;) {
    int status = 0;
    const pid_t ended = waitpid(*pid, &status, WNOHANG);
    if (ended == *pid)
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (ended < 0 && errno != EINTR)
      return child_failed(command, std::strerror(errno));
    if (std::chrono::steady_clock::now() >= end) {
      kill(*pid, SIGKILL);
      wait_until_ended(*pid, milliseconds{5'000});
      return child_failed(command, "did not end in time");
    }
    std::this_thread::sleep_for(milliseconds{10});
  }
}

bool has_ended(pid_t pid) noexcept {
  int status = 0;
  const pid_t ended = waitpid(pid, &status, WNOHANG);
  if (ended == pid)
    return true;
  if (ended >= 0 || errno != ECHILD)
    return false;
  return (kill(pid, 0) != 0 && errno == ESRCH) || is_zombie(pid);
}

process_handle process_handle::of_child(pid_t pid) noexcept {
  return {pid, -1};
}

process_handle process_handle::of_stranger(pid_t pid) noexcept {
  return {pid, static_cast<int>(syscall(SYS_pidfd_open, pid, 0))};
}

process_handle::process_handle(process_handle&& other) noexcept
    : pid_{std::exchange(other.pid_, 0)}, descriptor_{std::exchange(other.descriptor_, -1)} {}

process_handle& process_handle::operator=(process_handle&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

process_handle::~process_handle() {
  if (descriptor_ >= 0)
    close(descriptor_);
}

bool process_handle::ended() const noexcept {
  if (pid_ <= 0)
    return true;
  if (descriptor_ < 0)
    return has_ended(pid_);
  pollfd look{descriptor_, POLLIN, 0}; // readable once it has ended, a zombie too
  return poll(&look, 1, 0) > 0;
}

bool process_handle::signal(int number) const noexcept {
  if (pid_ <= 0) {
    errno = ESRCH;
    return false;
  }
  return descriptor_ < 0 ? kill(pid_, number) == 0
                         : syscall(SYS_pidfd_send_signal, descriptor_, number, nullptr, 0) == 0;
}

bool process_handle::wait_until_ended(milliseconds deadline) const {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!ended()) {
    if (std::chrono::steady_clock::now() >= end)
      return false;
    std::this_thread::sleep_for(milliseconds{10});
  }
  return true;
}

bool wait_until_ended(pid_t pid, milliseconds deadline) {
  return process_handle::of_child(pid).wait_until_ended(deadline);
}

} // namespace postrider
