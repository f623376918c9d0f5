#include "core/delivery_lane.hpp"

namespace postrider {

namespace {

constexpr std::array<std::string_view, 3> priority_words{"high", "medium", "low"};
constexpr by_lane<std::string_view> lane_words{"live_high", "live_medium", "live_low", "retry", "replay", "in_order"};

} // namespace

std::string_view to_string(delivery_priority priority) noexcept {
  return priority_words[static_cast<std::size_t>(priority)];
}

std::optional<delivery_priority> parse_delivery_priority(std::string_view word) noexcept {
  for (std::size_t i = 0; i < priority_words.size(); ++i)
    if (priority_words[i] == word)
      return static_cast<delivery_priority>(i);
  return std::nullopt;
}

std::string_view to_string(delivery_lane lane) noexcept {
  return lane_words[index_of(lane)];
}

} // namespace postrider
