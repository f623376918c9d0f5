#include "config/presets.hpp"

#include "config/embedded_presets.hpp"
#include "config/scheme_parser.hpp"

#include <boost/json.hpp>

#include <stdexcept>

namespace postrider {

namespace json = boost::json;

namespace {

/// Providers whose name is not that of their only scheme: what providers are called, by the beginning of their schemes'
/// names.
struct provider_of_schemes {
  std::string_view name;
  std::vector<std::string_view> schemes;
};

const std::vector<provider_of_schemes>& providers_with_several() {
  static const std::vector<provider_of_schemes> all{
    {"gitlab", {"gitlab-token", "gitlab-signed"}},
    {"flutterwave", {"flutterwave-token", "flutterwave-hmac"}},
    {"adyen", {"adyen-standard", "adyen-platform"}},
    {"twilio", {"twilio-form", "twilio-json"}},
    {"standard-webhooks", {"standard-webhooks", "standard-webhooks-v1a"}},
    {"hubspot", {"hubspot-v3"}},
    {"postmark", {"postmark-basic"}},
    {"phonepe", {"phonepe-authorization", "phonepe-x-verify"}},
    {"messagebird", {"messagebird-jwt"}},
  };
  return all;
}

std::string_view provider_of(std::string_view scheme) {
  for (const auto& each : providers_with_several())
    for (const auto name : each.schemes)
      if (name == scheme)
        return each.name;
  return scheme;
}

// `base` names a preset whose keys stand where this one has none.
json::object with_base(const json::object& all, const json::object& preset) {
  const auto* base = preset.if_contains("base");
  json::object out = base ? with_base(all, all.at(base->as_string()).as_object()) : json::object{};
  for (const auto& each : preset)
    out[each.key()] = each.value();
  out.erase("base");
  return out;
}

preset_table load() {
  preset_table out;
  const auto all = json::parse(embedded_presets()).as_object();
  for (const auto& each : all) {
    const std::string name{each.key()};
    auto parsed = parse_scheme(name, with_base(all, each.value().as_object()));
    if (parsed.not_supported) {
      const auto preset = with_base(all, each.value().as_object());
      out.not_supported.emplace(name, preset.at("family").as_string());
    } else if (parsed.scheme) {
      out.schemes.emplace(name, std::make_shared<const provider_scheme>(std::move(*parsed.scheme)));
      out.providers[std::string{provider_of(name)}].push_back(name);
    } else {
      throw std::logic_error{"preset " + name + parsed.errors.front().pointer + ": " + parsed.errors.front().detail};
    }
  }
  // A provider all of whose schemes are of later goes by its own name as well (messagebird: messagebird-jwt).
  for (const auto& [name, family] : std::map{out.not_supported})
    if (const auto provider = provider_of(name); !out.providers.contains(provider))
      out.not_supported.emplace(provider, family);
  return out;
}

} // namespace

const preset_table& presets() {
  static const preset_table table = load();
  return table;
}

std::shared_ptr<const provider_scheme> find_preset(std::string_view name) {
  const auto& all = presets().schemes;
  const auto found = all.find(name);
  return found == all.end() ? nullptr : found->second;
}

} // namespace postrider
