#include "net/json_reader.hpp"

#include "net/json_document.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <cmath>
#include <utility>

namespace postrider {

namespace json = boost::json;

namespace {

constexpr std::size_t depth_max = 64;

bool has_control_character(std::string_view text) noexcept {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      return true;
  for (auto at = text.find('\xc2'); at != std::string_view::npos; at = text.find('\xc2', at + 1)) // U+0080 to U+009F
    if (at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) < 0xa0)
      return true;
  return false;
}

} // namespace

result<json::object> parse_json_object(std::string_view body) {
  json::parse_options options;
  options.max_depth = depth_max;
  boost::system::error_code error;
  json::value value;
  try {
    value = json::parse({body.data(), body.size()}, error, {}, options);
  } catch (const std::exception&) { // out of memory, or a length that the library refuses
    return problem{400, "json-invalid", "the body cannot be read"};
  }
  if (error == json::error::too_deep)
    return problem{400, "json-too-deep", "the body is nested deeper than 64 levels"};
  if (error)
    return problem{400, "json-invalid", "the body is not valid JSON: " + error.message()};
  if (!value.is_object())
    return validation_failed({{"", "wrong-type", "an object is expected"}});
  return std::move(value.as_object());
}

void add_field_error(std::vector<field_error>& errors, std::string pointer, std::string_view code, std::string detail) {
  if (errors.size() < json_reader::errors_max)
    errors.push_back({std::move(pointer), std::string{code}, std::move(detail)});
}

std::optional<std::string> read_text(const json::value& value, const std::string& pointer, std::size_t length_max,
                                     std::vector<field_error>& errors, bool may_be_empty) {
  if (!value.is_string()) {
    add_field_error(errors, pointer, "wrong-type", "a text is expected");
    return std::nullopt;
  }
  const std::string_view text{value.as_string().data(), value.as_string().size()};
  if (text.empty() && !may_be_empty)
    add_field_error(errors, pointer, "too-short", "it must not be empty");
  else if (text.size() > length_max)
    add_field_error(errors, pointer, "too-long", "at most " + std::to_string(length_max) + " bytes are allowed");
  else if (has_control_character(text))
    add_field_error(errors, pointer, "control-character", "control characters are not allowed");
  else
    return std::string{text};
  return std::nullopt;
}

problem validation_failed(std::vector<field_error> errors) {
  return {
    422, "validation-failed", "the request is well-formed, but not all of its fields are valid", std::move(errors), {}};
}

std::string json_reader::pointer(std::string_view name) const {
  std::string out = pointer_ + "/";
  for (const char c : name.substr(0, 256)) // RFC 6901 section 3
    out += c == '~' ? "~0" : c == '/' ? "~1" : std::string{c};
  return out;
}

void json_reader::error(std::string_view name, std::string_view code, std::string detail) {
  add_field_error(errors_, pointer(name), code, std::move(detail));
}

void json_reader::not_supported(std::string_view name, std::string_view detail) {
  error(name, "not-supported-yet", std::string{detail});
}

const json::value* json_reader::take(std::string_view name) {
  taken_.emplace(name);
  const auto* const found = object_.if_contains({name.data(), name.size()});
  return found == nullptr || found->is_null() ? nullptr : found;
}

std::optional<std::string> json_reader::text(std::string_view name, std::size_t length_max, bool required,
                                             bool may_be_empty) {
  const auto* const value = take(name);
  if (value != nullptr)
    return read_text(*value, pointer(name), length_max, errors_, may_be_empty);
  if (required)
    error(name, "required", "this field is required");
  return std::nullopt;
}

std::optional<double> json_reader::number(std::string_view name, double least, double most) {
  const auto* const value = take(name);
  if (value == nullptr)
    return std::nullopt;
  if (!value->is_number()) {
    error(name, "wrong-type", "a number is expected");
    return std::nullopt;
  }
  boost::system::error_code ignored; // a number always converts to double
  const double out = value->to_number<double>(ignored);
  if (out >= least && out <= most)
    return out;
  error(name, "out-of-range",
        "it must be between " + json_document(json::value(least)) + " and " + json_document(json::value(most)));
  return std::nullopt;
}

std::optional<std::int64_t> json_reader::integer(std::string_view name, std::int64_t least, std::int64_t most) {
  const auto* const value = take(name);
  if (value == nullptr)
    return std::nullopt;
  boost::system::error_code error_code;
  if (!value->is_number() || (value->is_double() && std::floor(value->as_double()) != value->as_double())) {
    error(name, "wrong-type", "a whole number is expected");
    return std::nullopt;
  }
  const auto out = value->to_number<std::int64_t>(error_code);
  if (!error_code && out >= least && out <= most)
    return out;
  error(name, "out-of-range", "it must be between " + std::to_string(least) + " and " + std::to_string(most));
  return std::nullopt;
}

std::optional<bool> json_reader::boolean(std::string_view name) {
  const auto* const value = take(name);
  if (value == nullptr)
    return std::nullopt;
  if (value->is_bool())
    return value->as_bool();
  error(name, "wrong-type", "true or false is expected");
  return std::nullopt;
}

const json::array* json_reader::array(std::string_view name, std::size_t count_max) {
  const auto* const value = take(name);
  if (value == nullptr)
    return nullptr;
  if (!value->is_array()) {
    error(name, "wrong-type", "an array is expected");
    return nullptr;
  }
  if (value->as_array().size() <= count_max)
    return &value->as_array();
  error(name, "too-long", "at most " + std::to_string(count_max) + " items are allowed");
  return nullptr;
}

const json::object* json_reader::object(std::string_view name) {
  const auto* const value = take(name);
  if (value == nullptr)
    return nullptr;
  if (value->is_object())
    return &value->as_object();
  error(name, "wrong-type", "an object is expected");
  return nullptr;
}

void json_reader::finish() {
  for (const auto& member : object_) {
    const std::string_view name{member.key().data(), member.key().size()};
    if (!taken_.contains(name))
      error(name, "unknown-field", "this field is not known");
  }
}

} // namespace postrider
