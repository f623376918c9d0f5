#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postrider {

/// Secrets at rest: AES-256-GCM. Each tenant has a data key, stored wrapped by the master key; each ciphertext names
/// the key that made it and is bound to its row by associated data, so that it cannot be moved to another row.
using secret_key = std::array<std::uint8_t, 32>;

/// First 4 bytes of SHA-256 of the key: names it in ciphertexts; tells nothing of it.
std::array<std::uint8_t, 4> key_fingerprint(const secret_key& key) noexcept;

/// Layout: version (1) | key fingerprint (4) | nonce (12) | ciphertext | tag (16). `nonce` is random and never used
/// twice with a key.
std::string seal(const secret_key& key, const std::array<std::uint8_t, 12>& nonce, std::string_view plaintext,
                 std::string_view associated_data);

/// Nothing: another key, another row, or damaged; which of them is not told.
std::optional<std::string> open(const secret_key& key, std::string_view sealed, std::string_view associated_data);

/// Base64 of exactly 32 bytes, surrounding white space ignored.
std::optional<secret_key> parse_secret_key(std::string_view base64);

} // namespace postrider
