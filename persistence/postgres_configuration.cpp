#include "persistence/postgres_configuration.hpp"

#include <algorithm>
#include <fstream>
#include <unistd.h>

namespace postrider {

std::uint64_t usable_memory() {
  const auto pages = static_cast<std::uint64_t>(std::max(sysconf(_SC_PHYS_PAGES), 0L));
  auto bytes = pages * static_cast<std::uint64_t>(std::max(sysconf(_SC_PAGESIZE), 0L));
  for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::uint64_t limit = 0; // "max" is no number: no limit
    if (std::ifstream file{path}; file >> limit)
      bytes = std::min(bytes, limit);
  }
  return bytes;
}

std::string postgres_configuration(std::uint64_t memory_bytes, bool durable, const std::string& wal_compression) {
  constexpr std::uint64_t mebibyte = 1U << 20U;
  const auto buffers = std::clamp<std::uint64_t>(memory_bytes / 8 / mebibyte, 32, 1024);
  return "# Written by postrider at each start. Settings of your own: ALTER SYSTEM, which wins over this file.\n"
         "listen_addresses = ''\n"
         "port = 5432\n"
         "unix_socket_permissions = 0700\n"
         "max_connections = 64\n"
         "shared_buffers = " +
         std::to_string(durable ? buffers : 32) +
         "MB\n"
         // As the main segment is made: /dev/shm may be small, or not there for an unprivileged user, in a container.
         "dynamic_shared_memory_type = sysv\n"
         "max_wal_size = 4GB\n"
         "min_wal_size = " +
         std::string{durable ? "512MB" : "80MB"} +
         "\n"
         "wal_compression = " +
         wal_compression +
         "\n"
         "synchronous_commit = on\n"
         "fsync = " +
         (durable ? "on" : "off") +
         "\n"
         "full_page_writes = " +
         (durable ? "on" : "off") +
         "\n"
         "checkpoint_completion_target = 0.9\n"
         "max_parallel_workers_per_gather = 0\n"
         "jit = off\n"
         "timezone = 'UTC'\n"
         "log_timezone = 'UTC'\n"
         "lc_messages = 'C.UTF-8'\n"
         "log_destination = 'stderr'\n"
         "logging_collector = off\n"
         "log_line_prefix = '%m [%p] %a '\n"
         "log_min_messages = warning\n"
         "log_checkpoints = off\n"
         "log_statement = 'none'\n"
         "log_min_error_statement = panic\n"
         "log_parameter_max_length = 0\n"
         "log_parameter_max_length_on_error = 0\n"
         "log_error_verbosity = terse\n";
}

std::string postgres_access_rules() {
  return "# Written by postrider at each start: the unix socket, which only its owner and root can reach.\n"
         "local all all trust\n";
}

} // namespace postrider
