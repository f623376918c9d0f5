#include "config/presets.hpp"
#include "core/provider_verification.hpp"
#include "net/api_create.hpp"
#include "net/api_json.hpp"
#include "net/api_routes.hpp"

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
    const auto pointer = reader.pointer("headers") + "/" + std::string{each.key()};
    const auto value = read_text(each.value(), pointer, header_max, reader.errors(), true);
    const bool is_token = !each.key().empty() && each.key().size() <= 256 &&
                          each.key().find_first_of(" \t\r\n:\0") == json::string_view::npos;
    if (!is_token)
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

// What the provider would get. A made-up id stands for the event's: nothing is stored.
fixed_answer response_to(const source_config& source, const verification& found, const std::string& method) {
  if (found.handshake)
    return *found.handshake;
  const auto* rules = source.rules.get();
  if (rules && !takes_method(*rules, method))
    return {405, "application/problem+json", ""};
  if (!found.accepted())
    return rules && rules->reject ? *rules->reject : fixed_answer{401, "application/problem+json", ""};
  if (rules->accept)
    return *rules->accept;
  return {200, "application/json", R"({"event_id":")" + to_string(event_id{}) + R"(","duplicate":false})"};
}

json::object to_json(const fixed_answer& answer) {
  json::object headers;
  if (!answer.content_type.empty())
    headers["content-type"] = answer.content_type;
  const std::span bytes{reinterpret_cast<const std::uint8_t*>(answer.body.data()), answer.body.size()};
  return {{"status", answer.status}, {"headers", std::move(headers)}, {"body_base64", encode_base64(bytes)}};
}

// Parentheses: braces would make an array of one.
json::value text_or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

void answer_sample(const api_call_ptr& call, const sample& given, const source_config& source) {
  const auto url = given.url.empty() ? public_url_of(source, "https://localhost/in") : given.url;
  const auto found = verify_request(source, {given.method, url, given.headers, given.body}, given.received_at);
  const bool good = found.reason == verify_reason::ok;
  call->answer(200, json::object{{"verdict", !good             ? "reject"
                                             : found.handshake ? "handshake"
                                                               : "accept"},
                                 {"reason", good ? json::value(nullptr) : json::value(to_string(found.reason))},
                                 {"provider_event_id", text_or_null(found.provider_event_id)},
                                 {"event_type", text_or_null(found.event_type)},
                                 {"response", to_json(response_to(source, found, given.method))}});
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
                           [call, given = std::move(*given)](const result<source_config>& source) {
                             if (!source)
                               return call->fail(source.error());
                             answer_sample(call, given, *source);
                           });
  };
  const auto providers = [](const api_call_ptr& call) { call->answer(200, json::object{{"data", providers_json()}}); };
  return {
    {"POST", "/v1/tenants/{tenant}/sources/{source}/verify-sample", access::admin, verify},
    {"GET", "/v1/providers", access::viewer, providers},
  };
}

} // namespace postrider
