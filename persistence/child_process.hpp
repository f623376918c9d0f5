#pragma once

#include "core/result.hpp"
#include "core/time.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace postrider {

/// Whom a process runs as. Supplementary groups are dropped.
struct unix_user {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;
};

/// A program to start: a session of its own (the terminal's Ctrl-C does not reach it), default signals, working
/// directory `/`, a small fixed environment, and no descriptor of ours but the named ones. A listener that it inherited
/// would outlive us in it.
struct child_command {
  std::filesystem::path program;
  std::vector<std::string> arguments; ///< without the program's name
  std::vector<int> inherited{};       ///< become its descriptors 3, 4, …; at most 8
  int output = -1;                    ///< its standard output and error; -1: /dev/null
  std::optional<unix_user> user{};    ///< nothing: as we are
};

/// Fails (500 `child-failed`) where the program cannot be started; the detail names it and the system's reason.
result<pid_t> start_child(const child_command& command);

/// Starts it and waits. Its exit status, 128 + the signal's number where one ended it. Past the deadline it is killed:
/// `child-failed`.
result<int> run_child(const child_command& command, milliseconds deadline);

/// True once the process has ended; reaps it where it is our child. `pid` of another's process is only looked at.
bool has_ended(pid_t pid) noexcept;

/// A process to look after. One that is not our child is held by a descriptor (pidfd_open(2)): once it has ended, its
/// number may be another's, which must not be signalled. (Where the system has no such descriptors, the number has to
/// do.)
class process_handle {
public:
  process_handle() = default; ///< of none: it has ended
  static process_handle of_child(pid_t pid) noexcept;
  static process_handle of_stranger(pid_t pid) noexcept;
  process_handle(process_handle&& other) noexcept;
  process_handle& operator=(process_handle&& other) noexcept;
  ~process_handle();

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] bool ended() const noexcept;
  /// False, with errno: it could not be signalled.
  bool signal(int number) const noexcept;
  /// Looks every 10 ms. False: it still runs at the deadline.
  [[nodiscard]] bool wait_until_ended(milliseconds deadline) const;

private:
  process_handle(pid_t pid, int descriptor) noexcept : pid_{pid}, descriptor_{descriptor} {}
  pid_t pid_ = 0;
  int descriptor_ = -1; ///< -1: our child, or there are no descriptors
};

/// Waits until the process has ended, looking every 10 ms. False: it still runs at the deadline.
bool wait_until_ended(pid_t pid, milliseconds deadline);

} // namespace postrider
