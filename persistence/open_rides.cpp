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
