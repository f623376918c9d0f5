#include "core/fair_share.hpp"

#include <algorithm>
#include <utility>

namespace postrider {

// ------------------------------------------------------------------------------------------------ lanes

std::uint64_t lane_share::start(delivery_lane lane) const noexcept {
  return std::max(now_, tags_[index_of(lane)]);
}

std::optional<delivery_lane> lane_share::next(const by_lane<bool>& wanting) const noexcept {
  std::optional<delivery_lane> best;
  for (const auto lane : all_lanes)
    if (wanting[index_of(lane)] && (!best || start(lane) < start(*best)))
      best = lane;
  return best;
}

void lane_share::serve(delivery_lane lane, std::uint64_t units) noexcept {
  if (units == 0)
    return;
  const auto stride = fair_stride(lane_weights[index_of(lane)]);
  const auto from = start(lane);
  tags_[index_of(lane)] = from + units * stride;
  now_ = std::max(now_, from + (units - 1) * stride); // where the last of them started
}

// ------------------------------------------------------------------------------------------------ any keys

void fair_share::add(key which, std::uint32_t weight) {
  auto& found = keys_[which];
  found.weight = weight == 0 ? 1 : weight;
  if (found.working)
    return;
  found.working = true;
  found.tag = std::max(found.tag, now_);
  turns_.emplace(found.tag, which);
}

void fair_share::remove(key which) {
  const auto found = keys_.find(which);
  if (found == keys_.end() || !found->second.working)
    return;
  turns_.erase({found->second.tag, which});
  found->second.working = false;
  if (found->second.tag <= now_)
    keys_.erase(found);
  else if (keys_.size() > turns_.size() + idle_max)
    forget_idle();
}

std::optional<fair_share::key> fair_share::next() const {
  return turns_.empty() ? std::nullopt : std::optional{turns_.begin()->second};
}

void fair_share::serve(key which, std::uint64_t units) {
  const auto found = keys_.find(which);
  if (found == keys_.end() || !found->second.working || units == 0)
    return;
  auto& mine = found->second;
  auto turn = turns_.extract({mine.tag, which});
  now_ = std::max(now_, mine.tag);
  mine.tag += units * fair_stride(mine.weight);
  turn.value().first = mine.tag;
  turns_.insert(std::move(turn));
}

void fair_share::forget_idle() {
  const auto behind =
    std::erase_if(keys_, [this](const auto& each) { return !each.second.working && each.second.tag <= now_; });
  if (behind < idle_max / 2)
    std::erase_if(keys_, [](const auto& each) { return !each.second.working; });
}

} // namespace postrider
