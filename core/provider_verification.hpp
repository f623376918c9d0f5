#pragma once

#include "core/ids.hpp"
#include "core/signature.hpp"
#include "core/tenant_config.hpp"

#include <span>
#include <string>
#include <string_view>

namespace postrider {

/// What a source says of one request.
struct verification {
  verify_reason reason = verify_reason::signature_missing;
  std::string provider_event_id; ///< empty: the provider sent none
  std::string event_type;        ///< empty: the provider sent none
  [[nodiscard]] bool accepted() const noexcept { return reason == verify_reason::ok; }
};

/// Verifies the raw bytes by the source's scheme; id and type are read only of what is verified. `headers`: a block of
/// `name: value\r\n`. `now` decides which rotated secrets still count. A source without a valid secret believes
/// nothing. GitHub: https://docs.github.com/webhooks/webhook-events-and-payloads#delivery-headers
verification verify_request(const source_config& source, std::string_view headers, std::string_view body,
                            wall_time now);

/// The key under which the same webhook is known again (api.md: the same source, event type and provider event id;
/// without an id the SHA-256 of the body stands for it; with dedupe off, the event's own id).
uuid dedupe_key_of(const source_config& source, const verification& verified, std::string_view body,
                   const event_id& own) noexcept;

/// The headers that go on to endpoints: those of the provider's event id and type.
std::span<const std::string_view> forwarded_headers(const source_config& source) noexcept;

} // namespace postrider
