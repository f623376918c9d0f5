#include "persistence/open_rides.hpp"

#include <algorithm>

namespace postrider {

void open_rides::add(std::span<const delivery_id> ids) {
  const std::lock_guard lock{mutex_};
  for (const auto& id : ids)
    if (open_.insert(id).second)
      ++per_second_[second_of(id)];
}

void open_rides::remove(std::span<const delivery_id> ids) {
  const std::lock_guard lock{mutex_};
  for (const auto& id : ids) {
    if (open_.erase(id) == 0)
      continue;
    const auto bucket = per_second_.find(second_of(id));
    if (--bucket->second == 0)
      per_second_.erase(bucket);
  }
}

void open_rides::forget_before(wall_time time) {
  const std::lock_guard lock{mutex_};
  std::erase_if(open_, [&](const delivery_id& id) {
    if (time_of(id.value) >= time)
      return false;
    const auto bucket = per_second_.find(second_of(id));
    if (--bucket->second == 0)
      per_second_.erase(bucket);
    return true;
  });
}

void open_rides::doubt(std::span<const delivery_id> ids, mono_time now) {
  const std::lock_guard lock{mutex_};
  for (const auto& id : ids)
    if (doubtful_.size() < doubtful_max)
      doubtful_.emplace_back(id, now + doubt_time);
}

std::vector<delivery_id> open_rides::doubtful(mono_time now) {
  const std::lock_guard lock{mutex_};
  std::erase_if(doubtful_, [&](const auto& each) { return each.second <= now || !open_.contains(each.first); });
  std::vector<delivery_id> out;
  out.reserve(doubtful_.size());
  for (const auto& each : doubtful_)
    out.push_back(each.first);
  return out;
}

wall_time open_rides::oldest(wall_time now) const {
  const std::lock_guard lock{mutex_};
  return per_second_.empty() ? now : std::min<wall_time>(now, per_second_.begin()->first);
}

uuid open_rides::low_water(wall_time now, milliseconds margin) const {
  return least_uuid_v7(std::min(oldest(now), now - margin));
}

std::size_t open_rides::size() const {
  const std::lock_guard lock{mutex_};
  return open_.size();
}

} // namespace postrider
