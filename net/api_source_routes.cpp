#include "config/presets.hpp"
#include "config/source_settings.hpp"
#include "net/api_create.hpp"
#include "net/api_routes.hpp"

#include <boost/json.hpp>

#include <algorithm>

namespace postrider {

namespace {

constexpr std::string_view list_name = "sources";
constexpr std::size_t secrets_max = 10;
constexpr std::size_t secret_size_max = 4'096;

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
std::size_t read_word(json_reader& reader, std::string_view name, std::initializer_list<std::string_view> words) {
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

new_source read_source(json_reader& reader) {
  new_source out;
  if (auto name = reader.text("name", 63, true)) {
    if (!is_source_name(*name))
      reader.error("name", "bad-format", "1 to 63 of A-Z, a-z, 0-9, _ and - are allowed");
    out.name = std::move(*name);
  }
  const auto scheme = read_scheme(reader, out);
  out.secrets = read_secrets(reader, scheme.get());
  read_config(reader, scheme.get(), out);
  out.on_unverified = static_cast<unverified_mode>(read_word(reader, "on_unverified", {"reject", "quarantine"}));
  if (out.on_unverified == unverified_mode::quarantine)
    reader.not_supported("on_unverified", "this version rejects what is not verified");
  out.dedupe = static_cast<dedupe_mode>(read_word(reader, "dedupe", {"id", "body_hash", "off"}));
  out.enabled = reader.boolean("enabled").value_or(true);
  return out;
}

} // namespace

std::vector<api_route> source_routes(management_store& store) {
  const auto create = [&store](const api_call_ptr& call) {
    auto request = read_create<new_source>(call->body, "sources", read_source);
    if (!request)
      return call->fail(request.error());
    store.create_sources(call->parameters[0], std::move(request->items),
                         [call, batch = request->batch](result<std::vector<source_record>> made) {
                           answer_created(call, made, batch, [](const source_record& one) { return to_json(one); });
                         });
  };
  const auto list = [&store](const api_call_ptr& call) {
    const auto& tenant = call->parameters[0];
    const auto page = read_page(*call, list_name, tenant);
    if (!page)
      return call->fail(page.error());
    store.list_sources(tenant, *page, answer_page<source_record>(call, std::string{list_name}, tenant));
  };
  const auto get = [&store](const api_call_ptr& call) {
    store.get_source(call->parameters[0], call->parameters[1], answer_object<source_record>(call));
  };
  const auto remove = [&store](const api_call_ptr& call) {
    store.delete_source(call->parameters[0], call->parameters[1], answer_deleted(call));
  };
  return {
    {"POST", "/v1/tenants/{tenant}/sources", access::admin, create},
    {"GET", "/v1/tenants/{tenant}/sources", access::viewer, list},
    {"GET", "/v1/tenants/{tenant}/sources/{source}", access::viewer, get},
    {"DELETE", "/v1/tenants/{tenant}/sources/{source}", access::admin, remove},
  };
}

} // namespace postrider
