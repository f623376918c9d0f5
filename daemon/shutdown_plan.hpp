#pragma once

#include "core/time.hpp"

#include <algorithm>

namespace postrider {

/// How the time of a stop is shared out: computed once, when it begins; every step is handed what is left. After
/// `linger` comes `drain` (api.md, `[shutdown]`), whose last part, a tenth and at most 2 s, is kept for writing the
/// outcomes of what was in flight: a step before it that takes all it may does not cost the outcomes of the others.
class shutdown_plan {
public:
  static constexpr milliseconds reserve_max{2'000};

  shutdown_plan(mono_time now, milliseconds linger, milliseconds drain)
      : lingers_until_{now + linger}, ends_at_{lingers_until_ + drain}, reserve_{std::min(drain / 10, reserve_max)} {}

  [[nodiscard]] milliseconds to_linger(mono_time now) const { return left(lingers_until_, now); }
  /// For requests under way, commits and attempts.
  [[nodiscard]] milliseconds to_finish(mono_time now) const { return left(ends_at_ - reserve_, now); }
  /// For everything.
  [[nodiscard]] milliseconds to_end(mono_time now) const { return left(ends_at_, now); }

private:
  static milliseconds left(mono_time until, mono_time now) {
    return std::max(milliseconds{0}, std::chrono::floor<milliseconds>(until - now));
  }

  mono_time lingers_until_;
  mono_time ends_at_;
  milliseconds reserve_;
};

} // namespace postrider
