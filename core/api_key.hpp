#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postrider {

/// Stored as numbers: never renumber.
enum class api_role : std::uint8_t { operator_ = 0, tenant_admin = 1, tenant_viewer = 2 };
/// `operator`, `tenant_admin`, `tenant_viewer`.
std::string_view to_string(api_role role) noexcept;
std::optional<api_role> parse_api_role(std::string_view word) noexcept;

/// SHA-256 of a key's text: all that is stored of it (the key itself has 256 random bits, so no slow hash is needed).
using api_key_hash = std::array<std::uint8_t, 32>;

/// `prk_` and 43 characters of base64url from 32 random bytes.
std::string make_api_key(const std::array<std::uint8_t, 32>& random);
api_key_hash hash_api_key(std::string_view key) noexcept;

} // namespace postrider
