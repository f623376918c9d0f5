#include "core/circuit_breaker.hpp"

#include <algorithm>
#include <cmath>

namespace postrider {
namespace {

using enum breaker_state;

// Total: [from][input], in the order of the enumerations. Where a guard decides, the cell names the state that the
// guard has to confirm; otherwise the state stays.
// clang-format off
constexpr std::array<std::array<breaker_state, breaker_input_count>, breaker_state_count> transitions{{
  //               admit      success    failure  void_      timer      reset
  /* closed    */ {closed,    closed,    open,    closed,    closed,    closed}, // failure: `must_open`
  /* open      */ {open,      open,      open,    open,      half_open, closed}, // timer: `is_due`
  /* half_open */ {half_open, closed,    open,    half_open, open,      closed}, // success: `has_recovered`; timer: `is_due`
}};
// clang-format on

using namespace std::chrono_literals;
constexpr milliseconds cool_down_limit = 24h * 365; // keeps every sum of times far from overflow

/// Where the slice of that absolute index stands in the ring; also before the clock's zero.
breaker::slice& slice_at(breaker& b, std::int64_t index) {
  const auto size = static_cast<std::int64_t>(b.window.size());
  return b.window[static_cast<std::size_t>((index % size + size) % size)];
}

/// The ring moves on to the slice of `now`, forgetting what has left the window.
void slide(breaker& b, mono_time now, const breaker_policy& policy) {
  const auto width = std::max<mono_time::duration>(policy.window / static_cast<int>(b.window.size()), milliseconds{1});
  const auto index = static_cast<std::int64_t>(now.time_since_epoch() / width);
  const auto size = static_cast<std::int64_t>(b.window.size());
  // An index that goes back comes of another clock or window width: what was counted then means nothing now.
  if (index < b.window_index || index - b.window_index >= size)
    b.window = {};
  else
    for (auto i = b.window_index + 1; i <= index; ++i)
      slice_at(b, i) = {};
  b.window_index = index;
}

/// Guard of closed + failure, after it was counted.
bool must_open(const breaker& b, const breaker_policy& policy) {
  if (b.consecutive_failures >= policy.failures)
    return true;
  std::uint64_t successes = 0;
  std::uint64_t failures = 0;
  for (const auto& slice : b.window) {
    successes += slice.successes;
    failures += slice.failures;
  }
  const auto requests = successes + failures;
  return requests >= policy.min_requests &&
         static_cast<double>(failures) >= policy.failure_rate * static_cast<double>(requests);
}

/// Guard of open + timer: the cool-down is over; of half_open + timer: a probe is overdue.
bool is_due(const breaker& b, mono_time now) {
  if (b.state == half_open && b.probes_running == 0)
    return false; // a timer of a probe that has reported
  return !b.next_at || now >= *b.next_at;
}

/// Guard of half_open + success, after it was counted.
bool has_recovered(const breaker& b, const breaker_policy& policy) {
  return b.probes_succeeded >= policy.probes;
}

/// While half open: as many probes as successes are still missing, but always one, whatever became of the policy
/// meanwhile.
bool admits(const breaker& b, const breaker_policy& policy) {
  return b.state == closed ||
         (b.state == half_open &&
          (b.probes_running == 0 || std::uint64_t{b.probes_running} + b.probes_succeeded < policy.probes));
}

/// The counters that an input moves before the guards look at them.
void count(breaker& b, breaker_input input, bool admitted, mono_time now, const breaker_policy& policy) {
  if (b.state == closed && b.closed_since && now - *b.closed_since >= policy.window)
    b.opened_in_a_row = 0; // a sustained recovery
  if (b.state == closed && (input == breaker_input::success || input == breaker_input::failure)) {
    const bool failed = input == breaker_input::failure;
    slide(b, now, policy);
    auto& slice = slice_at(b, b.window_index);
    ++(failed ? slice.failures : slice.successes);
    b.consecutive_failures = failed ? b.consecutive_failures + 1 : 0;
  }
  if (b.state != half_open)
    return;
  const bool reports =
    input == breaker_input::success || input == breaker_input::failure || input == breaker_input::void_;
  if (admitted) {
    ++b.probes_running;
    // Reports do not say which probe they are of, so the deadline is that of the last one admitted.
    b.next_at = now + policy.probe_timeout;
  } else if (reports && b.probes_running > 0) {
    --b.probes_running;
    b.probes_succeeded += input == breaker_input::success ? 1 : 0;
    if (b.probes_running == 0)
      b.next_at.reset();
  }
}

/// The table's cell, confirmed by its guard.
breaker_state confirmed(const breaker& b, breaker_input input, mono_time now, const breaker_policy& policy) {
  const auto target = transitions[static_cast<std::size_t>(b.state)][static_cast<std::size_t>(input)];
  const bool guard = (b.state == closed && input == breaker_input::failure)      ? must_open(b, policy)
                     : (b.state == half_open && input == breaker_input::success) ? has_recovered(b, policy)
                     : (b.state != closed && input == breaker_input::timer)      ? is_due(b, now)
                                                                                 : true;
  return guard ? target : b.state;
}

milliseconds cool_down(std::uint32_t exponent, double draw, const breaker_policy& policy) {
  const auto grown =
    std::ldexp(static_cast<double>(policy.cool_down.count()), static_cast<int>(std::min(exponent, 64U)));
  const auto capped = std::min(grown, static_cast<double>(std::min(policy.cool_down_max, cool_down_limit).count()));
  return milliseconds{std::llround(capped * (1 + policy.jitter * (2 * draw - 1)))};
}

/// A state is entered with clean counters; only the cool-down's exponent and the epoch outlive a change.
breaker entered(const breaker& from, breaker_state state, mono_time now, double draw, const breaker_policy& policy) {
  breaker b{.state = state, .epoch = from.epoch + 1, .opened_in_a_row = from.opened_in_a_row};
  if (state == open) {
    b.next_at = now + cool_down(from.opened_in_a_row, draw, policy);
    b.opened_in_a_row = std::min(from.opened_in_a_row, 63U) + 1;
  } else if (state == closed) {
    b.closed_since = now;
  }
  return b;
}

} // namespace

std::string_view to_string(breaker_state state) noexcept {
  switch (state) {
  case closed:
    return "closed";
  case open:
    return "open";
  case half_open:
    return "half_open";
  }
  return {};
}

breaker restored_breaker(const stored_breaker& stored, mono_time now, wall_time wall) noexcept {
  breaker out{.opened_in_a_row = stored.opened_in_a_row};
  if (stored.state == closed) {
    out.closed_since = now - std::clamp<milliseconds>(wall - stored.since, 0ms, cool_down_limit);
  } else {
    out.state = open;
    const auto left = stored.next_probe_at ? *stored.next_probe_at - wall : 0ms;
    out.next_at = now + std::clamp<milliseconds>(left, 0ms, cool_down_limit);
  }
  return out;
}

breaker_step step(const breaker& current, breaker_input input, std::uint32_t epoch, mono_time now, double draw,
                  const breaker_policy& policy) noexcept {
  breaker_step out{.next = current};
  const bool born_now = input == breaker_input::admit || input == breaker_input::reset;
  if (!born_now && epoch != current.epoch)
    return out; // a late report or an old timer
  auto& b = out.next;
  out.admitted = input == breaker_input::admit && admits(b, policy);
  count(b, input, out.admitted, now, policy);
  const auto target = confirmed(b, input, now, policy);
  out.changed = target != b.state;
  if (out.changed)
    b = entered(b, target, now, draw, policy);
  if (input == breaker_input::reset)
    b = breaker{.epoch = b.epoch, .closed_since = b.closed_since};
  // A new deadline, or a timer that came before it.
  if (b.next_at && (b.next_at != current.next_at || input == breaker_input::timer))
    out.wake_at = b.next_at;
  return out;
}

} // namespace postrider
