#include "core/ids.hpp"

#include <algorithm>

namespace postrider {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::uint8_t no_digit = 0xff;

/// Both digits of each byte.
constexpr auto digits_of = [] {
  std::array<std::array<char, 2>, 256> table{};
  for (std::size_t byte = 0; byte < table.size(); ++byte)
    table[byte] = {hex_digits[byte >> 4U], hex_digits[byte & 0xfU]};
  return table;
}();

/// The value of each character as a hexadecimal digit, or `no_digit`.
constexpr auto value_of = [] {
  std::array<std::uint8_t, 256> table{};
  table.fill(no_digit);
  for (std::uint8_t value = 0; value < 16; ++value) {
    const auto digit = static_cast<unsigned char>(hex_digits[value]);
    table[digit] = value;
    if (digit >= 'a')
      table[digit - 'a' + 'A'] = value;
  }
  return table;
}();

/// Where the two digits of each byte stand in the text form.
constexpr std::array<std::uint8_t, 16> position_of{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
constexpr std::size_t text_size = 36;
constexpr std::int64_t time_max = (std::int64_t{1} << 48U) - 1;

} // namespace

std::string to_string(const uuid& value) {
  std::string out(text_size, '-');
  for (std::size_t i = 0; i < value.bytes.size(); ++i) {
    const auto& digits = digits_of[value.bytes[i]];
    out[position_of[i]] = digits[0];
    out[position_of[i] + 1U] = digits[1];
  }
  return out;
}

std::optional<uuid> parse_uuid(std::string_view text) noexcept {
  if (text.size() != text_size || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-')
    return std::nullopt;
  uuid out;
  std::uint8_t seen = 0;
  for (std::size_t i = 0; i < out.bytes.size(); ++i) {
    const auto high = value_of[static_cast<unsigned char>(text[position_of[i]])];
    const auto low = value_of[static_cast<unsigned char>(text[position_of[i] + 1U])];
    seen = static_cast<std::uint8_t>(seen | high | low);
    out.bytes[i] = static_cast<std::uint8_t>(high << 4U | low);
  }
  return seen > 0xf ? std::nullopt : std::optional{out};
}

uuid make_uuid_v7(wall_time at, const std::array<std::uint8_t, 10>& random) noexcept {
  const auto ms = static_cast<std::uint64_t>(std::clamp<std::int64_t>(at.time_since_epoch().count(), 0, time_max));
  uuid out;
  for (std::size_t i = 0; i < 6; ++i)
    out.bytes[i] = static_cast<std::uint8_t>(ms >> (40 - 8 * i));
  std::copy(random.begin(), random.end(), out.bytes.begin() + 6);
  out.bytes[6] = static_cast<std::uint8_t>(0x70U | (out.bytes[6] & 0x0fU)); // version 7
  out.bytes[8] = static_cast<std::uint8_t>(0x80U | (out.bytes[8] & 0x3fU)); // variant of RFC 9562
  return out;
}

wall_time time_of(const uuid& v7) noexcept {
  std::int64_t ms = 0;
  for (std::size_t i = 0; i < 6; ++i)
    ms = ms << 8U | v7.bytes[i];
  return wall_time{milliseconds{ms}};
}

uuid least_uuid_v7(wall_time at) noexcept {
  return make_uuid_v7(at, {});
}

attempt_id attempt_id_of(const delivery_id& delivery, std::uint32_t number) noexcept {
  constexpr std::uint64_t tail_bits = (std::uint64_t{1} << 62U) - 1; // all of the last 8 bytes but the variant
  // An odd factor maps numbers to tails one to one.
  auto mixed = (number * 0x9e3779b97f4a7c15ULL) & tail_bits;
  attempt_id out{delivery.value};
  for (std::size_t i = 16; i-- > 8; mixed >>= 8U)
    out.value.bytes[i] = static_cast<std::uint8_t>(out.value.bytes[i] ^ (mixed & 0xffU));
  return out;
}

} // namespace postrider
