#include "net/api_create.hpp"
#include "net/api_routes.hpp"

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

std::vector<std::string> read_secrets(json_reader& reader) {
  std::vector<std::string> out;
  const auto* const list = reader.array("secrets", secrets_max);
  if (list == nullptr) {
    if (reader.take("secrets") == nullptr)
      reader.error("secrets", "required", "this field is required");
    return out;
  }
  if (list->empty())
    reader.error("secrets", "too-short", "at least one secret is needed");
  for (std::size_t i = 0; i < list->size(); ++i)
    if (auto text =
          read_text((*list)[i], reader.pointer("secrets") + "/" + std::to_string(i), secret_size_max, reader.errors()))
      out.push_back(std::move(*text));
  return out;
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
  if (auto provider = reader.text("provider", 63, true)) {
    if (*provider != "github")
      reader.not_supported("provider", "only the provider github is supported by this version");
    out.provider = std::move(*provider);
  }
  out.scheme = reader.text("scheme", 63).value_or(out.provider);
  if (out.provider == "github" && out.scheme != "github")
    reader.error("scheme", "scheme-unknown", "this provider has no such scheme");
  out.secrets = read_secrets(reader);
  if (const auto* const config = reader.object("config"); config != nullptr && !config->empty())
    reader.not_supported("config", "this scheme takes no configuration by this version");
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
