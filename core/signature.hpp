#pragma once

#include "core/ids.hpp"
#include "core/time.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The only place (with secret_box and api_key) that uses libcrypto: digests, MACs and their strict text forms.
namespace postrider {

using sha256_digest = std::array<std::uint8_t, 32>;

sha256_digest sha256(std::string_view data) noexcept;
sha256_digest hmac_sha256(std::string_view key, std::string_view data) noexcept;
/// Over the concatenation of the parts, none of them copied.
sha256_digest hmac_sha256(std::string_view key, std::span<const std::string_view> parts) noexcept;

/// Constant time in the contents; lengths may differ (then false).
bool equal_constant_time(std::string_view left, std::string_view right) noexcept;

/// Strict: even length, hex digits only (either case), exactly as many bytes as asked for.
bool decode_hex(std::string_view text, std::span<std::uint8_t> out) noexcept;
std::string encode_hex(std::span<const std::uint8_t> bytes);
std::string encode_base64(std::span<const std::uint8_t> bytes);
/// Strict RFC 4648 section 4: padding required, no other characters, no stray bits. Nothing otherwise.
std::optional<std::string> decode_base64(std::string_view text);

/// Why a request is not believed (api.md, "Reasons"); the literal is the `code` of the 401.
enum class verify_reason : std::uint8_t { ok, signature_missing, header_malformed, signature_mismatch, unreadable_id };
std::string_view to_string(verify_reason reason) noexcept;

/// GitHub (https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries): `X-Hub-Signature-256:
/// sha256=` and the hex HMAC-SHA256 of the raw body. `header`: its value, empty where absent. Any of the secrets may
/// have signed; all are tried, so the time does not tell which. SHA-1 is never taken.
verify_reason verify_github(std::string_view header, std::string_view body,
                            std::span<const std::string_view> secrets) noexcept;

/// An event type or provider event id as headers carry them: printable ASCII without spaces, 1 to 128 (ids: to 255).
bool valid_event_type(std::string_view type) noexcept;
bool valid_provider_event_id(std::string_view id) noexcept;

/// First 16 bytes of SHA-256 over source, type and provider event id, each with its length before it, so that no two
/// triples collide.
uuid dedupe_key(const source_id& source, std::string_view type, std::string_view provider_event_id) noexcept;

/// Standard Webhooks (https://www.standardwebhooks.com): the bytes of a `whsec_` + base64 secret; prefix optional.
/// Nothing: not of that form.
std::optional<std::string> decode_whsec(std::string_view secret);
/// `whsec_` and base64 of 32 random bytes.
std::string make_whsec(const std::array<std::uint8_t, 32>& random);

/// `v1,<base64>` for each key, newest first, separated by one space. `keys` are decoded bytes; the signed text is
/// id + "." + unix seconds of this attempt + "." + body.
std::string sign_standard_webhook(std::span<const std::string> keys, std::string_view id, std::int64_t unix_seconds,
                                  std::string_view body);

} // namespace postrider
