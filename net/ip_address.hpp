#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postrider {

/// An address of IPv4 or IPv6, without port and zone. A v4 address in v6 clothes (`::ffff:10.0.0.1`) is a v6 address
/// here.
struct ip_address {
  bool v6 = false;
  std::array<std::uint8_t, 16> bytes{}; ///< network order; v4 uses the first four, the rest is 0

  friend auto operator<=>(const ip_address&, const ip_address&) = default;
};

/// The forms of `inet_pton` only: dotted quad without leading zeros or short forms, RFC 4291 text without brackets and
/// zone.
std::optional<ip_address> parse_ip_address(std::string_view text);
std::string to_string(const ip_address& address);
ip_address make_ip_v4(std::uint32_t host_order) noexcept;
ip_address make_ip_v6(const std::array<std::uint8_t, 16>& bytes) noexcept;

/// A block of addresses, `10.0.0.0/8`; a single address is a block of one.
struct cidr_block {
  ip_address base;
  int prefix_bits = 0;

  /// False for the other family.
  [[nodiscard]] bool contains(const ip_address& address) const noexcept;
  friend bool operator==(const cidr_block&, const cidr_block&) = default;
};
/// Nothing unless it is an address with an optional `/0` to `/32` or `/128`; bits beyond the prefix are cleared.
std::optional<cidr_block> parse_cidr_block(std::string_view text);

} // namespace postrider
