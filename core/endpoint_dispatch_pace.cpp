// How fast the endpoint is served: what attempts teach of it, and what of that is stored.

#include "core/endpoint_dispatch.hpp"

#include <algorithm>
#include <cmath>

namespace postrider {

void endpoint_dispatch::learn(const verdict& judged, const finished_attempt& result, mono_time sent_at, bool used_up,
                              const dispatch_now& now, dispatch_effects& out) {
  const bool good = judged.what == verdict::kind::success;
  if (judged.disable_endpoint)
    disable(judged.give_up_reason == delivery_reason::endpoint_gone ? "endpoint_gone" : "asked_by_receiver", out);
  if (good)
    set_clock(succeeded(clock_, used_up, policy_.max_in_flight));
  else if (judged.slow_endpoint)
    set_clock(slowed(clock_, sent_at, now.mono, result.facts.retry_after, policy_.max_in_flight));
  const auto input = !judged.counts_for_breaker ? breaker_input::void_
                     : good                     ? breaker_input::success
                                                : breaker_input::failure;
  move_gate(input, result.breaker_epoch, now, good ? "probe_succeeded" : "attempts_failed", out);
  if (judged.counts_for_breaker)
    note_health(good, now, out);
}

void endpoint_dispatch::note_health(bool good, const dispatch_now& now, dispatch_effects& out) {
  if (good) {
    forget_failures();
    return;
  }
  if (!failing_since_)
    failing_since_ = now.wall;
  const auto failing = now.wall - *failing_since_;
  clock_unkept_ |= !failing_kept_ && failing >= failing_kept_after;
  if (policy_.active && policy_.disable_after > milliseconds{0} && failing >= policy_.disable_after) {
    disable("failing", out);
    forget_failures();
  }
}

// Whoever lets it go on again gives it the whole time anew, not one attempt.
void endpoint_dispatch::forget_failures() {
  clock_unkept_ |= failing_kept_;
  failing_since_.reset();
}

void endpoint_dispatch::disable(std::string_view reason, dispatch_effects& out) {
  policy_.active = false;
  out.disable_endpoint = true;
  out.disable_reason = reason;
}

// Its growth is not worth a write; that it was slowed, is held, or is as wide as ever, is.
void endpoint_dispatch::set_clock(const endpoint_clock& clock) {
  clock_unkept_ |= clock.window.has_value() != clock_.window.has_value() || clock.slowed_at != clock_.slowed_at ||
                   clock.held_until != clock_.held_until;
  clock_ = clock;
}

void endpoint_dispatch::keep_clock(const dispatch_now& now, dispatch_effects& out) {
  if (!out.breaker_changed) { // which stores all of it
    if (!clock_unkept_ || (kept_at_ && now.mono - *kept_at_ < clock_kept_every))
      return;
    out.clock_changed = true;
  }
  clock_unkept_ = false;
  failing_kept_ = failing_since_.has_value();
  kept_at_ = now.mono;
}

std::int64_t endpoint_dispatch::affordable(mono_time now) const noexcept {
  if (!policy_.rate)
    return room_max;
  const auto tokens = std::max(0.0, std::floor(tokens_left(sends_, now, *policy_.rate)));
  return std::max<std::int64_t>(
    1, static_cast<std::int64_t>(std::min<double>(tokens + policy_.rate->per_second, room_max)));
}

} // namespace postrider
