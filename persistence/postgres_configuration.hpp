#pragma once

#include <cstdint>
#include <string>

namespace postrider {

/// Bytes of memory that this process may use: the machine's, or its control group's limit where that is less.
std::uint64_t usable_memory();

/// postgresql.conf of an embedded server on a machine with so many bytes of memory: an eighth of them as shared
/// buffers, 32 MiB to 1 GiB. `durable` false turns fsync off (tests). Statements, parameters and rows are kept out of
/// the log: they hold bodies and secrets. `wal_compression`: `lz4` where the server was built with it, else `on`.
std::string postgres_configuration(std::uint64_t memory_bytes, bool durable,
                                   const std::string& wal_compression = "lz4");

/// pg_hba.conf: the socket, whose directory is 0700, and nothing else.
std::string postgres_access_rules();

} // namespace postrider
