#pragma once

#include "core/time.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace postrider {

/// How many late deliveries (a backlog, replays) a node claims a second, so that what comes in does not feel it: a
/// scavenger, as LEDBAT is (RFC 6817), with rows for packets. Pure and deterministic.
///
/// What comes in tells how busy the database and the machine are: by how long its events take from the queue to their
/// commit. The least of the last ten minutes is their own time (`base`); late work may add 15 % and 0.2 ms (`target`).
///
/// | each 50 ms                                | rate, rows a second |
/// | ----------------------------------------- | ------------------- |
/// | nothing has come in for a second          | not limited: there is nobody to feel it |
/// | delay below the target, and rate was used | grows by up to a quarter, less the nearer the target |
/// | delay above the target                    | shrinks by up to a quarter |
/// | nothing late was claimed for a second     | begins at its floor again |
/// | a minute has begun                        | nothing late for half a second: `base` is looked at, or it would
/// follow what late work itself adds |
///
/// Its floor is as much as comes in, and 250 rows: late work never starves, and while a node can do no more than what
/// comes in, what is late does not fall behind further for its sake.
class backlog_pace {
public:
  using microseconds = std::chrono::microseconds;
  static constexpr milliseconds slice{50};
  static constexpr milliseconds quiet_after{1'000};
  static constexpr milliseconds look_lasts{500};
  static constexpr std::chrono::seconds look_every{60};
  static constexpr std::size_t minutes_kept = 10;
  static constexpr double floor_per_second = 250;
  static constexpr double tolerance = 1.15;
  static constexpr microseconds slack{200}; ///< of the target: what is below is noise
  static constexpr double gain = 0.25;
  /// Of a replay: it is a job's batch, a claim and an outcome, and nobody waits for it.
  static constexpr std::uint32_t replay_cost = 4;
  static constexpr milliseconds page_of{
    12}; ///< a claim's rows: what the rate brings in that time (saved up: twice that),
  static constexpr std::uint32_t page_min = 16;  ///< at least so many, or claims cost more than rows
  static constexpr std::uint32_t page_max = 256; ///< at most so many

  /// So many events were committed together, the first of which had waited so long.
  void committed(microseconds delay, std::size_t events, mono_time now);
  /// How many rows, of at most `most` (> 0), a late claim may take now. 0: none before `ready_at`. `cost`: each takes
  /// as much of the rate as so many.
  std::uint32_t take(std::uint32_t most, mono_time now, std::uint32_t cost = 1);
  /// They were taken, and there were not so many.
  void give_back(std::uint32_t rows, mono_time now, std::uint32_t cost = 1);
  /// When a claim may take something; a time that has passed: now.
  [[nodiscard]] mono_time ready_at(mono_time now) const;

  /// Nothing: not limited now.
  [[nodiscard]] std::optional<double> rate(mono_time now) const;
  [[nodiscard]] microseconds delay() const noexcept { return as_time(delay_); }
  [[nodiscard]] microseconds base() const noexcept;
  [[nodiscard]] microseconds target() const noexcept;

private:
  static microseconds as_time(double us) noexcept { return microseconds{static_cast<microseconds::rep>(us)}; }
  [[nodiscard]] bool limited(mono_time now) const noexcept;
  [[nodiscard]] double page() const noexcept;
  [[nodiscard]] double tokens(mono_time now) const noexcept;
  void advance(mono_time now);
  void learn(mono_time now, double seconds);
  void begin_minute(mono_time now);

  double rate_ = floor_per_second;
  double tokens_ = 0;
  mono_time tokens_at_{};
  double delay_ = 0;    // of late, in us; 0: not known
  double incoming_ = 0; // events a second
  std::optional<mono_time> heard_at_{};
  std::optional<mono_time> worked_at_{}; // something late was claimed
  mono_time look_until_{};
  mono_time minute_start_{};
  std::array<double, minutes_kept> least_{}; // of each minute, the latest first; 0: nothing came in
  // of the slice
  mono_time slice_start_{};
  double delays_ = 0;
  std::size_t batches_ = 0;
  std::size_t events_ = 0;
  std::int64_t rows_ = 0;
};

} // namespace postrider
