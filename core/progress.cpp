#include "core/progress.hpp"

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

} // namespace postrider
