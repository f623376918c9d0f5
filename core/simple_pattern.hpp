#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace postrider {

/// The small part of regular expressions that presets use, matched in linear time: a tenant may write patterns, and
/// must not be able to write a slow one. The whole text must match: `^`, then literal characters, `\d`, `\` before a
/// sign, `[A-Za-z0-9]` classes, each with
/// `+`, `{m}` or `{m,n}` or nothing after it, then `$`. A repeated class takes all it can: what follows it must not
/// begin with one of its characters, and such a pattern is refused.
class simple_pattern {
public:
  static constexpr std::size_t text_max = 256;    ///< bytes of a pattern
  static constexpr std::size_t count_max = 4'096; ///< of a repetition

  /// Matches nothing.
  simple_pattern() = default;
  /// Nothing: not such a pattern.
  static std::optional<simple_pattern> parse(std::string_view text);

  [[nodiscard]] bool matches(std::string_view text) const noexcept;
  [[nodiscard]] bool empty() const noexcept { return steps_.empty(); }

private:
  struct step {
    std::bitset<256> characters;
    std::size_t least = 1;
    std::size_t most = 1;
  };
  std::vector<step> steps_;
};

} // namespace postrider
