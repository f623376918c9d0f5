#pragma once

#include "core/delivery_lane.hpp"
#include "core/fair_share.hpp"
#include "core/ids.hpp"
#include "core/time.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

/// The lanes of one endpoint as core/endpoint_dispatch.hpp uses them: pure.
namespace postrider {

/// Since when each lane has something scheduled in the database, as far as is known.
class lanes_due {
public:
  /// Somewhere in the lane; nothing: in some lane.
  void note(wall_time at, std::optional<delivery_lane> lane = {});
  void merge(const lanes_due& other);
  [[nodiscard]] std::optional<wall_time> in(delivery_lane lane) const noexcept { return lanes_[index_of(lane)]; }
  [[nodiscard]] std::optional<wall_time> somewhere() const noexcept { return somewhere_; }
  [[nodiscard]] std::optional<wall_time> earliest() const noexcept;
  /// The earliest that a claim could bring which takes from these lanes only.
  [[nodiscard]] std::optional<wall_time> earliest_in(const by_lane<std::uint32_t>& most) const noexcept;
  /// First attempts, or what may be such, are due.
  [[nodiscard]] bool live_by(wall_time now) const noexcept;
  /// Retries or replays are due.
  [[nodiscard]] bool background_by(wall_time now) const noexcept;

private:
  by_lane<std::optional<wall_time>> lanes_{};
  std::optional<wall_time> somewhere_{};
};

/// Of what a claim takes from a lane.
struct lane_turn {
  std::uint64_t start = 0;  ///< the tag of its next turn (core/fair_share.hpp)
  std::uint32_t most = 256; ///< rows, at most
};

/// What of an endpoint is in memory, by lane; what is ready, each lane in its order; whose turn it is.
///
/// First attempts, and the others (retries and replays together), have capacity of their own. Of each whole (the
/// window, the room in memory):
///
/// | lane              | has at most                                                                      |
/// | ----------------- | -------------------------------------------------------------------------------- |
/// | live_…            | all of it; while a retry or replay is ready or due, all but a quarter (rounded down) |
/// | retry with replay | all but a quarter (rounded down), always: first attempts come unannounced         |
/// | replay            | all but half (rounded down), always                                              |
///
/// Within that the turn goes by weight. A window of one is shared by turns alone. While a breaker is not closed none
/// of it holds: there is one window, of probes.
class dispatch_lanes {
public:
  // ---- what is ready
  void push(delivery_lane lane, const delivery_id& delivery) { ready_[index_of(lane)].push_back(delivery); }
  void erase(delivery_lane lane, const delivery_id& delivery) { std::erase(ready_[index_of(lane)], delivery); }
  [[nodiscard]] const delivery_id& front(delivery_lane lane) const { return ready_[index_of(lane)].front(); }
  /// It goes, without having had its turn.
  void drop_front(delivery_lane lane) { ready_[index_of(lane)].pop_front(); }
  /// It is sent: that was its lane's turn.
  void start_front(delivery_lane lane);
  /// Empties all lanes; `each` sees what was ready, lane by lane.
  template <class F>
  void take_all(F&& each) {
    for (auto& lane : ready_)
      for (const auto& delivery : std::exchange(lane, {}))
        each(delivery);
  }
  [[nodiscard]] std::size_t ready() const noexcept;
  [[nodiscard]] std::size_t ready(delivery_lane lane) const noexcept { return ready_[index_of(lane)].size(); }

  // ---- what is in memory at all, and what is being sent
  void hold(delivery_lane lane) noexcept { ++held_[index_of(lane)]; }
  void forget(delivery_lane lane) noexcept { --held_[index_of(lane)]; }
  void finish(delivery_lane lane) noexcept { --sending_[index_of(lane)]; }
  [[nodiscard]] std::uint32_t held_live() const noexcept { return of(held_).live; }

  // ---- decisions. `background_due`: retries or replays wait in the database
  /// The lane whose turn it is to send; nothing: none that has something ready has a place in the window.
  [[nodiscard]] std::optional<delivery_lane> next(std::uint32_t window, bool background_due) const noexcept;
  /// The same without the lanes' own capacity.
  [[nodiscard]] std::optional<delivery_lane> next_of_all() const noexcept;
  /// Nothing more of that lane could be sent beside what is.
  [[nodiscard]] bool uses_up(delivery_lane lane, std::uint32_t window, bool background_due) const noexcept;
  /// How many rows of each lane a claim may bring, `limit` at most.
  [[nodiscard]] by_lane<std::uint32_t> room(std::uint32_t limit, std::uint32_t window, std::uint32_t room,
                                            bool background_due) const noexcept;
  /// The turns that a claim of so much goes by.
  [[nodiscard]] by_lane<lane_turn> turns(const by_lane<std::uint32_t>& most) const noexcept;
  /// A claim brought so many of that lane.
  void claimed(delivery_lane lane, std::uint32_t count = 1) noexcept { claims_.serve(lane, count); }

private:
  struct sums {
    std::uint32_t live = 0, background = 0, replay = 0;
  };
  static sums of(const by_lane<std::uint32_t>& counts) noexcept;
  /// How many places of the whole are left for that lane: of its own capacity, and beside what others have.
  static std::uint32_t own_left(delivery_lane lane, const by_lane<std::uint32_t>& used, std::uint32_t whole,
                                bool background_wants) noexcept;
  static std::uint32_t left(delivery_lane lane, const by_lane<std::uint32_t>& used, std::uint32_t whole,
                            bool background_wants) noexcept;
  [[nodiscard]] bool background_wants(bool background_due) const noexcept;

  by_lane<std::deque<delivery_id>> ready_;
  by_lane<std::uint32_t> held_{};
  by_lane<std::uint32_t> sending_{};
  lane_share sends_;
  lane_share claims_;
};

} // namespace postrider
