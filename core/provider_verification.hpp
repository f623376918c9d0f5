#pragma once

#include "core/ids.hpp"
#include "core/request_values.hpp"
#include "core/tenant_config.hpp"
#include "core/verify_reason.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace postrider {

/// What a source says of one request.
struct verification {
  verify_reason reason = verify_reason::signature_missing;
  std::optional<fixed_answer> handshake{}; ///< the request was a question: this is the answer, and there is no event
  std::string provider_event_id{};         ///< empty: the provider sent none
  std::string event_type{};                ///< empty: the provider sent none
  bool wrong_method = false;               ///< the scheme knows no such request method at all: 405, whatever the reason
  [[nodiscard]] bool accepted() const noexcept { return reason == verify_reason::ok && !handshake; }
};

/// Interprets the source's scheme (core/provider_scheme.hpp) over the raw bytes of one request; fails closed.
/// The method is looked at before all else. Handshakes are answered, those that are signed only when they verify; id
/// and type are read only of what is verified, and so is the question of a signed handshake. An answer that needs a MAC
/// is made with the newest secret that is valid; without one the question is refused. `now` decides which rotated
/// secrets still count and how old a timestamp is. A source without rules or without a usable secret believes nothing,
/// and an empty secret is none: anybody could sign with it.
///
/// Every secret is tried with every signature, whichever matches, and compared in constant time. At most 100 signatures
/// are looked at.
verification verify_request(const source_config& source, const provider_request& request, wall_time now);

/// The key under which the same webhook is known again (api.md: the same source, event type and provider event id;
/// without an id the SHA-256 of the body stands for it; with dedupe off, the event's own id).
uuid dedupe_key_of(const source_config& source, const verification& verified, std::string_view body,
                   const event_id& own) noexcept;

/// How the provider calls this source, without query: its setting `public_url`, or else `as_called`.
std::string public_url_of(const source_config& source, std::string_view as_called);

} // namespace postrider
