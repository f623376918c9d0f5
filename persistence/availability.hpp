#pragma once

#include "actors/store.hpp"
#include "core/metrics.hpp"

#include <array>
#include <cstdint>
#include <mutex>
#include <string>

namespace postrider {

/// The sessions whose loss makes the node not ready.
enum class session_role : std::uint8_t { lease = 0, accept = 1, record = 2, claim = 3, accept_in_order = 4 };

/// Tells the node, once per change, whether the database is usable: it is while every role has a connection.
/// Thread-safe.
class availability {
public:
  availability(store_events& events, metrics& counts) : events_{events}, metrics_{counts} {}

  void report(session_role role, bool usable, const std::string& detail) {
    const std::lock_guard lock{mutex_};
    usable_[static_cast<std::size_t>(role)] = usable;
    bool all = true;
    for (const auto each : usable_)
      all = all && each;
    // Only the first reason is told: the others follow from it.
    if (told_ && all == last_)
      return;
    if (all || !usable) {
      told_ = true;
      last_ = all;
      metrics_.database_up.set(all ? 1 : 0);
      events_.availability(all, all ? std::string{} : detail);
    }
  }

private:
  store_events& events_;
  metrics& metrics_;
  std::mutex mutex_;
  std::array<bool, 5> usable_{};
  bool told_ = false;
  bool last_ = false;
};

} // namespace postrider
