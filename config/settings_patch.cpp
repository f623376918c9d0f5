#include "config/settings_patch.hpp"

#include <boost/json.hpp>

#include <string>

namespace postrider {

namespace json = boost::json;

namespace {

json::object parsed(const std::string& text) {
  json::error_code error;
  auto value = json::parse(text, error);
  return !error && value.is_object() ? std::move(value.get_object()) : json::object{};
}

/// Whether it says `"set":true`; the word is taken out.
bool takes_what_is_set(json::value& value) {
  auto* const object = value.if_object();
  const auto* const set = object ? object->if_contains("set") : nullptr;
  if (!set || !set->is_bool() || !set->get_bool())
    return false;
  object->stable_erase(object->find("set"));
  return true;
}

} // namespace

void merge_patch(json::value& target, const json::value& patch) {
  if (!patch.is_object()) {
    target = patch;
    return;
  }
  if (!target.is_object())
    target.emplace_object();
  auto& into = target.get_object();
  for (const auto& member : patch.get_object()) {
    if (!member.value().is_null())
      merge_patch(into[member.key()], member.value());
    else if (const auto found = into.find(member.key()); found != into.end())
      into.stable_erase(found);
  }
}

json::object clear_settings(const source_settings& settings) {
  auto out = parsed(settings.plain);
  for (auto& member : parsed(settings.secret))
    out[member.key()] = std::move(member.value());
  return out;
}

json::object merged_settings(const source_settings& stored, json::object patch, std::vector<scheme_error>& errors) {
  json::value out(clear_settings(stored)); // braces would make an array of one
  json::object understood;
  for (auto& member : patch) {
    const bool kept = is_secret_setting(member.key()) && takes_what_is_set(member.value());
    if (kept && !out.get_object().contains(member.key()))
      errors.push_back({"/" + std::string{member.key()}, "nothing is set that could be kept"});
    else if (!kept || !member.value().get_object().empty())
      understood[member.key()] = std::move(member.value());
  }
  merge_patch(out, understood);
  return std::move(out.get_object());
}

} // namespace postrider
