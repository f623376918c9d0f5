#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postrider {

/// Names and values of `application/x-www-form-urlencoded` (https://url.spec.whatwg.org/#urlencoded-parsing), decoded,
/// in the order of the text; a query string is of the same form. `%` that begins no escape stands for itself, as
/// everywhere on the web.
struct form_fields {
  static constexpr std::size_t count_max = 1'000; ///< a body of `&a&a…` would otherwise be half a million of them
  std::vector<std::pair<std::string, std::string>> all{};
  bool cut_short = false; ///< there are more: only the first `count_max` are here
};

form_fields parse_form(std::string_view text);
/// The first of that name.
std::optional<std::string_view> find_field(const form_fields& fields, std::string_view name) noexcept;

} // namespace postrider
