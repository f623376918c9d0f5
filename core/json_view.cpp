#include "core/json_view.hpp"

#include <boost/json.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <span>

namespace postrider {

namespace json = boost::json;

namespace {

json::value parsed(std::string_view text, json::memory_resource& memory, json::error_code& error) {
  json::parse_options options;
  options.max_depth = json_view::depth_max;
  return json::parse(text, error, &memory, options);
}

} // namespace

struct json_view::content {
  explicit content(std::string_view text) : root(parsed(text, memory, error)) {} // braces would make an array of it

  json::monotonic_resource memory;
  json::error_code error;
  json::value root; // in `memory`
};

namespace {

const json::value& value_of(const void* raw) noexcept {
  return *static_cast<const json::value*>(raw);
}

// A double that stands for one whole number alone: from 2^53 on several whole numbers are read as the same one.
std::optional<std::int64_t> whole_number(double value) noexcept {
  constexpr double end = 9'007'199'254'740'992.0;
  if (!(value > -end && value < end) || std::trunc(value) != value)
    return {};
  return static_cast<std::int64_t>(value);
}

const json::value* step_into(const json::value& from, std::string_view name) {
  if (const auto* object = from.if_object())
    return object->if_contains(name);
  const auto* array = from.if_array();
  std::size_t index = 0;
  if (!array || std::from_chars(name.data(), name.data() + name.size(), index).ptr != name.data() + name.size())
    return nullptr;
  return array->if_contains(index);
}

bool collect(const json::value& from, std::span<const std::string> path, std::vector<const json::value*>& out) {
  if (path.empty()) {
    out.push_back(&from);
    return true;
  }
  if (path.front() != "*") {
    const auto* next = step_into(from, path.front());
    return next && collect(*next, path.subspan(1), out);
  }
  const auto* array = from.if_array();
  if (!array || array->empty())
    return false;
  for (const auto& each : *array)
    if (!collect(each, path.subspan(1), out))
      return false;
  return true;
}

} // namespace

json_view::json_view(std::string_view text) : content_{std::make_unique<content>(text)} {}
json_view::json_view(json_view&&) noexcept = default;
json_view& json_view::operator=(json_view&&) noexcept = default;
json_view::~json_view() = default;

json_view::node json_view::root() const noexcept {
  return content_->error ? node{} : node{&content_->root};
}

json_view::node json_view::find(node from, const std::vector<std::string>& path) const {
  if (!from)
    return {};
  const auto* at = &value_of(from.value_);
  for (const auto& name : path) {
    at = step_into(*at, name);
    if (!at)
      return {};
  }
  return node{at};
}

std::optional<std::vector<json_view::node>> json_view::find_each(node from,
                                                                 const std::vector<std::string>& path) const {
  std::vector<const json::value*> found;
  if (!from || !collect(value_of(from.value_), path, found))
    return {};
  std::vector<node> out;
  out.reserve(found.size());
  for (const auto* each : found)
    out.push_back(node{each});
  return out;
}

std::optional<std::string> json_view::text_of(node value) {
  if (!value)
    return {};
  const auto& what = value_of(value.value_);
  std::array<char, 32> digits; // NOLINT: filled by to_chars
  const auto written = [&](auto number) {
    return std::string{digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr};
  };
  switch (what.kind()) {
  case json::kind::string:
    return std::string{what.get_string()};
  case json::kind::int64:
    return written(what.get_int64());
  case json::kind::uint64:
    return written(what.get_uint64());
  case json::kind::double_:
    if (const auto whole = whole_number(what.get_double()))
      return written(*whole);
    return written(what.get_double());
  case json::kind::bool_:
    return what.get_bool() ? "true" : "false";
  default:
    return {};
  }
}

std::optional<std::string_view> json_view::string_of(node value) {
  const auto* text = value ? value_of(value.value_).if_string() : nullptr;
  return text ? std::optional<std::string_view>{*text} : std::nullopt;
}

bool json_view::is_exact(node value) noexcept {
  if (!value)
    return false;
  const auto& what = value_of(value.value_);
  return what.is_string() || what.is_int64() || what.is_uint64() ||
         (what.is_double() && whole_number(what.get_double()));
}

bool json_view::is_number(node value) noexcept {
  return value && value_of(value.value_).is_number();
}
bool json_view::is_null(node value) noexcept {
  return value && value_of(value.value_).is_null();
}

bool json_view::is_text_or_number(node value) noexcept {
  return value && (value_of(value.value_).is_string() || value_of(value.value_).is_number());
}

std::vector<std::string> json_view::names_of(node object) {
  std::vector<std::string> out;
  if (object)
    if (const auto* members = value_of(object.value_).if_object())
      for (const auto& each : *members)
        out.emplace_back(each.key());
  return out;
}

std::string to_json_string(std::string_view text) {
  return json::serialize(json::string_view{text});
}

} // namespace postrider
