#pragma once

#include "core/request_values.hpp"

#include <string_view>
#include <vector>

namespace postrider {

/// What a request says at one place. The one reader of places: of signatures, timestamps and tokens alike.
struct place_texts {
  std::vector<std::string_view> all{}; ///< in the order of the request; may be empty texts; live as long as `values`
  bool no_field = false;               ///< the body has no such field, or an empty one
};
/// `scope`: where JSON paths begin; needed of places in the body's JSON alone.
place_texts texts_at(const value_place& place, request_values& values, json_view::node scope);

/// Whether the place is looked up in the body's JSON.
bool is_in_json(const value_place& place) noexcept;

/// The elements of a list, empty ones left out; `\0`: the text is its only element.
std::vector<std::string_view> elements_of(std::string_view text, char separator);

} // namespace postrider
