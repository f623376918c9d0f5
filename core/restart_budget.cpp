#include "core/restart_budget.hpp"

#include <algorithm>
#include <utility>

namespace postrider {
namespace {

/// Doubles with each crash of the window, from the second on.
milliseconds delay_after(std::size_t crashes, const restart_policy& policy) {
  auto delay = policy.delay_first;
  for (std::size_t i = 1; i < crashes && delay < policy.delay_max; ++i)
    delay *= 2;
  return std::min(delay, policy.delay_max);
}

} // namespace

restart_step on_crash(restart_budget budget, mono_time now, const restart_policy& policy) {
  auto& crashes = budget.crashes;
  while (!crashes.empty() && now - crashes.front() >= policy.window)
    crashes.pop_front();
  crashes.push_back(now);
  while (crashes.size() > std::size_t{policy.crashes_max} + 1)
    crashes.pop_front();
  ++budget.total;
  const auto count = crashes.size();
  const bool relapsed = budget.released_at && now - *budget.released_at < policy.window;
  restart_step out{.next = std::move(budget)};
  out.quarantined = relapsed || count > policy.crashes_max;
  out.restart_after = out.quarantined ? policy.quarantine : delay_after(count, policy);
  if (out.quarantined)
    out.next.released_at = now + policy.quarantine;
  return out;
}

} // namespace postrider
