#include "persistence/shard_table.hpp"

namespace postrider {

void shard_table::take(std::span<const taken> shards, mono_time now) {
  const std::lock_guard lock{mutex_};
  for (const auto& each : shards) {
    const auto index = static_cast<std::size_t>(each.lease.shard);
    // A fence of mine that I never heard of may stand on one of somebody else's.
    const bool known = each.closable == any_fence || each.closable == last_fence_.at(index);
    shards_.at(index) = entry{each.lease, each.low_water, known ? each.closable : 0, now, 0};
    last_fence_.at(index) = each.lease.under;
  }
}

void shard_table::drop(std::span<const shard_no> shards) {
  const std::lock_guard lock{mutex_};
  for (const auto each : shards)
    shards_.at(static_cast<std::size_t>(each)).reset();
}

void shard_table::drop_all() {
  const std::lock_guard lock{mutex_};
  shards_ = {};
}

std::vector<shard_lease> shard_table::held() const {
  const std::lock_guard lock{mutex_};
  std::vector<shard_lease> out;
  for (const auto& each : shards_)
    if (each)
      out.push_back(each->lease);
  return out;
}

std::vector<shard_no> shard_table::missing() const {
  const std::lock_guard lock{mutex_};
  std::vector<shard_no> out;
  for (std::size_t i = 0; i < shards_.size(); ++i)
    if (!shards_[i])
      out.push_back(static_cast<shard_no>(i));
  return out;
}

std::vector<shard_table::sweep> shard_table::due_sweeps(mono_time now) const {
  const std::lock_guard lock{mutex_};
  std::vector<sweep> out;
  for (const auto& each : shards_) {
    if (!each || each->rounds_done == static_cast<int>(sweep_delays.size()))
      continue;
    if (now >= each->taken_at + sweep_delays[static_cast<std::size_t>(each->rounds_done)])
      out.push_back({each->lease, each->low_water, each->rounds_done, each->closable});
  }
  return out;
}

void shard_table::swept(const sweep& done) {
  const std::lock_guard lock{mutex_};
  auto& found = shards_.at(static_cast<std::size_t>(done.lease.shard));
  if (found && found->lease.under == done.lease.under && found->rounds_done == done.round)
    ++found->rounds_done;
}

bool shard_table::settled(shard_no shard) const {
  const std::lock_guard lock{mutex_};
  const auto& found = shards_.at(static_cast<std::size_t>(shard));
  return found && found->rounds_done == static_cast<int>(sweep_delays.size());
}

} // namespace postrider
