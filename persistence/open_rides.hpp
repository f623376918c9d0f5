#pragma once

#include "core/ids.hpp"
#include "core/time.hpp"

#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <span>
#include <unordered_set>
#include <utility>
#include <vector>

namespace postrider {

/// The deliveries of this process whose first attempt rode, or may have ridden, on the accept commit and is not known
/// to be over. Their rows have no due time, so only a scan by id finds them after a crash; this says where such a scan
/// must begin. O(1) per delivery: counts per second of the id's time. Thread-safe.
class open_rides {
public:
  void add(std::span<const delivery_id> ids);
  /// Ids that are not there are ignored.
  void remove(std::span<const delivery_id> ids);
  /// All whose id is of an earlier time.
  void forget_before(wall_time time);

  /// Open ones whose event was answered as not accepted while its commit was in doubt: nobody sends them, and their
  /// rows may come into the database yet. They are to be looked for until they are found, for `doubt_time` at most and
  /// `doubtful_max` at a time; beyond, they are found as every ride that stays open.
  void doubt(std::span<const delivery_id> ids, mono_time now);
  [[nodiscard]] std::vector<delivery_id> doubtful(mono_time now);
  static constexpr std::size_t doubtful_max = 4'096;
  static constexpr std::chrono::seconds doubt_time{60};

  /// No open ride has a lower id. Never above least_uuid_v7(`now` - `margin`): rows of that age may still be on their
  /// way here.
  [[nodiscard]] uuid low_water(wall_time now, milliseconds margin) const;
  /// Of the oldest open ride; `now` where there is none.
  [[nodiscard]] wall_time oldest(wall_time now) const;
  [[nodiscard]] std::size_t size() const;

private:
  using second = std::chrono::sys_seconds;
  static second second_of(const delivery_id& id) noexcept {
    return std::chrono::floor<std::chrono::seconds>(time_of(id.value));
  }

  mutable std::mutex mutex_;
  std::unordered_set<delivery_id> open_;
  std::map<second, std::size_t> per_second_;
  std::deque<std::pair<delivery_id, mono_time>> doubtful_; ///< until when; in that order
};

} // namespace postrider
