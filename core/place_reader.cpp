#include "core/place_reader.hpp"

#include <optional>

namespace postrider {

place_texts texts_at(const value_place& place, request_values& values, json_view::node scope) {
  using where = value_place::where;
  place_texts out;
  const auto add = [&out](std::optional<std::string_view> text) {
    if (text)
      out.all.push_back(*text);
  };
  switch (place.kind) {
  case where::nowhere:
    break;
  case where::header:
    add(values.header(place.name).value);
    break;
  case where::header_pattern:
    for_each_header(values.request().headers, [&](std::string_view name, std::string_view value) {
      if (place.pattern.matches(lower_case(name)))
        out.all.push_back(value);
    });
    break;
  case where::query:
    add(values.query(values.resolved(place.name)));
    break;
  case where::form:
    add(values.form(place.name));
    out.no_field = out.all.empty() || out.all.front().empty();
    break;
  case where::json:
    add(values.json_text(scope, place.path));
    out.no_field = out.all.empty() || out.all.front().empty();
    break;
  case where::each_json: {
    const auto found = values.json().find_each(scope, place.path);
    out.no_field = !found;
    if (found)
      for (const auto each : *found)
        out.all.push_back(values.json_text(each, {}).value_or(std::string_view{}));
    break;
  }
  }
  return out;
}

bool is_in_json(const value_place& place) noexcept {
  return place.kind == value_place::where::json || place.kind == value_place::where::each_json;
}

std::vector<std::string_view> elements_of(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  for (;;) {
    const auto cut = separator == '\0' ? std::string_view::npos : text.find(separator);
    if (const auto element = text.substr(0, cut); !element.empty())
      out.push_back(element);
    if (cut == std::string_view::npos)
      return out;
    text.remove_prefix(cut + 1);
  }
}

} // namespace postrider
