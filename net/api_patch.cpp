#include "net/api_patch.hpp"

#include <algorithm>

namespace postrider {

namespace json = boost::json;

namespace {

constexpr std::int64_t overlap_max_s = 30LL * 24 * 3'600;

bool contains(const std::vector<std::string_view>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

} // namespace

void drop_read_only(json::object& patch, const json::object& shown, const patch_rules& rules,
                    const std::string& pointer, std::vector<field_error>& errors) {
  json_reader place{patch, pointer, errors};
  json::object kept;
  for (auto& member : patch) {
    const std::string_view name = member.key();
    const auto* const now = shown.if_contains(member.key());
    if (contains(rules.settable, name))
      kept[member.key()] = std::move(member.value());
    else if (!rules.rotated.empty() && name == rules.rotated)
      place.error(name, "read-only", "secrets change by rotate-secret");
    else if (now == nullptr)
      place.error(name, "unknown-field", "this field is not known");
    else if (*now != member.value())
      place.error(name, "read-only", "this field cannot be changed; it may only be sent as it is");
  }
  patch = std::move(kept);
}

json::object settable_of(const json::object& shown, const patch_rules& rules) {
  json::object out;
  for (const auto name : rules.settable)
    if (const auto* const value = shown.if_contains({name.data(), name.size()}))
      out[{name.data(), name.size()}] = *value;
  return out;
}

std::chrono::seconds read_overlap(json_reader& reader) {
  if (reader.take("overlap_s") == nullptr)
    reader.error("overlap_s", "required", "this field is required");
  return std::chrono::seconds{reader.integer("overlap_s", 0, overlap_max_s).value_or(0)};
}

} // namespace postrider
