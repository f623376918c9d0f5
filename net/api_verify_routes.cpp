#include "actors/ingest_verdict.hpp"
#include "config/presets.hpp"
#include "core/header_block.hpp"
#include "core/provider_verification.hpp"
#include "net/api_create.hpp"
#include "net/api_json.hpp"
#include "net/api_routes.hpp"
#include "net/http_guard.hpp"
#include "net/http_writer.hpp"

#include <boost/json.hpp>

#include <chrono>

namespace postrider {

namespace json = boost::json;

namespace {

constexpr std::size_t url_max = 8'192;
constexpr std::size_t headers_max = 100;
constexpr std::size_t header_max = 16 * 1'024;
constexpr std::size_t body_text_max = 2 * 1'024 * 1'024;

/// A request as somebody tells of it.
struct sample {
  std::string method = "POST";
  std::string url{}; ///< empty: by the source's `public_url`
  std::string headers{};
  std::string body{};
  wall_time received_at{};
};

std::string read_headers(json_reader& reader) {
  std::string out;
  const auto* all = reader.object("headers");
  if (!all || all->size() > headers_max) {
    reader.error("headers", "required", "an object of up to 100 headers");
    return out;
  }
  for (const auto& each : *all) {
    const auto pointer = json_reader{*all, reader.pointer("headers"), reader.errors()}.pointer(each.key());
    const auto value = read_text(each.value(), pointer, header_max, reader.errors(), true);
    if (each.key().size() > 256 || !is_token(each.key()))
      add_field_error(reader.errors(), pointer, "bad-format", "this is no header's name");
    else if (value)
      out.append(each.key()).append(": ").append(*value).append("\r\n");
  }
  return out;
}

result<sample> read_sample(const std::string& body) {
  const auto object = parse_json_object(body);
  if (!object)
    return object.error();
  std::vector<field_error> errors;
  json_reader reader{*object, "", errors};
  sample out;
  out.method = reader.text("method", 16).value_or("POST");
  out.url = reader.text("url", url_max).value_or("");
  out.headers = read_headers(reader);
  if (const auto text = reader.text("body_base64", body_text_max, true, true)) {
    if (auto bytes = decode_base64(*text))
      out.body = std::move(*bytes);
    else
      reader.error("body_base64", "bad-format", "this is not base64");
  }
  out.received_at = std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
  if (const auto at = reader.text("received_at", 64)) {
    if (const auto parsed = parse_rfc3339(*at))
      out.received_at = *parsed;
    else
      reader.error("received_at", "bad-format", "this is no RFC 3339 time");
  }
  reader.finish();
  if (!errors.empty())
    return validation_failed(std::move(errors));
  return out;
}

/// As LISTENER writes it, but for what is of the connection alone.
json::object to_json(const http_response& response) {
  json::object headers;
  if (!response.content_type.empty() && !response.body.empty())
    headers["content-type"] = response.content_type;
  for (const auto& [name, value] : response.headers)
    headers[name] = value;
  const std::span bytes{reinterpret_cast<const std::uint8_t*>(response.body.data()), response.body.size()};
  return {{"status", response.status}, {"headers", std::move(headers)}, {"body_base64", encode_base64(bytes)}};
}

// Parentheses: braces would make an array of one.
json::value text_or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

/// An id of zeros stands for that of an event: nothing is stored.
void answer_sample(const api_call_ptr& call, const sample& given, const source_config& source, const std::string& url) {
  const auto found = verify_request(source, {given.method, url, given.headers, given.body}, given.received_at);
  const auto verdict = ingest_verdict(source, found);
  const bool good = found.reason == verify_reason::ok;
  call->answer(200, json::object{{"verdict", !good             ? "reject"
                                             : found.handshake ? "handshake"
                                                               : "accept"},
                                 {"reason", good ? json::value(nullptr) : json::value(to_string(found.reason))},
                                 {"provider_event_id", text_or_null(found.provider_event_id)},
                                 {"event_type", text_or_null(found.event_type)},
                                 {"response", to_json(ingest_response(verdict, call->request_id))}});
}

/// As the provider would have called the source, where nobody says how it did: the sample's host and the source's path.
std::string url_of(const sample& given, const source_record& source) {
  const auto host = find_header(given.headers, "host").value;
  return "https://" + std::string{host.empty() ? "localhost" : host} + "/in/" + source.tenant_slug + "/" + source.name;
}

void answer_sample(management_store& store, const api_call_ptr& call, sample given, source_config source) {
  auto url = given.url.empty() ? public_url_of(source, {}) : given.url;
  if (!url.empty())
    return answer_sample(call, given, source, url);
  store.get_source(call->parameters[0], call->parameters[1],
                   [call, given = std::move(given), source = std::move(source)](const result<source_record>& named) {
                     if (!named)
                       return call->fail(named.error());
                     answer_sample(call, given, source, url_of(given, *named));
                   });
}

std::string_view family_of(const provider_scheme& scheme) noexcept {
  switch (scheme.family) {
  case scheme_family::hmac:
    return "hmac";
  case scheme_family::hash:
    return "hash";
  case scheme_family::token:
    return "token";
  case scheme_family::basic:
    return "basic";
  }
  return {};
}

json::array providers_json() {
  json::array out;
  for (const auto& [name, schemes] : presets().providers) {
    json::array all;
    for (const auto& scheme : schemes) {
      const auto& rules = *find_preset(scheme);
      json::array keys;
      for (const auto& key : rules.config_keys)
        keys.emplace_back(key);
      all.push_back(json::object{{"name", scheme}, {"family", family_of(rules)}, {"config_keys", std::move(keys)}});
    }
    out.push_back(json::object{{"name", name}, {"schemes", std::move(all)}});
  }
  return out;
}

} // namespace

std::vector<api_route> verify_routes(management_store& store) {
  const auto verify = [&store](const api_call_ptr& call) {
    auto given = read_sample(call->body);
    if (!given)
      return call->fail(given.error());
    store.get_source_rules(call->parameters[0], call->parameters[1],
                           [&store, call, given = std::move(*given)](const result<source_config>& source) {
                             if (!source)
                               return call->fail(source.error());
                             answer_sample(store, call, given, *source);
                           });
  };
  const auto providers = [](const api_call_ptr& call) { call->answer(200, json::object{{"data", providers_json()}}); };
  return {
    {"POST", "/v1/tenants/{tenant}/sources/{source}/verify-sample", access::admin, verify},
    {"GET", "/v1/providers", access::viewer, providers},
  };
}

} // namespace postrider
