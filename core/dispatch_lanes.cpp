#include "core/dispatch_lanes.hpp"

#include <algorithm>

namespace postrider {

namespace {

void keep_earlier(std::optional<wall_time>& mine, const std::optional<wall_time>& other) {
  if (other)
    mine = mine ? std::min(*mine, *other) : *other;
}

constexpr std::uint32_t places(std::uint32_t of, std::uint32_t taken) noexcept {
  return of > taken ? of - taken : 0;
}

} // namespace

// ------------------------------------------------------------------------------------------------ what is due

void lanes_due::note(wall_time at, std::optional<delivery_lane> lane) {
  keep_earlier(lane ? lanes_[index_of(*lane)] : somewhere_, at);
}

void lanes_due::merge(const lanes_due& other) {
  for (std::size_t i = 0; i < lane_count; ++i)
    keep_earlier(lanes_[i], other.lanes_[i]);
  keep_earlier(somewhere_, other.somewhere_);
}

std::optional<wall_time> lanes_due::earliest() const noexcept {
  by_lane<std::uint32_t> all{};
  all.fill(1);
  return earliest_in(all);
}

std::optional<wall_time> lanes_due::earliest_in(const by_lane<std::uint32_t>& most) const noexcept {
  auto at = somewhere_;
  for (std::size_t i = 0; i < lane_count; ++i)
    if (most[i] > 0)
      keep_earlier(at, lanes_[i]);
  return at;
}

bool lanes_due::live_by(wall_time now) const noexcept {
  const auto at = earliest_in({1, 1, 1, 0, 0, 1});
  return at && *at <= now;
}

bool lanes_due::background_by(wall_time now) const noexcept {
  const auto by_now = [&](delivery_lane lane) { return in(lane) && *in(lane) <= now; };
  return by_now(delivery_lane::retry) || by_now(delivery_lane::replay);
}

// ------------------------------------------------------------------------------------------------ what is in memory

void dispatch_lanes::start_front(delivery_lane lane) {
  drop_front(lane);
  ++sending_[index_of(lane)];
  sends_.serve(lane);
}

std::size_t dispatch_lanes::ready() const noexcept {
  std::size_t sum = 0;
  for (const auto& each : ready_)
    sum += each.size();
  return sum;
}

std::optional<delivery_lane> dispatch_lanes::next(std::uint32_t window, bool background_due) const noexcept {
  const bool wants = background_wants(background_due);
  by_lane<bool> wanting{};
  for (const auto lane : all_lanes)
    wanting[index_of(lane)] = ready(lane) > 0 && left(lane, sending_, window, wants) > 0;
  return sends_.next(wanting);
}

std::optional<delivery_lane> dispatch_lanes::next_of_all() const noexcept {
  by_lane<bool> wanting{};
  for (const auto lane : all_lanes)
    wanting[index_of(lane)] = ready(lane) > 0;
  return sends_.next(wanting);
}

bool dispatch_lanes::uses_up(delivery_lane lane, std::uint32_t window, bool background_due) const noexcept {
  return left(lane, sending_, window, background_wants(background_due)) == 0;
}

by_lane<std::uint32_t> dispatch_lanes::room(std::uint32_t limit, std::uint32_t window, std::uint32_t room,
                                            bool background_due) const noexcept {
  const bool wants = background_wants(background_due);
  by_lane<std::uint32_t> waiting{}, out{};
  for (const auto lane : all_lanes)
    waiting[index_of(lane)] = static_cast<std::uint32_t>(ready(lane));
  for (const auto lane : all_lanes)
    if (own_left(lane, waiting, window, false) > 0) // what would only wait for the window waits in the database
      out[index_of(lane)] = std::min(limit, left(lane, held_, room, wants));
  return out;
}

by_lane<lane_turn> dispatch_lanes::turns(const by_lane<std::uint32_t>& most) const noexcept {
  by_lane<lane_turn> out{};
  for (const auto lane : all_lanes)
    out[index_of(lane)] = {claims_.start(lane), most[index_of(lane)]};
  return out;
}

dispatch_lanes::sums dispatch_lanes::of(const by_lane<std::uint32_t>& counts) noexcept {
  const auto replay = counts[index_of(delivery_lane::replay)];
  return {counts[0] + counts[1] + counts[2] + counts[index_of(delivery_lane::in_order)],
          counts[index_of(delivery_lane::retry)] + replay, replay};
}

std::uint32_t dispatch_lanes::own_left(delivery_lane lane, const by_lane<std::uint32_t>& used, std::uint32_t whole,
                                       bool background_wants) noexcept {
  const auto sum = of(used);
  if (is_live(lane))
    return places(whole - (background_wants ? whole / 4 : 0), sum.live);
  const auto background = places(whole - whole / 4, sum.background);
  return lane == delivery_lane::retry ? background : std::min(background, places(whole - whole / 2, sum.replay));
}

std::uint32_t dispatch_lanes::left(delivery_lane lane, const by_lane<std::uint32_t>& used, std::uint32_t whole,
                                   bool background_wants) noexcept {
  const auto sum = of(used);
  return std::min(places(whole, sum.live + sum.background), own_left(lane, used, whole, background_wants));
}

bool dispatch_lanes::background_wants(bool background_due) const noexcept {
  return background_due || ready(delivery_lane::retry) > 0 || ready(delivery_lane::replay) > 0;
}

} // namespace postrider
