#pragma once

#include "core/time.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

/// Whether the delivery loop makes progress: what each of its parts tells, and the decision. Pure but for the atomics.
///
/// | part    | what it is                       | beats when |
/// | ------- | -------------------------------- | ---------- |
/// | actors  | NODE and CAF's workers           | NODE's own timer is handled, each 0.5 s |
/// | hints   | NODE → supervisor                | a hint of due rows was taken up, or none is on its way |
/// | poll    | thread that finds due rows       | a look succeeded |
/// | claim   | thread that claims them          | a claim succeeded, or none is wanted |
/// | lookup  | thread that loads configurations and breakers | likewise |
/// | outcome | thread that records              | a batch is committed, or none waits |
/// | accept  | threads that commit events       | likewise |
/// | io      | io threads: SENDER and LISTENER  | a timer of its own is handled, each 0.5 s |
///
/// A part that is idle beats, so silence is never idleness: it hangs, or each of its tries fails. Patience is above the
/// longest time that one healthy turn may take (the deadline of its call to the database).
namespace postrider {

/// One part's last sign of progress. Written by its thread, read by any.
class pulse {
public:
  void beat(mono_time now) noexcept { at_.store(now.time_since_epoch().count(), std::memory_order_relaxed); }
  /// It has ended, or does not run yet: nothing is expected of it.
  void rest() noexcept { at_.store(0, std::memory_order_relaxed); }
  [[nodiscard]] std::optional<mono_time> last() const noexcept {
    const auto ticks = at_.load(std::memory_order_relaxed);
    return ticks == 0 ? std::nullopt : std::optional{mono_time{mono_time::duration{ticks}}};
  }

private:
  std::atomic<mono_time::rep> at_{0};
};

/// Those of STORE's threads. One instance a process, handed to each part.
struct store_pulses {
  static constexpr std::size_t accept_writers_max = 4;
  pulse poll, claim, lookup, outcome;
  std::array<pulse, accept_writers_max + 1> accept; ///< the last: the one of the ordered lane
};

/// What is known of one part at one time.
struct part_progress {
  std::string_view name;
  std::optional<mono_time> last{}; ///< nothing: it does not run
  milliseconds patience{0};
};

/// The part that is silent longest beyond its patience, in words; nothing: all make progress.
std::optional<std::string> stuck_part(std::span<const part_progress> parts, mono_time now);

/// The pulse of a thread that takes work from a queue. A failure is no progress; nor is the pause before the same work
/// is tried again, so a thread counts as idle only when nobody has tried for `retry_max`. Of one thread.
class work_pulse {
public:
  static constexpr milliseconds retry_max{5'000}; ///< whoever still wants something has asked again by then
  explicit work_pulse(pulse* at) noexcept : at_{at} {}

  void done(mono_time now) noexcept {
    failed_at_.reset();
    beat(now);
  }
  void failed(mono_time now) noexcept { failed_at_ = now; }
  void idle(mono_time now) noexcept {
    if (!failed_at_ || now - *failed_at_ > retry_max)
      beat(now);
  }
  void ended() noexcept {
    if (at_ != nullptr)
      at_->rest();
  }

private:
  void beat(mono_time now) noexcept {
    if (at_ != nullptr)
      at_->beat(now);
  }
  pulse* at_;
  std::optional<mono_time> failed_at_{};
};

/// Turns two growing counts into a pulse: what was handed on (`told`), and what was taken up (`taken`); a few may be
/// lost on the way. What is due is told again each second, so whoever is told nothing for `quiet` has nothing on its
/// way. One caller at a time.
///
/// Time passes for it at its looks alone, and whoever asks for readiness or the metrics is who looks: it has no timer.
/// It tells a stop from the second look after it on, counted from the first; who looks less often than `quiet` may see
/// a stop only as long as something is told between two looks.
class transit_watch {
public:
  static constexpr milliseconds quiet{5'000};
  /// The last progress, as seen at `now`.
  mono_time look(std::uint64_t told, std::uint64_t taken, mono_time now) noexcept;

private:
  std::uint64_t told_ = 0, taken_ = 0;
  std::optional<mono_time> told_at_{};
  std::optional<mono_time> since_{}; ///< when it was first seen that something is on its way and nothing arrives
};

} // namespace postrider
