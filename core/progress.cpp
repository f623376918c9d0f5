#include "core/progress.hpp"

#include <utility>

namespace postrider {

std::optional<std::string> stuck_part(std::span<const part_progress> parts, mono_time now) {
  const part_progress* worst = nullptr;
  mono_time::duration most{0};
  for (const auto& each : parts) {
    const auto late = each.last ? now - *each.last - each.patience : mono_time::duration{0};
    if (late <= most)
      continue;
    most = late;
    worst = &each;
  }
  if (worst == nullptr)
    return std::nullopt;
  const auto silent = std::chrono::floor<std::chrono::seconds>(now - *worst->last).count();
  return std::string{worst->name} + ": no progress for " + std::to_string(silent) + " s";
}

mono_time transit_watch::look(std::uint64_t told, std::uint64_t taken, mono_time now) noexcept {
  if (std::exchange(told_, told) != told)
    told_at_ = now;
  const bool moved = std::exchange(taken_, taken) != taken;
  if (moved || !told_at_ || now - *told_at_ > quiet)
    since_.reset();
  else if (!since_)
    since_ = now;
  return since_.value_or(now);
}

} // namespace postrider
