#include "net/prepared_endpoint.hpp"

#include "core/ids.hpp"
#include "core/signature.hpp"
#include "core/version.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace postrider {
namespace {

/// For values of our own making.
void append_safe_header(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(value).append("\r\n");
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out.append(name);
  const auto start = out.size();
  out.append(value);
  const auto forbidden = [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; };
  std::replace_if(out.begin() + static_cast<std::ptrdiff_t>(start), out.end(), forbidden, ' ');
  out.append("\r\n");
}

template <class Number>
void append_header_number(std::string& out, std::string_view name, Number value) {
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(name).append(digits.data(), end).append("\r\n");
}

void refuse(prepared_endpoint& out, attempt_reason why, std::string_view in_words) {
  out.unusable = why;
  out.problem = in_words;
}

void decode_keys(const endpoint_config& config, prepared_endpoint& out) {
  for (const auto& each : config.secrets) {
    auto key = decode_whsec(each.text);
    if (!key)
      continue; // the management API takes none that cannot be decoded; with no other left, nothing is sent
    out.keys.push_back(std::move(*key));
    out.key_expiry.push_back(each.expires_at);
    out.keys_expire |= each.expires_at.has_value();
  }
  if (out.keys.empty())
    refuse(out, attempt_reason::network_unreachable, "it has no secret to sign with");
}

std::string signature(const prepared_endpoint& endpoint, std::string_view id, std::int64_t seconds, wall_time now,
                      std::string_view body) {
  if (!endpoint.keys_expire)
    return sign_standard_webhook(endpoint.keys, id, seconds, body);
  std::vector<std::string> current;
  for (std::size_t index = 0; index < endpoint.keys.size(); ++index)
    if (!endpoint.key_expiry[index] || now < *endpoint.key_expiry[index])
      current.push_back(endpoint.keys[index]);
  return sign_standard_webhook(current, id, seconds, body);
}

} // namespace

std::shared_ptr<prepared_endpoint> prepare_endpoint(const std::shared_ptr<const endpoint_config>& config,
                                                    bool https_only) {
  auto out = std::make_shared<prepared_endpoint>();
  out->source = config;
  out->identity = config.get();
  out->max_in_flight = std::max(config->max_in_flight, 1U);
  auto target = parse_target_url(config->url);
  if (!target) {
    refuse(*out, attempt_reason::dns_failed, "its URL cannot be called");
    return out;
  }
  out->target = std::move(*target);
  if (out->target.tls)
    out->own_tls = config->tls;
  decode_keys(*config, *out);
  if (https_only && !out->target.tls)
    refuse(*out, attempt_reason::tls_handshake, "only https is allowed");
  out->first_lines = "POST " + out->target.request_target + " HTTP/1.1\r\n";
  append_header(out->first_lines, "host: ", out->target.host_header);
  append_header(out->first_lines, "user-agent: postrider/", version());
  for (const auto& [name, value] : config->headers)
    append_header(out->last_lines, name + ": ", value);
  out->last_lines += "\r\n";
  return out;
}

void prepared_endpoint::take_tls(const prepared_endpoint* before, const tls_client& node) {
  if (before != nullptr && before->same_peer(*this)) {
    session = before->session;
    tls = before->tls;
  }
  if (!own_tls || tls)
    return;
  std::string error;
  tls = node.for_endpoint(*own_tls, error);
  if (!tls)
    refuse(*this, attempt_reason::tls_handshake, "its TLS settings cannot be used: " + error);
}

void compose_request_head(const prepared_endpoint& endpoint, const event& what, std::uint32_t number, wall_time now,
                          std::string& out) {
  const auto id = to_string(what.id);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
  out.clear();
  out.append(endpoint.first_lines);
  if (!what.content_type.empty())
    append_header(out, "content-type: ", what.content_type);
  append_header_number(out, "content-length: ", what.body.size());
  append_safe_header(out, "webhook-id: ", id);
  append_header_number(out, "webhook-timestamp: ", seconds);
  append_safe_header(out, "webhook-signature: ", signature(endpoint, id, seconds, now, what.body));
  append_header_number(out, "x-postrider-attempt: ", number);
  if (!what.type.empty())
    append_header(out, "x-postrider-event-type: ", what.type);
  append_header(out, "x-postrider-source: ", what.source_name);
  out.append(what.forward_headers);
  out.append(endpoint.last_lines);
}

} // namespace postrider
