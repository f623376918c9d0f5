#pragma once

#include "core/result.hpp"
#include "core/time.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace postrider {

/// The exclusive right to one directory among processes: flock on DIR/postrider.lock, which the kernel gives back when
/// its holder ends, however that happens. The file says who holds it.
class directory_lock {
public:
  enum class role : std::uint8_t { daemon, command };

  /// Waits at most `patience` for another holder, but up to `command_patience` for one that says it is a command: those
  /// end by themselves. Error: 500 `embedded-postgres-locked`, with the holder's process id.
  static result<std::unique_ptr<directory_lock>> take(const std::filesystem::path& directory, role as,
                                                      milliseconds patience, milliseconds command_patience);
  ~directory_lock();
  directory_lock(const directory_lock&) = delete;
  directory_lock& operator=(const directory_lock&) = delete;

private:
  explicit directory_lock(int fd) noexcept : fd_{fd} {}
  int fd_;
};

} // namespace postrider
