#include "config/example_file.hpp"

#include "config/setting_keys.hpp"

namespace postrider {

namespace {

std::string quoted(const std::string& text) {
  return '"' + text + '"'; // the defaults hold nothing to escape
}

std::string value_text(const std::string& value) {
  return quoted(value);
}
std::string value_text(std::int64_t value) {
  return std::to_string(value);
}
std::string value_text(bool value) {
  return value ? "true" : "false";
}
std::string value_text(const secret_ref& value) {
  return quoted(to_string(value));
}
template <class T>
std::string value_text(const std::vector<T>& items) {
  std::string out = "[";
  for (const auto& item : items)
    out += (out.size() > 1 ? ", " : "") + value_text(item);
  return out + "]";
}

/// What may stand there, in brackets behind the help.
std::string range_text(const setting_key& key) {
  std::string out;
  if (key.kind == setting_kind::integer)
    out = std::to_string(key.min) + " to " + std::to_string(key.max);
  for (const auto choice : key.choices)
    out += (out.empty() ? "" : ", ") + std::string{choice};
  if (key.not_yet)
    out += (out.empty() ? "" : "; ") + std::string{"not supported yet"};
  return out.empty() ? out : " (" + out + ")";
}

constexpr std::string_view head = R"(# Postrider: every key with its default. All of them may be left out.
#
# Each can be overridden by the environment, POSTRIDER_SECTION__KEY (POSTRIDER_DATABASE__URL; lists comma-separated), and
# those that name a flag by that flag of `postrider serve`. Flags win over the environment, the environment over this file.
# `postrider check-config --config FILE` says what is wrong with a file, all at once.
)";

} // namespace

std::string example_file() {
  std::string out{head};
  settings defaults;
  for (const auto& section : setting_sections()) {
    out.append("\n# ").append(section.help).append("\n[").append(section.name).append("]\n");
    for (const auto& key : setting_keys()) {
      if (key.section() != section.name)
        continue;
      out.append("# ").append(key.help).append(range_text(key));
      if (!key.flag.empty())
        out.append("; --").append(key.flag);
      out.append("\n").append(key.key()).append(" = ");
      out += std::visit([&](auto reach) { return value_text(reach(defaults)); }, key.at);
      out.append("\n");
    }
  }
  out += "\n# Named sets of quotas, for a tenant's \"plan\". What is left out is not limited.\n# [plans.NAME]\n";
  for (const auto& key : plan_keys())
    out.append("# ").append(key.name).append(" = 0 # ").append(key.help).append("\n");
  return out;
}

} // namespace postrider
