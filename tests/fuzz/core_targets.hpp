#pragma once

#include <span>
#include <string_view>

namespace postrider::fuzz {

/// A parser under test: takes any bytes and aborts where one of its promises does not hold.
struct target {
  std::string_view name;
  void (*run)(std::string_view input);
  std::string_view alphabet;                 ///< characters that lead deep into the parser
  std::span<const std::string_view> samples; ///< good inputs to start from
};

/// The parsers of core: rfc3339, retry_after, base64, uuid, event_type.
std::span<const target> core_targets();

} // namespace postrider::fuzz
