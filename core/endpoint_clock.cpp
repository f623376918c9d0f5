#include "core/endpoint_clock.hpp"

#include <algorithm>
#include <cmath>

namespace postrider {
namespace {

constexpr double least_threshold = 2;

double width(const endpoint_clock& clock, std::uint32_t most) noexcept {
  const auto limit = std::max(1.0, static_cast<double>(most));
  return clock.window ? std::clamp(*clock.window, 1.0, limit) : limit;
}

} // namespace

endpoint_clock succeeded(const endpoint_clock& clock, bool used_up, std::uint32_t most) noexcept {
  if (!used_up || !clock.window)
    return clock;
  auto out = clock;
  const auto now_wide = width(clock, most);
  const auto wider = now_wide + (now_wide < clock.threshold ? 1 : 1 / now_wide);
  if (wider < static_cast<double>(most)) {
    out.window = wider;
  } else {
    out.window.reset();
    out.threshold = 0;
  }
  return out;
}

endpoint_clock slowed(const endpoint_clock& clock, mono_time sent_at, mono_time now,
                      std::optional<milliseconds> retry_after, std::uint32_t most) noexcept {
  auto out = clock;
  // What was sent before the last decrease says nothing about the window of now.
  if (!clock.slowed_at || sent_at > *clock.slowed_at) {
    out.threshold = std::max(1.0, width(clock, most) / 2);
    out.window = out.threshold;
    out.slowed_at = now;
  }
  if (retry_after && *retry_after > milliseconds{0}) {
    const auto until = now + std::min(*retry_after, endpoint_hold_max);
    out.held_until = std::max(clock.held_until.value_or(until), until);
  }
  return out;
}

endpoint_clock reopened(const endpoint_clock& clock, std::uint32_t most) noexcept {
  if (most <= 1)
    return {};
  return {.window = 1, .threshold = std::max(least_threshold, width(clock, most) / 2)};
}

std::uint32_t window_of(const endpoint_clock& clock, std::uint32_t most) noexcept {
  return static_cast<std::uint32_t>(std::floor(width(clock, most)));
}

stored_endpoint_clock to_store(const endpoint_clock& clock, mono_time now, wall_time wall) noexcept {
  stored_endpoint_clock out{.window = clock.window, .threshold = clock.threshold};
  if (is_held(clock, now))
    out.held_until = wall + std::chrono::ceil<milliseconds>(*clock.held_until - now);
  return out;
}

endpoint_clock restored_clock(const stored_endpoint_clock& stored, mono_time now, wall_time wall) noexcept {
  endpoint_clock out;
  if (stored.window && std::isfinite(*stored.window))
    out.window = std::max(1.0, *stored.window);
  if (std::isfinite(stored.threshold))
    out.threshold = std::max(0.0, stored.threshold);
  if (stored.held_until && *stored.held_until > wall)
    out.held_until = now + std::min<milliseconds>(*stored.held_until - wall, endpoint_hold_max);
  return out;
}

} // namespace postrider
