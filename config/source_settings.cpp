#include "config/source_settings.hpp"

#include "config/json_fields.hpp"
#include "config/presets.hpp"
#include "core/signature_check.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <array>

namespace postrider {

namespace json = boost::json;

namespace {

constexpr std::string_view public_url_key = "public_url";
constexpr std::array<std::string_view, 4> secret_keys{"salts", "primary_key", "secondary_key", "verify_token"};
/// What schemes call their settings. No word of a scheme is among them: a custom one's settings stand beside it.
constexpr std::array<std::string_view, 8> setting_keys{"salts",    "primary_key", "secondary_key", "verify_token",
                                                       "username", "public_key",  "query_param",   "webhook_id"};
constexpr std::size_t config_max = 16 * 1'024;
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
  const auto pointer = member_pointer({}, key);
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
      errors.push_back({member_pointer({}, each.key()), "this scheme has no such setting"});
    else
      check_setting(each.key(), each.value(), errors);
  }
}

bool is_setting(std::string_view key) noexcept {
  return std::find(setting_keys.begin(), setting_keys.end(), key) != setting_keys.end();
}

/// A custom source's config has both: the scheme, and the settings that it refers to.
struct custom_config {
  json::object scheme;
  json::object settings;
};
custom_config parted(const json::object& config) {
  custom_config out;
  for (const auto& each : config)
    if (each.key() != public_url_key)
      (is_setting(each.key()) ? out.settings : out.scheme)[each.key()] = each.value();
  return out;
}

// A secret is never shown: it stands under the names that are kept sealed, and no answer says it.
void check_secret_names(const provider_scheme& scheme, std::vector<scheme_error>& errors) {
  for (const auto& key : scheme.config_keys)
    if (!is_setting(key))
      errors.push_back({"", "no setting is called " + key});
  for (const auto& key : scheme.any_config_key)
    if (!is_secret_setting(key) || key == "salts")
      errors.push_back({"", "the secret of a signature is primary_key, secondary_key or verify_token"});
  if (!scheme.index_secrets.empty() && scheme.index_secrets != "salts")
    errors.push_back({"", "secrets by index are called salts"});
  const auto tells_secret = [](const text_template& text) {
    return std::any_of(text.begin(), text.end(), [](const template_part& part) {
      return part.kind == template_part::what::config && is_secret_setting(part.name);
    });
  };
  if (!scheme.handshake)
    return;
  const auto& members = scheme.handshake->answer_json;
  if (tells_secret(scheme.handshake->answer) ||
      std::any_of(members.begin(), members.end(), [&](const auto& each) { return tells_secret(each.value); }))
    errors.push_back({"/handshake", "the answer would tell a secret"});
}

void check_custom(const json::object& config, std::vector<scheme_error>& errors) {
  const auto both = parted(config);
  const auto parsed = parse_scheme("custom", both.scheme);
  errors.insert(errors.end(), parsed.errors.begin(), parsed.errors.end());
  if (!parsed.scheme)
    return;
  check_secret_names(*parsed.scheme, errors);
  check_preset(*parsed.scheme, both.settings, errors);
}

// A NUL cannot be stored, a line end would begin another header or another line of a log. In what is signed line ends
// are as good as any byte.
void check_texts(const json::value& value, const std::string& pointer, bool is_signed,
                 std::vector<scheme_error>& errors) {
  const auto is_control = [is_signed](char c) {
    return (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) && !(is_signed && (c == '\n' || c == '\r' || c == '\t'));
  };
  const auto check = [&](std::string_view text) {
    if (std::any_of(text.begin(), text.end(), is_control))
      errors.push_back({pointer, "control characters are not allowed"});
  };
  if (const auto* text = value.if_string())
    check(*text);
  if (const auto* list = value.if_array())
    for (const auto& each : *list)
      check_texts(each, pointer, is_signed, errors);
  if (const auto* object = value.if_object())
    for (const auto& each : *object) {
      check(each.key());
      check_texts(each.value(), pointer.empty() ? member_pointer({}, each.key()) : pointer,
                  is_signed || (pointer.empty() && each.key() == "signed"), errors);
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
  if (json::serialize(config).size() > config_max) {
    errors.push_back({"", "must be at most 16 KiB"});
    return {};
  }
  check_texts(config, {}, false, errors);
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
  auto parsed = parse_scheme(scheme, parted(parsed_object(settings.plain)).scheme);
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
  return key_of(scheme.key, secret).has_value();
}

} // namespace postrider
