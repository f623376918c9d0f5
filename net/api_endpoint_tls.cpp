#include "net/api_endpoint_tls.hpp"

#include "net/api_json.hpp"
#include "net/pem.hpp"
#include "net/tls_policy.hpp"

#include <string>
#include <utility>
#include <vector>

namespace postrider {

namespace json = boost::json;

namespace {

/// A text with lines, as PEM is.
std::optional<std::string> read_lines(json_reader& reader, std::string_view name) {
  const auto* const value = reader.take(name);
  if (value == nullptr)
    return std::nullopt;
  if (!value->is_string())
    reader.error(name, "wrong-type", "a string is expected");
  else if (value->as_string().empty())
    reader.error(name, "too-short", "it must not be empty");
  else if (value->as_string().size() > tls_text_max)
    reader.error(name, "too-long", "at most " + std::to_string(tls_text_max) + " bytes are allowed");
  else
    return std::string{value->as_string().data(), value->as_string().size()};
  return std::nullopt;
}

std::vector<certificate_ptr> read_chain(json_reader& reader, std::string_view name) {
  const auto text = read_lines(reader, name);
  if (!text)
    return {};
  auto found = read_certificates(*text, pem_others::refused);
  if (!found)
    reader.error(name, "pem-invalid", "it " + found.error().detail);
  else if (found->size() > tls_certificates_max)
    reader.error(name, "too-long", "at most " + std::to_string(tls_certificates_max) + " certificates are allowed");
  else if (const auto why = why_too_costly(*found); !why.empty())
    reader.error(name, "pem-invalid", "it " + why);
  else
    return std::move(*found);
  return {};
}

/// `{"set":true}`: the key that is stored.
bool says_stored(const json::value& value) {
  const auto* const object = value.if_object();
  return object != nullptr && *object == json::object{{"set", true}};
}

/// The client's certificate and key, which may be the stored one.
void read_identity(json_reader& reader, const endpoint_tls* stored, endpoint_tls& out) {
  const auto errors_before = reader.errors().size();
  const auto chain = read_chain(reader, "client_certificate_pem");
  const auto* const key_value = reader.take("client_key_pem");
  const bool kept = stored != nullptr && key_value != nullptr && says_stored(*key_value);
  auto key_text = kept ? std::nullopt : read_lines(reader, "client_key_pem");
  if (reader.errors().size() > errors_before)
    return;
  if (chain.empty() != (key_value == nullptr))
    return reader.error(chain.empty() ? "client_certificate_pem" : "client_key_pem", "required",
                        "a client certificate and its key are given together");
  if (chain.empty())
    return;
  out.client_certificate_pem = to_pem(chain);
  if (kept) {
    if (out.client_certificate_pem != stored->client_certificate_pem)
      reader.error("client_key_pem", "required", "another certificate needs its key");
    return;
  }
  const auto key = read_private_key(*key_text);
  if (!key)
    return reader.error("client_key_pem", "pem-invalid", "it " + key.error().detail);
  if (!key_matches(*chain.front(), **key))
    return reader.error("client_key_pem", "key-mismatch", "it does not belong to the first client certificate");
  if (const auto why = why_not_own_key(**key); !why.empty())
    return reader.error("client_key_pem", "pem-invalid", "it " + why);
  if (const auto refused = try_certificate_chain(chain, **key); !refused.empty())
    return reader.error("client_certificate_pem", "pem-invalid", "it cannot be used: " + refused);
  out.client_key_pem = std::move(*key_text);
}

} // namespace

std::shared_ptr<const endpoint_tls> read_endpoint_tls(json_reader& reader, const endpoint_tls* stored) {
  const auto* const object = reader.object("tls");
  if (object == nullptr)
    return nullptr;
  json_reader tls{*object, reader.pointer("tls"), reader.errors()};
  endpoint_tls out;
  if (const auto authorities = read_chain(tls, "ca_pem"); !authorities.empty())
    out.ca_pem = to_pem(authorities);
  read_identity(tls, stored, out);
  tls.finish();
  return out.empty() ? nullptr : std::make_shared<const endpoint_tls>(std::move(out));
}

json::value endpoint_tls_json(const std::shared_ptr<const endpoint_tls>& tls) {
  if (!tls)
    return nullptr;
  json::value key;
  if (!tls->client_certificate_pem.empty())
    key = {{"set", true}};
  return json::object{{"ca_pem", json_or_null(tls->ca_pem)},
                      {"client_certificate_pem", json_or_null(tls->client_certificate_pem)},
                      {"client_key_pem", std::move(key)}};
}

} // namespace postrider
