#include "core/backoff.hpp"

#include <algorithm>
#include <cmath>

namespace postrider {
namespace {

using namespace std::chrono_literals;

constexpr milliseconds retry_after_max = 24h;
// No wait is longer: keeps every sum of times far from overflow.
constexpr milliseconds delay_limit = 24h * 365;

milliseconds to_delay(double ms) {
  if (!(ms > 0))
    return 0ms;
  return ms < static_cast<double>(delay_limit.count()) ? milliseconds{std::llround(ms)} : delay_limit;
}

/// The greatest delay that `Retry-After` may reach.
milliseconds greatest_delay(const retry_policy& policy) {
  const auto greatest =
    policy.schedule.empty() ? policy.delay_max : *std::max_element(policy.schedule.begin(), policy.schedule.end());
  return std::min(greatest, retry_after_max);
}

} // namespace

retry_policy default_retry_policy() {
  retry_policy out;
  out.schedule = {5s, 30s, 2min, 10min, 30min, 1h, 2h, 4h, 8h, 12h, 14h, 14h, 14h};
  return out;
}

std::uint32_t attempts_allowed(const retry_policy& policy) noexcept {
  return policy.schedule.empty() ? policy.attempts_max : static_cast<std::uint32_t>(policy.schedule.size()) + 1;
}

std::optional<milliseconds> step_delay(const retry_policy& policy, std::uint32_t step) noexcept {
  step = std::max(step, 1U);
  if (step >= attempts_allowed(policy))
    return std::nullopt;
  if (!policy.schedule.empty())
    return policy.schedule[step - 1];
  const auto cap = static_cast<double>(policy.delay_max.count());
  // In floating point a product too great becomes infinity and meets the cap; it never wraps.
  const double delay = static_cast<double>(policy.base.count()) * std::pow(policy.factor, step - 1);
  return to_delay(delay < cap ? delay : cap);
}

std::optional<milliseconds> backoff_delay(const retry_policy& policy, std::uint32_t step, std::uint32_t seed,
                                          std::optional<milliseconds> retry_after) noexcept {
  const auto own = step_delay(policy, step);
  if (!own)
    return std::nullopt;
  const double spread = policy.jitter * (2 * jitter_draw(seed, step) - 1);
  const auto jittered = to_delay(static_cast<double>(own->count()) * (1 + spread));
  if (!retry_after)
    return jittered;
  // The receiver's word is a lower bound, so jitter takes nothing off it.
  return std::max(jittered, std::min(*retry_after, greatest_delay(policy)));
}

double jitter_draw(std::uint32_t seed, std::uint32_t step) noexcept {
  std::uint64_t mixed = (std::uint64_t{seed} << 32U | step) + 0x9e3779b97f4a7c15ULL;
  mixed = (mixed ^ mixed >> 30U) * 0xbf58476d1ce4e5b9ULL;
  mixed = (mixed ^ mixed >> 27U) * 0x94d049bb133111ebULL;
  mixed ^= mixed >> 31U;
  return static_cast<double>(mixed >> 11U) * 0x1p-53;
}

} // namespace postrider
