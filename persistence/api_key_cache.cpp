#include "persistence/api_key_cache.hpp"

namespace postrider {

std::optional<api_key_record> api_key_cache::find(const api_key_hash& hash, mono_time now, wall_time wall) {
  const std::lock_guard guard{mutex_};
  const auto found = entries_.find(hash);
  if (found == entries_.end())
    return std::nullopt;
  const auto& [record, asked_at] = found->second;
  if (now - asked_at < lifetime && (!record.expires_at || wall < *record.expires_at))
    return record;
  entries_.erase(found);
  return std::nullopt;
}

std::uint64_t api_key_cache::generation() const {
  const std::lock_guard guard{mutex_};
  return generation_;
}

void api_key_cache::put(const api_key_hash& hash, const api_key_record& record, mono_time asked_at,
                        std::uint64_t generation) {
  const std::lock_guard guard{mutex_};
  if (generation != generation_)
    return;
  if (entries_.size() >= entries_max)
    std::erase_if(entries_, [&](const auto& each) { return asked_at - each.second.asked_at >= lifetime; });
  if (entries_.size() >= entries_max)
    entries_.clear();
  entries_.insert_or_assign(hash, entry{record, asked_at});
}

void api_key_cache::clear() {
  const std::lock_guard guard{mutex_};
  entries_.clear();
  ++generation_;
}

} // namespace postrider
