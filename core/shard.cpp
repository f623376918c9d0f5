#include "core/shard.hpp"

namespace postrider {

shard_no shard_of(const tenant_id& tenant) noexcept {
  // FNV-1a over the 16 bytes, then a last mixing step (that of MurmurHash3), since FNV's low bits alone are weak.
  // Leases and rows name the result: it can never change.
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const auto byte : tenant.value.bytes)
    hash = (hash ^ byte) * 0x100000001b3ULL;
  hash = (hash ^ hash >> 33U) * 0xff51afd7ed558ccdULL;
  hash ^= hash >> 33U;
  return static_cast<shard_no>(hash % shard_count);
}

} // namespace postrider
