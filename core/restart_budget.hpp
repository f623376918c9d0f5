#pragma once

#include "core/time.hpp"

#include <cstdint>
#include <deque>
#include <optional>

namespace postrider {

/// When a supervisor restarts a crashed child: backoff grows with crashes close together; more than `crashes_max` of
/// them within `window` quarantine the child. A quarantine ends by itself after `quarantine` (nothing waits for a
/// person, I3), or earlier by a change of its configuration; then a crash within `window` is the next quarantine at
/// once.
struct restart_policy {
  std::uint32_t crashes_max = 5;
  milliseconds window{60'000};
  milliseconds delay_first{100};
  milliseconds delay_max{10'000};
  milliseconds quarantine{300'000};
};

struct restart_budget {
  std::deque<mono_time> crashes; ///< within the window, oldest first; at most crashes_max + 1
  std::uint32_t total = 0;
  std::optional<mono_time> released_at{}; ///< the end of the last quarantine
};

struct restart_step {
  restart_budget next;
  milliseconds restart_after{};
  bool quarantined = false; ///< until then
};

restart_step on_crash(restart_budget budget, mono_time now, const restart_policy& policy);

} // namespace postrider
