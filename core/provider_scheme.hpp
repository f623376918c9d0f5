#pragma once

#include "core/signature.hpp"
#include "core/simple_pattern.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// How a provider proves that a request is its own, as data: what config/scheme_parser.hpp makes of a preset, and what
/// core/provider_verification.hpp interprets. The words are those of the presets.
namespace postrider {

enum class scheme_family : std::uint8_t {
  hmac,  ///< keyed hash over a template
  hash,  ///< plain hash over a template that holds the secret
  token, ///< the secret itself
  basic, ///< `Authorization: Basic`, the secret is the password (RFC 7617)
};

/// How a secret's text becomes key bytes.
enum class key_form : std::uint8_t {
  text,   ///< as it is
  hex,    ///< hex digits
  base64, ///< RFC 4648 section 4
  whsec,  ///< base64 with or without `whsec_` before it
  sha1,   ///< SHA-1 of the text
};

enum class text_encoding : std::uint8_t { hex, base64, base64url };

/// Names of members and indices, outermost first; `*` stands for each element of an array.
using json_path = std::vector<std::string>;

/// A piece of a template.
struct template_part {
  enum class what : std::uint8_t {
    literal,
    body,
    timestamp, ///< as sent, never written anew
    url,       ///< by the scheme's url rule
    method,
    header,
    json,          ///< must be there
    optional_json, ///< absent: empty
    form,
    query,
    config,
    secret,
    sorted_form,   ///< each key and value, keys in byte order, values of one key sorted and each once
    hmac_hex,      ///< answers only: hex of the HMAC under the secret, of a JSON text
    hmac_hex_query ///< answers only: likewise, of a query parameter
  };
  what kind = what::literal;
  std::string name{}; ///< the literal, or the name of a header, form field, query parameter, key of `config`
  json_path path{};
};
using text_template = std::vector<template_part>;

/// Where a text is found in a request.
struct value_place {
  enum class where : std::uint8_t { nowhere, header, header_pattern, json, each_json, form, query };
  where kind = where::nowhere;
  std::string name{};       ///< of a header, form field or query parameter; `=key`: the name is that of `config`
  simple_pattern pattern{}; ///< header_pattern: lower-case names
  json_path path{};
  char separator = '\0';         ///< of a list
  text_template prefix{};        ///< elements count that begin so, and count without it
  std::string secret_key{};      ///< the key of `config` that alone may have signed this one
  std::string index_separator{}; ///< after it stands which of `index_secrets` signed
};

struct timestamp_rule {
  enum class unit : std::uint8_t { unix_seconds, unix_milliseconds, rfc3339, any };
  value_place from{};
  unit in = unit::unix_seconds;
  std::optional<std::chrono::seconds> max_age{};    ///< absent: any age
  std::optional<std::chrono::seconds> max_future{}; ///< absent: any
};

/// Where an event's id or type is read of a verified request.
struct value_source {
  enum class what : std::uint8_t {
    nothing,
    header,
    json,
    other_key,   ///< the name of the top-level member that is not this one
    base64_json, ///< a path in the JSON that stands as base64 at another path
    base64_xml,  ///< an element of the XML that stands as base64 in a form field
  };
  what kind = what::nothing;
  std::string name{}; ///< header, the member that does not count, the form field
  json_path path{};   ///< of the value (base64_xml: the element's name alone)
  json_path outer{};  ///< base64_json: of the base64 text
};

struct fixed_answer {
  int status = 200;
  std::string content_type{};
  std::string body{};
};

/// A question of the provider that wants an answer of its own and makes no event.
struct handshake_rule {
  std::string method{};                                      ///< empty: any that the scheme takes
  std::string query{};                                       ///< a parameter that must be there
  simple_pattern query_pattern{};                            ///< and look so
  std::vector<std::pair<std::string, std::string>> checks{}; ///< query parameters: text, or `=key` of `config`
  std::vector<std::pair<json_path, std::string>> json{};     ///< values that the body must have
  bool after_verify = false;                                 ///< signed like a delivery
  text_template answer{};                                    ///< as text/plain, unless there is `answer_json`
  struct member {
    std::string name;
    text_template value;
    bool is_number = false; ///< written without quotes
  };
  std::vector<member> answer_json{};
};

struct provider_scheme {
  std::string name;
  scheme_family family = scheme_family::hmac;
  hash_kind hash = hash_kind::sha256;
  key_form key = key_form::text;
  text_encoding encoding = text_encoding::hex;
  std::vector<value_place> signatures{}; ///< also the place of a token
  std::optional<timestamp_rule> timestamp{};
  std::vector<text_template> signed_texts{}; ///< any one may have been signed
  json_path each{};                          ///< each element found there is verified by itself, and all must pass
  enum class url_rule : std::uint8_t { as_called, port_variants, decode_some } url = url_rule::as_called;
  struct {
    std::string query{};
    hash_kind hash = hash_kind::sha256;
  } body_digest{};                                          ///< a parameter of the query holds the body's hash in hex
  std::vector<std::pair<std::string, std::string>> fixed{}; ///< headers that must have one value
  std::vector<std::string> required_headers{};
  std::vector<json_path> required_fields{};
  std::vector<std::pair<std::string, simple_pattern>> form_patterns{}; ///< form fields that must look so
  std::vector<std::pair<std::string, std::string>> aliases{};          ///< header: its other name
  std::string index_secrets{};                                         ///< the key of `config` with a secret per index
  value_source event_id{};
  value_source event_type{};
  std::vector<std::string> methods{"POST"};
  std::string methods_text{"POST"}; ///< for `Allow`: those of the handshake as well
  std::optional<handshake_rule> handshake{};
  std::optional<fixed_answer> accept{};
  std::optional<fixed_answer> reject{};
  std::vector<std::string> forwarded_headers{}; ///< that go on to endpoints
  std::vector<std::string> secret_headers{};    ///< that are never stored nor forwarded
  std::vector<std::string> config_keys{};       ///< that `config` may have
  /// Those of them that `config` must have: without them no delivery could ever be verified. A handshake's keys are not
  /// among them (without them the handshake fails), nor are keys of which any one will do (`any_config_key`).
  std::vector<std::string> required_config_keys{};
  std::vector<std::string> any_config_key{}; ///< one of these at least, where there are any
};

} // namespace postrider
