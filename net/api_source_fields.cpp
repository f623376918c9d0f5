#include "net/api_source_fields.hpp"

#include "config/presets.hpp"
#include "config/settings_patch.hpp"
#include "config/source_settings.hpp"
#include "net/api_json.hpp"
#include "net/api_patch.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <span>

namespace postrider {

namespace {

constexpr std::size_t secrets_max = live_secrets_max;
constexpr std::size_t secret_size_max = 4'096;
// In the order of dedupe_mode and unverified_mode.
constexpr std::array<std::string_view, 3> dedupe_words{"id", "body_hash", "off"};
constexpr std::array<std::string_view, 2> unverified_words{"reject", "quarantine"};

bool is_source_name(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

/// `scheme`: nothing where it is not known; then any text will do.
std::vector<std::string> read_secrets(json_reader& reader, const provider_scheme* scheme) {
  std::vector<std::string> out;
  const bool needed = !scheme || needs_secrets(*scheme);
  const auto* const list = reader.array("secrets", secrets_max);
  if (list == nullptr) {
    if (needed && reader.take("secrets") == nullptr)
      reader.error("secrets", "required", "this field is required");
    return out;
  }
  if (needed && list->empty())
    reader.error("secrets", "too-short", "at least one secret is needed");
  for (std::size_t i = 0; i < list->size(); ++i) {
    const auto pointer = reader.pointer("secrets") + "/" + std::to_string(i);
    auto text = read_text((*list)[i], pointer, secret_size_max, reader.errors());
    if (!text)
      continue;
    if (scheme && !is_key_of(*scheme, *text))
      add_field_error(reader.errors(), pointer, "bad-format", "this is no secret of the scheme's form");
    out.push_back(std::move(*text));
  }
  return out;
}

/// Provider and scheme; the rules of the scheme where it is one of the program's.
std::shared_ptr<const provider_scheme> read_scheme(json_reader& reader, new_source& out) {
  const auto provider = reader.text("provider", 63, true);
  const auto scheme = reader.text("scheme", 63);
  if (!provider)
    return nullptr;
  out.provider = *provider;
  if (*provider == "custom") {
    out.scheme = "custom";
    if (scheme && *scheme != "custom")
      reader.error("scheme", "scheme-unknown", "the scheme of a custom source stands in its config");
    return nullptr;
  }
  const auto& all = presets();
  const auto known = all.providers.find(*provider);
  if (known == all.providers.end()) {
    if (all.not_supported.contains(*provider))
      reader.not_supported("provider", "this provider's family of signatures is not supported by this version");
    else
      reader.error("provider", "provider-unknown", "there is no such provider; /v1/providers lists them");
    return nullptr;
  }
  const auto& schemes = known->second;
  if (!scheme && schemes.size() > 1 && std::find(schemes.begin(), schemes.end(), *provider) == schemes.end()) {
    reader.error("scheme", "required", "this provider has several schemes");
    return nullptr;
  }
  out.scheme = scheme ? *scheme : schemes.size() == 1 ? schemes.front() : *provider;
  if (all.not_supported.contains(out.scheme)) {
    reader.not_supported("scheme", "this scheme's family of signatures is not supported by this version");
    return nullptr;
  }
  if (std::find(schemes.begin(), schemes.end(), out.scheme) == schemes.end()) {
    reader.error("scheme", "scheme-unknown", "this provider has no such scheme");
    return nullptr;
  }
  return find_preset(out.scheme);
}

void read_config(json_reader& reader, const provider_scheme* scheme, new_source& out) {
  const auto* const config = reader.object("config");
  std::vector<scheme_error> errors;
  if (scheme || out.scheme == "custom")
    out.settings = read_source_settings(scheme, config ? *config : boost::json::object{}, errors);
  for (auto& each : errors)
    add_field_error(reader.errors(), reader.pointer("config") + each.pointer, "bad-format", std::move(each.detail));
}

/// The one of `words` that the field holds, by its index; 0 where it is absent.
std::size_t read_word(json_reader& reader, std::string_view name, std::span<const std::string_view> words) {
  const auto text = reader.text(name, 63);
  if (!text)
    return 0;
  const auto found = std::find(words.begin(), words.end(), *text);
  if (found != words.end())
    return static_cast<std::size_t>(found - words.begin());
  std::string known;
  for (const auto word : words)
    known += (known.empty() ? "" : ", ") + std::string{word};
  reader.error(name, "bad-format", "it is one of: " + known);
  return 0;
}

void read_name(json_reader& reader, new_source& out) {
  if (auto name = reader.text("name", 63, true)) {
    if (!is_source_name(*name))
      reader.error("name", "bad-format", "1 to 63 of A-Z, a-z, 0-9, _ and - are allowed");
    out.name = std::move(*name);
  }
}

void read_modes(json_reader& reader, new_source& out) {
  out.on_unverified = static_cast<unverified_mode>(read_word(reader, "on_unverified", unverified_words));
  if (out.on_unverified == unverified_mode::quarantine)
    reader.not_supported("on_unverified", "this version rejects what is not verified");
  out.dedupe = static_cast<dedupe_mode>(read_word(reader, "dedupe", dedupe_words));
  out.enabled = reader.boolean("enabled").value_or(true);
}

/// A custom scheme is known only once its config has been read.
void check_custom_secrets(json_reader& reader, const new_source& source) {
  const auto rules = source.scheme == "custom" ? rules_of(source.scheme, source.settings) : nullptr;
  for (std::size_t i = 0; rules && i < source.secrets.size(); ++i)
    if (!is_key_of(*rules, source.secrets[i]))
      add_field_error(reader.errors(), reader.pointer("secrets") + "/" + std::to_string(i), "bad-format",
                      "this is no secret of the scheme's form");
}

/// They do not change by a PATCH, so that the new rules have to live with them.
void check_kept_secrets(json_reader& reader, const new_source& source, const std::vector<std::string>& secrets) {
  const auto rules = rules_of(source.scheme, source.settings);
  if (!rules || !needs_secrets(*rules))
    return;
  const bool fit = !secrets.empty() && std::all_of(secrets.begin(), secrets.end(),
                                                   [&](const std::string& each) { return is_key_of(*rules, each); });
  if (!fit)
    reader.error(source.scheme == "custom" ? "config" : "scheme", "secrets-do-not-fit",
                 "the source's secrets are not of this scheme's form; make a new source with its own");
}

const patch_rules& source_patch_rules() {
  static const patch_rules rules{{"name", "scheme", "config", "on_unverified", "dedupe", "enabled"}, "secrets"};
  return rules;
}

/// The fields after the merge, the settings in clear.
boost::json::object merged_source(const stored_source& stored, const boost::json::object& shown,
                                  const boost::json::object& patch, std::vector<field_error>& errors) {
  boost::json::value out(settable_of(shown, source_patch_rules())); // braces would make an array of one
  auto& object = out.get_object();
  object["dedupe"] = dedupe_words.at(static_cast<std::size_t>(stored.given.dedupe)); // settable, but not shown
  auto rest = patch;
  boost::json::value config(clear_settings(stored.given.settings));
  if (const auto found = rest.find("config"); found != rest.end()) {
    std::vector<scheme_error> wrong;
    if (found->value().is_object())
      config = merged_settings(stored.given.settings, found->value().get_object(), wrong);
    else
      config = found->value(); // null: nothing is set; anything else is told by whoever reads it
    for (auto& each : wrong)
      add_field_error(errors, "/config" + each.pointer, "bad-format", std::move(each.detail));
    rest.erase(found);
  }
  merge_patch(out, rest);
  object["config"] = std::move(config);
  object["provider"] = boost::json::value(stored.given.provider);
  return std::move(object);
}

result<new_source> patched_source(const stored_source& stored, boost::json::object patch) {
  std::vector<field_error> errors;
  const auto shown = to_json(stored.shown);
  drop_read_only(patch, shown, source_patch_rules(), "", errors);
  const auto merged = merged_source(stored, shown, patch, errors);
  json_reader reader{merged, "", errors};
  new_source out;
  out.provider = stored.given.provider;
  out.scheme = stored.given.scheme;
  out.settings = stored.given.settings;
  read_name(reader, out);
  if (patch.contains("scheme") || patch.contains("config")) {
    const auto scheme = read_scheme(reader, out);
    read_config(reader, scheme.get(), out);
    check_kept_secrets(reader, out, stored.given.secrets);
  }
  read_modes(reader, out);
  if (!errors.empty())
    return validation_failed(std::move(errors));
  return out;
}

} // namespace

new_source read_source(json_reader& reader) {
  new_source out;
  read_name(reader, out);
  const auto scheme = read_scheme(reader, out);
  out.secrets = read_secrets(reader, scheme.get());
  read_config(reader, scheme.get(), out);
  check_custom_secrets(reader, out);
  read_modes(reader, out);
  return out;
}

source_change patch_source(boost::json::object patch) {
  return [patch = std::move(patch)](const stored_source& stored) { return patched_source(stored, patch); };
}

secret_rotation read_source_rotation(json_reader& reader) {
  secret_rotation out;
  out.secret = reader.text("secret", secret_size_max, true).value_or("");
  out.overlap = read_overlap(reader);
  return out;
}

} // namespace postrider
