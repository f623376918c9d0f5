#pragma once

#include "core/time.hpp"

#include <functional>
#include <map>
#include <optional>
#include <utility>

namespace postrider::simulation {

/// What will happen, and when. What is due at the same time happens in the order in which it was put in.
class timeline {
public:
  void at(mono_time when, std::function<void()> job) { jobs_.emplace(when, std::move(job)); }
  [[nodiscard]] std::optional<mono_time> next() const {
    return jobs_.empty() ? std::nullopt : std::optional{jobs_.begin()->first};
  }
  /// Does the first thing that is due; false: nothing is.
  bool run_one(mono_time now) {
    if (jobs_.empty() || jobs_.begin()->first > now)
      return false;
    const auto job = std::move(jobs_.begin()->second);
    jobs_.erase(jobs_.begin());
    job();
    return true;
  }
  void clear() { std::exchange(jobs_, {}).clear(); }

private:
  std::multimap<mono_time, std::function<void()>> jobs_;
};

} // namespace postrider::simulation
