#include "core/text_forms.hpp"

#include <algorithm>
#include <array>

namespace postrider {
namespace {

constexpr std::uint8_t no_digit = 0xff;
constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

using digit_values = std::array<std::uint8_t, 256>;

constexpr digit_values values_of(std::string_view digits) {
  digit_values table{};
  table.fill(no_digit);
  for (std::size_t value = 0; value < digits.size(); ++value)
    table[static_cast<unsigned char>(digits[value])] = static_cast<std::uint8_t>(value);
  return table;
}

constexpr auto hex_values = [] {
  auto table = values_of(hex_digits);
  for (std::uint8_t value = 10; value < 16; ++value)
    table[static_cast<unsigned char>('A' + value - 10)] = value;
  return table;
}();
constexpr auto base64_values = values_of(base64_digits);

std::uint8_t value_in(const digit_values& table, char digit) {
  return table[static_cast<unsigned char>(digit)];
}

} // namespace

bool decode_hex(std::string_view text, std::span<std::uint8_t> out) noexcept {
  if (text.size() != 2 * out.size())
    return false;
  std::uint8_t seen = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto high = value_in(hex_values, text[2 * i]);
    const auto low = value_in(hex_values, text[2 * i + 1]);
    seen = static_cast<std::uint8_t>(seen | high | low);
    out[i] = static_cast<std::uint8_t>(high << 4U | low);
  }
  return seen <= 0xf;
}

std::string encode_hex(std::span<const std::uint8_t> bytes) {
  std::string out;
  out.reserve(2 * bytes.size());
  for (const auto byte : bytes) {
    out += hex_digits[byte >> 4U];
    out += hex_digits[byte & 0xfU];
  }
  return out;
}

std::string encode_base64(std::span<const std::uint8_t> bytes) {
  std::string out((bytes.size() + 2) / 3 * 4, '=');
  auto* digit = out.data();
  while (!bytes.empty()) {
    const auto taken = std::min<std::size_t>(bytes.size(), 3);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8U | (i < taken ? bytes[i] : 0U);
    for (std::size_t i = 0; i <= taken; ++i)
      digit[i] = base64_digits[group >> (18 - 6 * i) & 0x3fU];
    digit += 4;
    bytes = bytes.subspan(taken);
  }
  return out;
}

std::optional<std::string> decode_hex(std::string_view text) {
  std::string out(text.size() / 2, '\0');
  const bool good = decode_hex(text, {reinterpret_cast<std::uint8_t*>(out.data()), out.size()});
  return good ? std::optional{std::move(out)} : std::nullopt;
}

std::optional<std::string> decode_base64url(std::string_view text) {
  std::string standard{text};
  for (char& digit : standard) {
    if (digit == '+' || digit == '/' || digit == '=')
      return std::nullopt;
    digit = digit == '-' ? '+' : digit == '_' ? '/' : digit;
  }
  standard.append((4 - standard.size() % 4) % 4, '=');
  return decode_base64(standard);
}

std::string encode_base64url(std::string_view bytes) {
  auto out = encode_base64({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  out.erase(std::min(out.find('='), out.size()));
  std::ranges::replace(out, '+', '-');
  std::ranges::replace(out, '/', '_');
  return out;
}

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0)
    return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t group = 0;
  unsigned bits = 0;
  for (const char digit : text.substr(0, text.size() - padding)) {
    const auto value = value_in(base64_values, digit);
    if (value == no_digit)
      return std::nullopt;
    group = group << 6U | value;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>(group >> bits);
      group &= (1U << bits) - 1;
    }
  }
  // What is left over of the last digit has to be 0, or one value would have several texts.
  return group == 0 ? std::optional{std::move(out)} : std::nullopt;
}

} // namespace postrider
