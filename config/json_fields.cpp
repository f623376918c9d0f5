#include "config/json_fields.hpp"

namespace postrider {

namespace json = boost::json;

namespace {

std::string escaped(std::string_view key) {
  std::string out;
  for (const char c : key)
    out += c == '~' ? std::string{"~0"} : c == '/' ? std::string{"~1"} : std::string{c};
  return out;
}

} // namespace

std::string member_pointer(std::string_view object, std::string_view key) {
  return std::string{object} + "/" + escaped(key);
}

std::string json_fields::at(std::string_view key) const {
  return key.empty() ? pointer_ : member_pointer(pointer_, key);
}

const json::value* json_fields::find(std::string_view key) {
  known_.emplace_back(key);
  return object_.if_contains(key);
}

const json::object* json_fields::object(std::string_view key) {
  const auto* found = find(key);
  const auto* out = found ? found->if_object() : nullptr;
  if (found && (!out || out->size() > list_max)) {
    fail(key, "must be an object of at most 32 members");
    return nullptr;
  }
  return out;
}

const json::array* json_fields::array(std::string_view key) {
  const auto* found = find(key);
  const auto* out = found ? found->if_array() : nullptr;
  if (found && (!out || out->size() > list_max)) {
    fail(key, "must be an array of at most 32 elements");
    return nullptr;
  }
  return out;
}

std::string json_fields::text(std::string_view key) {
  const auto* found = find(key);
  if (!found)
    return {};
  if (!found->is_string() || found->get_string().size() > text_max) {
    fail(key, "must be a text of at most 1024 bytes");
    return {};
  }
  return std::string{found->get_string()};
}

std::optional<std::chrono::seconds> json_fields::seconds(std::string_view key) {
  const auto* found = find(key);
  if (!found)
    return {};
  const auto* number = found->if_int64();
  if (!number || *number < 0 || *number > seconds_max) {
    fail(key, "must be a number of seconds");
    return {};
  }
  return std::chrono::seconds{*number};
}

bool json_fields::flag(std::string_view key) {
  const auto* found = find(key);
  if (found && !found->is_bool())
    fail(key, "must be true or false");
  return found && found->is_bool() && found->get_bool();
}

std::vector<std::string> json_fields::texts(std::string_view key) {
  std::vector<std::string> out;
  const auto* all = array(key);
  for (const auto& each : all ? *all : json::array{}) {
    const auto* text = each.if_string();
    if (text && text->size() <= text_max)
      out.emplace_back(*text);
    else
      fail(key, "must be texts of at most 1024 bytes");
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> json_fields::text_pairs(std::string_view key) {
  std::vector<std::pair<std::string, std::string>> out;
  const auto* all = object(key);
  for (const auto& each : all ? *all : json::object{}) {
    if (const auto* text = each.value().if_string())
      out.emplace_back(each.key(), *text);
    else
      fail(key, "values are texts");
  }
  return out;
}

void json_fields::refuse_unknown() const {
  for (const auto& each : object_)
    if (std::find(known_.begin(), known_.end(), each.key()) == known_.end())
      fail(each.key(), "unknown key");
}

} // namespace postrider
