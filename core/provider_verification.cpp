#include "core/provider_verification.hpp"

#include "core/header_block.hpp"

#include <array>
#include <vector>

namespace postrider {

namespace {

constexpr std::string_view github_id_header = "X-GitHub-Delivery";
constexpr std::string_view github_type_header = "X-GitHub-Event";
constexpr std::array<std::string_view, 2> github_forwarded{github_id_header, github_type_header};

} // namespace

verification verify_request(const source_config& source, std::string_view headers, std::string_view body,
                            wall_time now) {
  std::vector<std::string_view> secrets;
  secrets.reserve(source.secrets.size());
  for (const auto& each : source.secrets)
    if (!each.expires_at || now < *each.expires_at)
      secrets.emplace_back(each.text);
  verification out;
  out.reason = verify_github(find_header(headers, "X-Hub-Signature-256").value, body, secrets);
  if (!out.accepted())
    return out;
  const auto id = find_header(headers, github_id_header);
  const auto type = find_header(headers, github_type_header);
  if ((!id.value.empty() && !valid_provider_event_id(id.value)) ||
      (!type.value.empty() && !valid_event_type(type.value)))
    out.reason = verify_reason::unreadable_id;
  else {
    out.provider_event_id = id.value;
    out.event_type = type.value;
  }
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

std::span<const std::string_view> forwarded_headers(const source_config&) noexcept {
  return github_forwarded;
}

} // namespace postrider
