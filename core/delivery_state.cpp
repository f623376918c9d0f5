#include "core/delivery_state.hpp"

#include <algorithm>
#include <array>

namespace postrider {
namespace {

using enum delivery_state;
using cell = std::optional<delivery_state>;
constexpr cell no{}; // refused

// Total: [from][input], in the order of the enumerations.
// clang-format off
constexpr std::array<std::array<cell, delivery_input_count>, delivery_state_count> transitions{{
  //                claim      succeed    fail        give_up  interrupt   release  cancel     revive
  /* pending    */ {in_flight, no,        no,         dead,    no,         no,      cancelled, no},
  /* in_flight  */ {no,        succeeded, retry_wait, dead,    retry_wait, pending, cancelled, no},
  /* retry_wait */ {in_flight, no,        no,         dead,    no,         no,      cancelled, no},
  /* succeeded  */ {no,        no,        no,         no,      no,         no,      no,        pending},
  /* dead       */ {no,        no,        no,         no,      no,         no,      no,        pending},
  /* cancelled  */ {no,        no,        no,         no,      no,         no,      no,        pending},
}};
// clang-format on

constexpr std::array<std::string_view, delivery_state_count> state_words{"pending",   "in_flight", "retry_wait",
                                                                         "succeeded", "dead",      "cancelled"};
constexpr std::array<std::string_view, delivery_reason_count> reason_words{"",
                                                                           "exhausted",
                                                                           "endpoint_gone",
                                                                           "aborted_by_receiver",
                                                                           "endpoint_deleted",
                                                                           "expired",
                                                                           "quarantined",
                                                                           "cancelled_by_user",
                                                                           "erased",
                                                                           "tenant_deleted"};

} // namespace

std::optional<delivery_state> next_state(delivery_state from, delivery_input input) noexcept {
  const auto row = static_cast<std::size_t>(from);
  const auto column = static_cast<std::size_t>(input);
  return row < delivery_state_count && column < delivery_input_count ? transitions[row][column] : no;
}

std::string_view to_string(delivery_state state) noexcept {
  const auto index = static_cast<std::size_t>(state);
  return index < state_words.size() ? state_words[index] : std::string_view{};
}

std::optional<delivery_state> parse_delivery_state(std::string_view word) noexcept {
  const auto found = std::find(state_words.begin(), state_words.end(), word);
  if (found == state_words.end())
    return std::nullopt;
  return static_cast<delivery_state>(found - state_words.begin());
}

std::string_view to_string(delivery_reason reason) noexcept {
  const auto index = static_cast<std::size_t>(reason);
  return index < reason_words.size() ? reason_words[index] : std::string_view{};
}

} // namespace postrider
