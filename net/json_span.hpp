#pragma once

#include <optional>
#include <string_view>
#include <vector>

/// Values as they stand in a JSON text, byte for byte. The text must be valid: a parser has accepted it before.
namespace postrider {

/// The value of the object's member of that name, without the space around it; of several the last, as parsers read it.
/// Nothing: there is none.
std::optional<std::string_view> json_member(std::string_view object, std::string_view name);
/// The elements of an array.
std::vector<std::string_view> json_elements(std::string_view array);

} // namespace postrider
