#include "core/provider_verification.hpp"

#include "core/signature_check.hpp"

#include <algorithm>
#include <vector>

namespace postrider {

namespace {

std::vector<std::string_view> usable_secrets(const source_config& source, wall_time now) {
  std::vector<std::string_view> out;
  out.reserve(source.secrets.size());
  for (const auto& each : source.secrets)
    if (!each.text.empty() && (!each.expires_at || now < *each.expires_at))
      out.emplace_back(each.text);
  return out;
}

bool is_listed(const std::vector<std::string>& methods, std::string_view method) noexcept {
  return std::find(methods.begin(), methods.end(), method) != methods.end();
}

check_result check(const provider_scheme& scheme, request_values& values, std::span<const std::string_view> secrets,
                   wall_time now) {
  switch (scheme.family) {
  case scheme_family::hmac:
  case scheme_family::hash:
    return check_signature(scheme, values, secrets, now);
  case scheme_family::token:
    return check_token(scheme, values, secrets);
  case scheme_family::basic:
    return check_basic(scheme, values, secrets);
  }
  return {};
}

// ------------------------------------------------------------------------------------------------ handshakes

bool is_asked(const handshake_rule& rule, request_values& values) {
  if (!rule.method.empty() && values.request().method != rule.method)
    return false;
  if (!rule.query.empty()) {
    const auto given = values.query(rule.query);
    if (!given || (!rule.query_pattern.empty() && !rule.query_pattern.matches(*given)))
      return false;
  }
  return std::all_of(rule.json.begin(), rule.json.end(), [&](const auto& each) {
    return values.json_text(values.json().root(), each.first) == std::string_view{each.second};
  });
}

bool passes_checks(const handshake_rule& rule, request_values& values) {
  bool good = true;
  for (const auto& [name, wanted] : rule.checks) {
    const auto expected = values.resolved(wanted);
    good &= !expected.empty() & equal_constant_time(values.query(name).value_or(std::string_view{}), expected);
  }
  return good;
}

/// Nothing where something that the answer is made of is missing: no question then.
std::optional<fixed_answer> answer(const handshake_rule& rule, request_values& values, std::string_view key,
                                   hash_kind hash) {
  if (rule.answer_json.empty()) {
    auto text = evaluate_text(rule.answer, values, key, hash);
    return text ? std::optional{fixed_answer{200, "text/plain", std::move(*text)}} : std::nullopt;
  }
  std::string body = "{";
  for (const auto& each : rule.answer_json) {
    if (body.size() > 1)
      body += ',';
    const auto text = evaluate_text(each.value, values, key, hash);
    if (!text)
      return {};
    body.append(to_json_string(each.name)).append(":").append(each.is_number ? *text : to_json_string(*text));
  }
  return fixed_answer{200, "application/json", body + "}"};
}

bool needs_key(const handshake_rule& rule) noexcept {
  const auto is_mac = [](const template_part& part) {
    return part.kind == template_part::what::hmac_hex || part.kind == template_part::what::hmac_hex_query;
  };
  return std::any_of(rule.answer.begin(), rule.answer.end(), is_mac) ||
         std::any_of(rule.answer_json.begin(), rule.answer_json.end(),
                     [&](const auto& each) { return std::any_of(each.value.begin(), each.value.end(), is_mac); });
}

/// The question is answered, or refused. `secrets`: any of them may make the answer, the first that can does.
void settle(const handshake_rule& rule, const provider_scheme& scheme, request_values& values,
            std::span<const std::string_view> secrets, verification& out) {
  std::optional<std::string> key;
  for (const auto secret : secrets)
    if (!key)
      key = key_of(scheme.key, secret);
  if (!key && needs_key(rule)) {
    out.reason = verify_reason::verify_token_mismatch; // nobody here can prove anything
    return;
  }
  out.handshake = answer(rule, values, key.value_or(""), scheme.hash);
  out.reason = out.handshake ? verify_reason::ok : verify_reason::field_missing;
}

// ------------------------------------------------------------------------------------------------ id and type

struct extracted {
  std::string text{};
  bool readable = true;
};

extracted read_node(json_view::node node) {
  if (!node || json_view::is_null(node))
    return {};
  if (!json_view::is_exact(node))
    return {{}, false};
  return {json_view::text_of(node).value_or("")};
}

std::string xml_element(std::string_view text, const std::string& name) {
  const auto begin = text.find("<" + name + ">");
  const auto from = begin + name.size() + 2;
  const auto end = text.find("</" + name + ">", begin == std::string_view::npos ? begin : from);
  return end == std::string_view::npos ? std::string{} : std::string{text.substr(from, end - from)};
}

std::string without_line_feeds(std::string_view text) {
  std::string out{text};
  std::erase(out, '\n');
  return out;
}

extracted read(const value_source& source, request_values& values) {
  using what = value_source::what;
  switch (source.kind) {
  case what::nothing:
    return {};
  case what::header:
    return {std::string{values.header(source.name).value}};
  case what::json:
    return read_node(values.json().find(values.json().root(), source.path));
  case what::other_key: {
    for (auto& name : json_view::names_of(values.json().root()))
      if (name != source.name)
        return {std::move(name)};
    return {};
  }
  case what::base64_json: {
    const auto inner = decode_base64(values.json_text(values.json().root(), source.outer).value_or(std::string_view{}));
    if (!inner || inner->empty())
      return {};
    const json_view document{*inner};
    return read_node(document.find(document.root(), source.path));
  }
  case what::base64_xml: {
    const auto inner = decode_base64(without_line_feeds(values.form(source.name).value_or(std::string_view{})));
    auto text = inner ? xml_element(*inner, source.path.front()) : std::string{};
    // Braintree: the answer to its open handshake is a signature too, of a text of the asker's choice that could be no
    // such document. Without the element it is no webhook.
    const bool there = !text.empty();
    return {std::move(text), there};
  }
  }
  return {};
}

void read_identity(const provider_scheme& scheme, request_values& values, verification& out) {
  auto id = read(scheme.event_id, values);
  auto type = read(scheme.event_type, values);
  const bool good = id.readable && type.readable && (id.text.empty() || valid_provider_event_id(id.text)) &&
                    (type.text.empty() || valid_provider_event_type(type.text));
  if (!good) {
    out.reason = verify_reason::unreadable_id;
    return;
  }
  out.provider_event_id = std::move(id.text);
  out.event_type = std::move(type.text);
}

} // namespace

std::string_view to_string(verify_reason reason) noexcept {
  switch (reason) {
  case verify_reason::ok:
    return "ok";
  case verify_reason::header_missing:
    return "header-missing";
  case verify_reason::field_missing:
    return "field-missing";
  case verify_reason::signature_missing:
    return "signature-missing";
  case verify_reason::timestamp_missing:
    return "timestamp-missing";
  case verify_reason::header_malformed:
    return "header-malformed";
  case verify_reason::timestamp_out_of_tolerance:
    return "timestamp-out-of-tolerance";
  case verify_reason::body_digest_mismatch:
    return "body-digest-mismatch";
  case verify_reason::signature_mismatch:
    return "signature-mismatch";
  case verify_reason::token_mismatch:
    return "token-mismatch";
  case verify_reason::verify_token_mismatch:
    return "verify-token-mismatch";
  case verify_reason::unreadable_id:
    return "unreadable-id";
  }
  return {};
}

std::string public_url_of(const source_config& source, std::string_view as_called) {
  const auto found = source.config.find("public_url");
  return found != source.config.end() ? found->second : std::string{as_called};
}

verification verify_request(const source_config& source, const provider_request& request, wall_time now) {
  verification out;
  if (!source.rules)
    return out;
  const auto& scheme = *source.rules;
  const auto* rule = scheme.handshake ? &*scheme.handshake : nullptr;
  const bool of_delivery = is_listed(scheme.methods, request.method);
  const bool of_handshake = rule && (rule->method.empty() ? of_delivery : rule->method == request.method);
  if (!of_delivery && !of_handshake) {
    out.wrong_method = true;
    return out;
  }
  request_values values{request, scheme, source.config};
  const auto secrets = usable_secrets(source, now);
  if (of_handshake && !rule->after_verify && is_asked(*rule, values)) {
    if (passes_checks(*rule, values))
      settle(*rule, scheme, values, secrets, out);
    else
      out.reason = verify_reason::verify_token_mismatch;
    return out;
  }
  if (!of_delivery && !rule->after_verify)
    return out;
  const auto checked = check(scheme, values, secrets, now);
  out.reason = checked.reason;
  if (out.reason != verify_reason::ok)
    return out;
  if (of_handshake && rule->after_verify && is_asked(*rule, values))
    settle(*rule, scheme, values, std::span{&checked.secret, 1}, out);
  else if (of_delivery)
    read_identity(scheme, values, out);
  else
    out.reason = verify_reason::signature_missing; // neither a delivery nor the question
  return out;
}

uuid dedupe_key_of(const source_config& source, const verification& verified, std::string_view body,
                   const event_id& own) noexcept {
  if (source.dedupe == dedupe_mode::off)
    return own.value;
  if (source.dedupe == dedupe_mode::id && !verified.provider_event_id.empty())
    return dedupe_key(source.id, verified.event_type, verified.provider_event_id);
  const auto digest = sha256(body);
  return dedupe_key(source.id, verified.event_type, {reinterpret_cast<const char*>(digest.data()), digest.size()});
}

} // namespace postrider
