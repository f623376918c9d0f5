#include "net/ip_address.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace postrider {

std::optional<ip_address> parse_ip_address(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> zero_ended{};
  if (text.size() >= zero_ended.size() || text.find('\0') != std::string_view::npos)
    return std::nullopt;
  std::copy(text.begin(), text.end(), zero_ended.begin());
  ip_address out;
  out.v6 = text.find(':') != std::string_view::npos;
  if (inet_pton(out.v6 ? AF_INET6 : AF_INET, zero_ended.data(), out.bytes.data()) != 1)
    return std::nullopt;
  return out;
}

std::string to_string(const ip_address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(address.v6 ? AF_INET6 : AF_INET, address.bytes.data(), text.data(), text.size());
  return text.data();
}

ip_address make_ip_v4(std::uint32_t host_order) noexcept {
  ip_address out;
  const std::uint32_t network_order = htonl(host_order);
  std::memcpy(out.bytes.data(), &network_order, sizeof network_order);
  return out;
}

ip_address make_ip_v6(const std::array<std::uint8_t, 16>& bytes) noexcept {
  return {.v6 = true, .bytes = bytes};
}

namespace {

/// The bits of byte `index` that a prefix of that length covers.
std::uint8_t covered(int prefix_bits, std::size_t index) noexcept {
  const int bits = std::clamp(prefix_bits - static_cast<int>(index) * 8, 0, 8);
  return static_cast<std::uint8_t>(0xff00U >> bits);
}

} // namespace

bool cidr_block::contains(const ip_address& address) const noexcept {
  if (address.v6 != base.v6)
    return false;
  for (std::size_t index = 0; index < (base.v6 ? 16U : 4U); ++index)
    if (((address.bytes[index] ^ base.bytes[index]) & covered(prefix_bits, index)) != 0)
      return false;
  return true;
}

std::optional<cidr_block> parse_cidr_block(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = parse_ip_address(text.substr(0, slash));
  if (!address)
    return std::nullopt;
  cidr_block out{.base = *address, .prefix_bits = address->v6 ? 128 : 32};
  if (slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    int bits = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (error != std::errc{} || end != digits.data() + digits.size() || digits.front() == '-' || digits.size() > 3 ||
        bits > out.prefix_bits)
      return std::nullopt;
    out.prefix_bits = bits;
  }
  for (std::size_t index = 0; index < 16; ++index)
    out.base.bytes[index] &= covered(out.prefix_bits, index);
  return out;
}

} // namespace postrider
