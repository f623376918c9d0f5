#include "actors/operations_store.hpp"

#include <algorithm>

namespace postrider {

namespace {

constexpr std::array<std::string_view, job_kind_count> kind_words{"retry", "cancel", "replay", "replay_missing"};

} // namespace

std::string_view to_string(job_kind kind) noexcept {
  const auto index = static_cast<std::size_t>(kind);
  return index < kind_words.size() ? kind_words[index] : std::string_view{};
}

std::optional<job_kind> parse_job_kind(std::string_view word) noexcept {
  const auto* const found = std::find(kind_words.begin(), kind_words.end(), word);
  if (found == kind_words.end())
    return std::nullopt;
  return static_cast<job_kind>(found - kind_words.begin());
}

} // namespace postrider
