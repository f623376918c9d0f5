#pragma once

#include "core/dispatch_lanes.hpp"

#include <algorithm>
#include <tuple>
#include <vector>

namespace postrider::test {

/// What a claim takes, by the rule of persistence/claim_sql.hpp: of each lane at most its `most`, from the front; the
/// lanes by their tags; `limit` in all. `lanes` are in order of due time.
template <class T>
std::vector<T> choose_by_turns(const by_lane<std::vector<T>>& lanes, const by_lane<lane_turn>& turns,
                               std::size_t limit) {
  std::vector<std::tuple<std::uint64_t, std::size_t, T>> tagged;
  for (std::size_t lane = 0; lane < lane_count; ++lane)
    for (std::size_t i = 0; i < std::min<std::size_t>(lanes[lane].size(), turns[lane].most); ++i)
      tagged.emplace_back(turns[lane].start + i * fair_stride(lane_weights[lane]), lane, lanes[lane][i]);
  std::stable_sort(tagged.begin(), tagged.end(), [](const auto& left, const auto& right) {
    return std::tie(std::get<0>(left), std::get<1>(left)) < std::tie(std::get<0>(right), std::get<1>(right));
  });
  std::vector<T> out;
  for (std::size_t i = 0; i < std::min(limit, tagged.size()); ++i)
    out.push_back(std::get<2>(tagged[i]));
  return out;
}

} // namespace postrider::test
