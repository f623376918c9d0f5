#include "config/load.hpp"

#include "config/address.hpp"
#include "config/raw_value.hpp"
#include "config/setting_keys.hpp"
#include "config/toml_file.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>

#include <unistd.h>

namespace postrider {

namespace {

constexpr std::size_t file_bytes_max = 1 << 20;
constexpr std::string_view variable_prefix = "POSTRIDER_";
constexpr std::string_view plans_prefix = "plans.";

std::string lower(std::string_view text) {
  std::string out{text};
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool is_plan_name(std::string_view name) {
  constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyz0123456789-";
  return !name.empty() && name.size() <= 63 && name.find_first_not_of(allowed) == std::string_view::npos;
}

/// Collects values and errors, and remembers where each key was last set.
class loader {
public:
  void read_file(const std::string& path);
  void read_environment(const std::map<std::string, std::string>& variables);
  void read_flags(const std::map<std::string, std::string>& flags);
  void check_together();
  load_result finish() {
    out_.origins = std::move(origins_);
    return std::move(out_);
  }

private:
  void set(std::string_view name, const std::string& origin, const raw_value& value);
  void set_plan(std::string_view name, const std::string& origin, const raw_value& value);
  void fail(std::string origin, std::string_view key, std::string detail) {
    out_.errors.push_back({std::move(origin), std::string{key}, std::move(detail)});
  }
  [[nodiscard]] std::string origin_of(std::string_view key) const {
    const auto found = origins_.find(key);
    return found == origins_.end() ? std::string{} : found->second;
  }
  [[nodiscard]] bool is_set(std::string_view key);
  void require_all_or_none(std::span<const std::string_view> keys);

  load_result out_;
  config_origins origins_;
};

void loader::set(std::string_view name, const std::string& origin, const raw_value& value) {
  if (name.starts_with(plans_prefix))
    return set_plan(name, origin, value);
  const auto* key = find_setting(name);
  if (key == nullptr) {
    const auto* foreign = std::get_if<foreign_value>(&value);
    const auto is_section =
      std::ranges::find(setting_sections(), name, &setting_section::name) != setting_sections().end();
    if (is_section && foreign != nullptr && foreign->name == "an empty table")
      return; // a section without keys
    fail(origin, name, is_section ? "must be a table of keys" : "is no key of Postrider");
    return;
  }
  if (auto wrong = assign(out_.values, *key, value))
    fail(origin, name, *std::move(wrong));
  else
    origins_[std::string{name}] = origin;
}

void loader::set_plan(std::string_view name, const std::string& origin, const raw_value& value) {
  const auto rest = name.substr(plans_prefix.size());
  const auto dot = rest.rfind('.');
  const auto plan = rest.substr(0, dot);
  if (!is_plan_name(plan))
    return fail(origin, name, "must name a plan of lower-case letters, digits or '-', and one of its quotas");
  if (dot == std::string_view::npos) {
    const auto* foreign = std::get_if<foreign_value>(&value);
    if (foreign == nullptr || foreign->name != "an empty table")
      return fail(origin, name, "must be a table of quotas");
    out_.values.plans.try_emplace(std::string{plan}); // a plan without limits
    return;
  }
  const auto key = std::ranges::find(plan_keys(), rest.substr(dot + 1), &plan_key::name);
  if (key == plan_keys().end())
    return fail(origin, name, "is no quota of a plan");
  if (auto wrong = assign(out_.values.plans[std::string{plan}], *key, value))
    fail(origin, name, *std::move(wrong));
}

void loader::read_file(const std::string& path) {
  errno = 0;
  std::error_code ignored;
  std::ifstream in{path, std::ios::binary};
  if (!in || std::filesystem::is_directory(path, ignored))
    return fail(path, "", std::string{"cannot be read: "} + std::strerror(errno == 0 ? EISDIR : errno));
  std::string text(file_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > file_bytes_max)
    return fail(path, "", "is larger than 1 MiB");
  const auto document = read_toml(text);
  for (const auto& error : document.errors)
    fail(path + ":" + std::to_string(error.line), "", "is no TOML: " + error.detail);
  for (const auto& entry : document.entries)
    set(entry.name, path + ":" + std::to_string(entry.line), entry.value);
}

void loader::read_environment(const std::map<std::string, std::string>& variables) {
  for (const auto& [variable, text] : variables) {
    const std::string_view name = variable;
    if (!name.starts_with(variable_prefix) || name.find("__") == std::string_view::npos)
      continue; // POSTRIDER_URL and POSTRIDER_KEY are the command line's
    auto key = lower(name.substr(variable_prefix.size()));
    for (auto at = key.find("__"); at != std::string::npos; at = key.find("__"))
      key.replace(at, 2, ".");
    set(key, variable, untyped_value{text});
  }
}

void loader::read_flags(const std::map<std::string, std::string>& flags) {
  for (const auto& [flag, text] : flags) {
    const auto key = std::ranges::find(setting_keys(), flag, &setting_key::flag);
    if (flag.empty() || key == setting_keys().end())
      fail("--" + flag, "", "is no flag of a setting");
    else
      set(key->name, "--" + flag, untyped_value{text});
  }
}

bool loader::is_set(std::string_view name) {
  const auto* key = find_setting(name);
  settings defaults;
  return std::visit([&](auto reach) { return reach(out_.values) != reach(defaults); }, key->at);
}

void loader::require_all_or_none(std::span<const std::string_view> keys) {
  const auto given = std::ranges::find_if(keys, [this](auto key) { return is_set(key); });
  if (given == keys.end())
    return;
  for (const auto key : keys)
    if (!is_set(key))
      fail(origin_of(*given), key, "is needed where " + std::string{*given} + " is set");
}

void loader::check_together() {
  using names = std::array<std::string_view, 3>;
  require_all_or_none(names{"cluster.certificate", "cluster.key", "cluster.ca"});
  require_all_or_none(names{"jwt.keys", "jwt.issuer", "jwt.audience"});
  require_all_or_none(std::array<std::string_view, 2>{"public.tls_certificate", "public.tls_key"});
  require_all_or_none(std::array<std::string_view, 2>{"operator.tls_certificate", "operator.tls_key"});
  if (is_set("operator.client_ca") && !is_set("operator.tls_certificate") && !is_set("operator.tls_key"))
    fail(origin_of("operator.client_ca"), "operator.client_ca", "needs operator.tls_certificate and operator.tls_key");
  const auto public_at = parse_host_port(out_.values.public_.listen);
  if (public_at && public_at->port != 0 && public_at == parse_host_port(out_.values.operator_.listen))
    fail(origin_of("operator.listen"), "operator.listen", "must not be the address of public.listen");
  for (const auto& key : setting_keys())
    if (key.not_yet && is_set(key.name))
      fail(origin_of(key.name), key.name, "is not supported by this version yet: leave it out");
}

} // namespace

std::string to_string(const config_error& error) {
  auto text = error.origin.empty() ? std::string{} : error.origin + ": ";
  if (!error.key.empty())
    text += error.key + " ";
  return text + error.detail;
}

load_result load_settings(const config_sources& from) {
  loader load;
  if (from.file)
    load.read_file(*from.file);
  load.read_environment(from.environment);
  load.read_flags(from.flags);
  load.check_together();
  return load.finish();
}

std::map<std::string, std::string> process_environment() {
  std::map<std::string, std::string> out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (equals != std::string_view::npos)
      out.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

} // namespace postrider
