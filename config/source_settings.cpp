#include "config/source_settings.hpp"

#include "config/presets.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <array>

namespace postrider {

namespace json = boost::json;

namespace {

constexpr std::string_view public_url_key = "public_url";
constexpr std::array<std::string_view, 4> secret_keys{"salts", "primary_key", "secondary_key", "verify_token"};
constexpr std::size_t value_max = 4'096;
constexpr std::size_t members_max = 64;

bool is_value(const json::value& value) {
  return value.is_string() && !value.get_string().empty() && value.get_string().size() <= value_max;
}

void check_public_url(const json::value& value, std::vector<scheme_error>& errors) {
  const auto text = value.is_string() ? std::string_view{value.get_string()} : std::string_view{};
  const bool good = (text.starts_with("https://") || text.starts_with("http://")) && text.size() <= value_max &&
                    text.find_first_of("?# \t\r\n") == std::string_view::npos && text.size() > 8;
  if (!good)
    errors.push_back({"/public_url", "must be an http:// or https:// URL without query"});
}

void check_setting(std::string_view key, const json::value& value, std::vector<scheme_error>& errors) {
  const auto pointer = "/" + std::string{key};
  if (key != "salts") {
    if (!is_value(value))
      errors.push_back({pointer, "must be a text of 1 to 4096 bytes"});
    return;
  }
  const auto* salts = value.if_object();
  const bool good = salts && !salts->empty() && salts->size() <= members_max &&
                    std::all_of(salts->begin(), salts->end(), [](const auto& each) { return is_value(each.value()); });
  if (!good)
    errors.push_back({pointer, "must be an object of up to 64 texts, by their index"});
}

void check_custom(json::object preset, std::vector<scheme_error>& errors) {
  preset.erase(public_url_key);
  const auto parsed = parse_scheme("custom", preset);
  errors.insert(errors.end(), parsed.errors.begin(), parsed.errors.end());
  if (parsed.scheme && !parsed.scheme->config_keys.empty())
    errors.push_back({"", "a scheme of one's own cannot refer to settings"});
}

void check_preset(const provider_scheme& scheme, const json::object& config, std::vector<scheme_error>& errors) {
  const auto is_given = [&config](const std::string& key) { return config.contains(key); };
  for (const auto& key : scheme.required_config_keys)
    if (!is_given(key))
      errors.push_back({"/" + key, "this scheme needs it"});
  const auto& any = scheme.any_config_key;
  if (!any.empty() && std::none_of(any.begin(), any.end(), is_given))
    errors.push_back({"/" + any.front(), "this scheme needs it, or another of its keys"});
  for (const auto& each : config) {
    if (each.key() == public_url_key)
      continue;
    if (std::find(scheme.config_keys.begin(), scheme.config_keys.end(), each.key()) == scheme.config_keys.end())
      errors.push_back({"/" + std::string{each.key()}, "this scheme has no such setting"});
    else
      check_setting(each.key(), each.value(), errors);
  }
}

void add_to(std::map<std::string, std::string>& out, const std::string& before, const json::object& from) {
  for (const auto& each : from) {
    if (each.value().is_string())
      out.emplace(before + std::string{each.key()}, each.value().get_string());
    else if (const auto* inner = each.value().if_object())
      add_to(out, before + std::string{each.key()} + "/", *inner);
  }
}

json::object parsed_object(std::string_view text) {
  json::error_code error;
  auto value = json::parse(text, error);
  return !error && value.is_object() ? std::move(value.get_object()) : json::object{};
}

} // namespace

bool is_secret_setting(std::string_view key) noexcept {
  return std::find(secret_keys.begin(), secret_keys.end(), key) != secret_keys.end();
}

source_settings read_source_settings(const provider_scheme* scheme, const json::object& config,
                                     std::vector<scheme_error>& errors) {
  if (const auto* url = config.if_contains(public_url_key))
    check_public_url(*url, errors);
  if (scheme)
    check_preset(*scheme, config, errors);
  else
    check_custom(config, errors);
  json::object plain;
  json::object secret;
  for (const auto& each : config) {
    const bool hidden = is_secret_setting(each.key());
    plain[each.key()] = hidden ? json::value(json::object{{"set", true}}) : each.value();
    if (hidden)
      secret[each.key()] = each.value();
  }
  return {json::serialize(plain), secret.empty() ? std::string{} : json::serialize(secret)};
}

std::map<std::string, std::string> settings_map(const source_settings& settings) {
  std::map<std::string, std::string> out;
  add_to(out, "", parsed_object(settings.plain));
  add_to(out, "", parsed_object(settings.secret));
  return out;
}

std::shared_ptr<const provider_scheme> rules_of(std::string_view scheme, const source_settings& settings) {
  if (scheme != "custom")
    return find_preset(scheme);
  auto preset = parsed_object(settings.plain);
  preset.erase(public_url_key);
  auto parsed = parse_scheme(scheme, preset);
  return parsed.scheme ? std::make_shared<const provider_scheme>(std::move(*parsed.scheme)) : nullptr;
}

bool needs_secrets(const provider_scheme& scheme) noexcept {
  if (scheme.family == scheme_family::token || scheme.family == scheme_family::basic)
    return true;
  return std::any_of(scheme.signatures.begin(), scheme.signatures.end(), [](const value_place& place) {
    return place.secret_key.empty() && place.index_separator.empty();
  });
}

bool is_key_of(const provider_scheme& scheme, std::string_view secret) {
  switch (scheme.key) {
  case key_form::text:
  case key_form::sha1:
    return !secret.empty();
  case key_form::hex:
    return !secret.empty() && decode_hex(secret).has_value();
  case key_form::base64:
    return !secret.empty() && decode_base64(secret).has_value();
  case key_form::whsec:
    return decode_whsec(secret).has_value();
  }
  return false;
}

} // namespace postrider
