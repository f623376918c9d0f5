#pragma once

#include "core/ids.hpp"
#include "core/text_forms.hpp"
#include "core/time.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The only place (with secret_box and api_key) that uses libcrypto: digests, MACs and what providers make of them.
namespace postrider {

using sha256_digest = std::array<std::uint8_t, 32>;

sha256_digest sha256(std::string_view data) noexcept;
sha256_digest hmac_sha256(std::string_view key, std::string_view data) noexcept;
/// Over the concatenation of the parts, none of them copied.
sha256_digest hmac_sha256(std::string_view key, std::span<const std::string_view> parts) noexcept;

enum class hash_kind : std::uint8_t { sha1, sha256, sha512 };

/// What a hash yields: 20, 32 or 64 bytes.
struct digest {
  std::array<std::uint8_t, 64> bytes{};
  std::size_t size = 0;
  [[nodiscard]] std::string_view view() const noexcept { return {reinterpret_cast<const char*>(bytes.data()), size}; }
};

/// Over the concatenation of the parts, none of them copied. SHA-1 is here for providers that know nothing better.
digest hash_of(hash_kind kind, std::span<const std::string_view> parts) noexcept;
/// RFC 2104.
digest hmac_of(hash_kind kind, std::string_view key, std::span<const std::string_view> parts) noexcept;

/// Constant time in the contents; lengths may differ (then false).
bool equal_constant_time(std::string_view left, std::string_view right) noexcept;

/// An event type or provider event id as headers carry them: printable ASCII without spaces, 1 to 128 (ids: to 255).
bool valid_event_type(std::string_view type) noexcept;
/// What providers send may have spaces, but not at its ends: GitLab's types are like `Push Hook`.
bool valid_provider_event_type(std::string_view type) noexcept;
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
