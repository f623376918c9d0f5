#include "tests/support/provider_vectors.hpp"

#include "core/signature.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace postrider::test {
namespace {

namespace json = boost::json;

std::string lower(std::string_view text) {
  std::string out{text};
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

std::string text_of(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  return value && value->is_string() ? std::string{value->as_string()} : std::string{};
}

std::string bytes_of(const json::object& from, std::string_view name) {
  auto bytes = decode_base64(text_of(from, name));
  if (!bytes)
    throw std::runtime_error("not base64: " + std::string{name});
  return *std::move(bytes);
}

/// prefix + unit * repeat + suffix, then some bytes changed.
std::string large_body(const json::object& spec) {
  std::string out = bytes_of(spec, "prefix_base64");
  const auto unit = bytes_of(spec, "unit_base64");
  for (auto left = spec.at("repeat").to_number<int>(); left > 0; --left)
    out += unit;
  out += bytes_of(spec, "suffix_base64");
  if (const auto* patches = spec.if_contains("patch"))
    for (const auto& patch : patches->as_array()) {
      auto& byte = out.at(patch.at("offset").to_number<std::size_t>());
      byte = static_cast<char>(byte ^ patch.at("xor").to_number<int>());
    }
  if (out.size() != spec.at("length").to_number<std::size_t>() || encode_hex(sha256(out)) != text_of(spec, "sha256"))
    throw std::runtime_error("the large body is not the one described");
  return out;
}

std::map<std::string, std::string> settings_of(const json::object& config) {
  std::map<std::string, std::string> out;
  for (const auto& each : config) {
    if (each.value().is_string())
      out.emplace(each.key(), each.value().as_string());
    else if (const auto* inner = each.value().if_object())
      for (const auto& [key, value] : settings_of(*inner))
        out.emplace(std::string{each.key()} + "/" + key, value);
  }
  return out;
}

provider_vector::response read_response(const json::object& from) {
  provider_vector::response out;
  out.status = static_cast<int>(from.at("status").to_number<std::int64_t>());
  out.body = text_of(from, "body");
  if (const auto* value = from.if_contains("json"))
    out.json = json::serialize(*value);
  out.content_type = text_of(from, "content_type");
  return out;
}

provider_vector read_vector(const json::object& from) {
  provider_vector out;
  out.id = text_of(from, "id");
  out.scheme = text_of(from, "scheme");
  out.provider = text_of(from, "provider");
  out.method = text_of(from, "method");
  out.url = text_of(from, "url");
  out.is_handshake = text_of(from, "kind") == "handshake";
  if (const auto* config = from.if_contains("config"))
    out.config = settings_of(config->as_object());
  if (const auto* response = from.if_contains("response"))
    out.answer = read_response(response->as_object());
  for (const auto& secret : from.at("secrets").as_array())
    out.secrets.emplace_back(secret.as_string());
  for (const auto& header : from.at("headers").as_object())
    out.headers.emplace(lower(header.key()), header.value().as_string());
  const auto* spec = from.if_contains("body_spec");
  out.body = spec ? large_body(spec->as_object()) : bytes_of(from, "body_base64");
  out.now = from.at("now").to_number<std::int64_t>();
  out.accept = text_of(from, "expect") == "accept";
  out.reason = text_of(from, "reason");
  out.event_id = text_of(from, "event_id");
  out.event_type = text_of(from, "event_type");
  return out;
}

} // namespace

std::vector<provider_vector> load_provider_vectors(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  if (!file)
    throw std::runtime_error("cannot read " + path);
  std::vector<provider_vector> out;
  const auto document = json::parse(text);
  for (const auto& vector : document.at("cases").as_array())
    out.push_back(read_vector(vector.as_object()));
  if (out.empty())
    throw std::runtime_error("no case in " + path);
  return out;
}

} // namespace postrider::test
