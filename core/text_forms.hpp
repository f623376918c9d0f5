#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

/// Bytes as text and back: hex, base64, base64url.
namespace postrider {

/// Strict: even length, hex digits only (either case), exactly as many bytes as asked for.
bool decode_hex(std::string_view text, std::span<std::uint8_t> out) noexcept;
std::string encode_hex(std::span<const std::uint8_t> bytes);
std::string encode_base64(std::span<const std::uint8_t> bytes);
/// Strict RFC 4648 section 4: padding required, no other characters, no stray bits. Nothing otherwise.
std::optional<std::string> decode_base64(std::string_view text);
/// RFC 4648 section 5, without padding.
std::string encode_base64url(std::string_view bytes);
/// Strict: no padding, no other characters, no stray bits. Nothing otherwise.
std::optional<std::string> decode_base64url(std::string_view text);
/// Strict, of any even length.
std::optional<std::string> decode_hex(std::string_view text);

} // namespace postrider
