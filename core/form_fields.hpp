#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postrider {

/// Names and values of `application/x-www-form-urlencoded` (https://url.spec.whatwg.org/#urlencoded-parsing), decoded,
/// in the order of the text; a query string is of the same form. `%` that begins no escape stands for itself, as
/// everywhere on the web.
using form_fields = std::vector<std::pair<std::string, std::string>>;

form_fields parse_form(std::string_view text);
/// The first of that name.
std::optional<std::string_view> find_field(const form_fields& fields, std::string_view name) noexcept;

} // namespace postrider
