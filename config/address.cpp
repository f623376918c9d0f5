#include "config/address.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <arpa/inet.h>

namespace postrider {

namespace {

std::optional<unsigned> parse_digits(std::string_view text, unsigned max) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > max)
    return std::nullopt;
  return value;
}

bool is_host_name(std::string_view host) {
  constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
  return !host.empty() && host.size() <= 253 && host.find_first_not_of(allowed) == std::string_view::npos;
}

bool no_bit_behind(const std::uint8_t* bytes, std::size_t size, unsigned bits) {
  for (std::size_t i = bits / 8; i < size; ++i) {
    const unsigned kept = i == bits / 8 ? bits % 8 : 0;
    if ((bytes[i] & (0xffU >> kept)) != 0)
      return false;
  }
  return true;
}

} // namespace

std::optional<host_port> parse_host_port(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos)
    return std::nullopt;
  auto host = text.substr(0, colon);
  const auto port = parse_digits(text.substr(colon + 1), 65'535);
  if (!port)
    return std::nullopt;
  if (host.starts_with('[') && host.ends_with(']')) {
    const std::string inner{host.substr(1, host.size() - 2)};
    std::array<std::uint8_t, 16> address{};
    if (inet_pton(AF_INET6, inner.c_str(), address.data()) != 1)
      return std::nullopt;
    return host_port{inner, static_cast<std::uint16_t>(*port)};
  }
  if (!is_host_name(host))
    return std::nullopt;
  return host_port{std::string{host}, static_cast<std::uint16_t>(*port)};
}

std::string to_string(const host_port& at) {
  const bool v6 = at.host.find(':') != std::string::npos;
  return (v6 ? "[" + at.host + "]" : at.host) + ":" + std::to_string(at.port);
}

bool is_cidr(std::string_view text) {
  const auto slash = text.find('/');
  if (text.find('\0') != std::string_view::npos || (slash != std::string_view::npos && text.size() - slash > 4))
    return false; // three digits at most, as the target guard reads them
  const std::string address{text.substr(0, slash)};
  std::array<std::uint8_t, 16> bytes{};
  const bool v4 = inet_pton(AF_INET, address.c_str(), bytes.data()) == 1;
  if (!v4 && inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1)
    return false;
  if (slash == std::string_view::npos)
    return true;
  const unsigned bits_max = v4 ? 32 : 128;
  const auto bits = parse_digits(text.substr(slash + 1), bits_max);
  return bits && no_bit_behind(bytes.data(), bits_max / 8, *bits);
}

} // namespace postrider
