#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The text forms of targets and cursors.
namespace postrider {

/// RFC 3986 section 2.1; nothing where a `%` is not followed by two hex digits. `plus_is_space`: in a query of a form.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

/// `a=1&b=2`, decoded, in order; nothing where a part cannot be decoded. Empty parts are skipped.
using query_parameters = std::vector<std::pair<std::string, std::string>>;
std::optional<query_parameters> parse_query(std::string_view query);

/// RFC 4648 section 5, without padding. The way back: core/signature.hpp.
std::string encode_base64url(std::string_view bytes);

} // namespace postrider
