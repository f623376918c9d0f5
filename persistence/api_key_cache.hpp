#pragma once

#include "actors/management_store.hpp"

#include <cstdint>
#include <cstring>
#include <mutex>
#include <optional>
#include <unordered_map>

namespace postrider {

/// Keys that were found in the database a moment ago, so that not every request asks. An entry counts for `lifetime`
/// from the start of its query, so a revoked key is refused within a second. Unknown keys are not kept: a new one works
/// at once, and an attacker's guesses fill nothing. At most `entries_max`. Thread-safe.
class api_key_cache {
public:
  static constexpr milliseconds lifetime{900};
  static constexpr std::size_t entries_max = 4'096;

  std::optional<api_key_record> find(const api_key_hash& hash, mono_time now, wall_time wall);
  /// What was asked before the last `clear` is not taken: note the generation before asking.
  [[nodiscard]] std::uint64_t generation() const;
  void put(const api_key_hash& hash, const api_key_record& record, mono_time asked_at, std::uint64_t generation);
  void clear();

private:
  struct hash_of_hash {
    std::size_t operator()(const api_key_hash& hash) const noexcept {
      std::size_t out = 0; // SHA-256 is evenly spread already
      std::memcpy(&out, hash.data(), sizeof out);
      return out;
    }
  };
  struct entry {
    api_key_record record;
    mono_time asked_at{};
  };

  mutable std::mutex mutex_;
  std::unordered_map<api_key_hash, entry, hash_of_hash> entries_;
  std::uint64_t generation_ = 0;
};

} // namespace postrider
