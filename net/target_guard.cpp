#include "net/target_guard.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include <ifaddrs.h>
#include <netinet/in.h>

namespace postrider {
namespace {

struct named_range {
  std::string_view text;
  std::string_view name;
};

/// https://www.iana.org/assignments/iana-ipv4-special-registry, multicast, and platform addresses.
constexpr named_range v4_ranges[] = {
  {"0.0.0.0/8", "this network"},
  {"10.0.0.0/8", "private"},
  {"100.64.0.0/10", "shared (carrier-grade NAT)"},
  {"127.0.0.0/8", "loopback"},
  {"168.63.129.16/32", "platform service"},
  {"169.254.0.0/16", "link-local"},
  {"172.16.0.0/12", "private"},
  {"192.0.0.0/24", "protocol assignments"},
  {"192.0.2.0/24", "documentation"},
  {"192.31.196.0/24", "AS112"},
  {"192.52.193.0/24", "automatic multicast tunnelling"},
  {"192.88.99.0/24", "6to4 relay"},
  {"192.168.0.0/16", "private"},
  {"192.175.48.0/24", "AS112"},
  {"198.18.0.0/15", "benchmarking"},
  {"198.51.100.0/24", "documentation"},
  {"203.0.113.0/24", "documentation"},
  {"224.0.0.0/4", "multicast"},
  {"240.0.0.0/4", "reserved"}, // the broadcast address included
};

/// https://www.iana.org/assignments/iana-ipv6-special-registry. What is not in 2000::/3 is blocked besides: none of it
/// is routed.
constexpr named_range v6_ranges[] = {
  {"::1/128", "loopback"},
  {"::/128", "unspecified"},
  {"::ffff:0:0/96", "IPv4-mapped"},
  {"::/96", "IPv4-compatible"},
  {"::ffff:0:0:0/96", "IPv4-translated"},
  {"64:ff9b::/96", "IPv4-translated"},
  {"64:ff9b:1::/48", "IPv4-translated"},
  {"100::/64", "discard-only"},
  {"2001::/32", "IPv4-translated"}, // Teredo
  {"2001::/23", "protocol assignments"},
  {"2001:db8::/32", "documentation"},
  {"2002::/16", "IPv4-translated"}, // 6to4
  {"2620:4f:8000::/48", "AS112"},
  {"3fff::/20", "documentation"},
  {"5f00::/16", "segment routing"},
  {"fc00::/7", "private"},
  {"fe80::/10", "link-local"},
  {"fec0::/10", "site-local"},
  {"ff00::/8", "multicast"},
};

struct parsed_range {
  cidr_block block;
  std::string_view name;
};

std::vector<parsed_range> parse_ranges(std::span<const named_range> ranges) {
  std::vector<parsed_range> out;
  for (const auto& [text, name] : ranges)
    out.push_back({parse_cidr_block(text).value(), name});
  return out;
}

std::string_view special_range(const ip_address& address) {
  static const auto v4 = parse_ranges(v4_ranges);
  static const auto v6 = parse_ranges(v6_ranges);
  for (const auto& range : address.v6 ? v6 : v4)
    if (range.block.contains(address))
      return range.name;
  if (address.v6 && (address.bytes[0] & 0xe0U) != 0x20U)
    return "reserved";
  return {};
}

ip_address v4_at(const ip_address& address, std::size_t offset, std::uint8_t flip = 0) noexcept {
  ip_address out;
  for (std::size_t index = 0; index < 4; ++index)
    out.bytes[index] = address.bytes[offset + index] ^ flip;
  return out;
}

/// The v4 address that a v6 one stands for, where the form is known.
std::optional<ip_address> embedded_v4(const ip_address& address) noexcept {
  if (!address.v6)
    return std::nullopt;
  const auto& bytes = address.bytes;
  const auto zeros = [&](std::size_t from, std::size_t to) {
    return std::all_of(bytes.begin() + static_cast<std::ptrdiff_t>(from),
                       bytes.begin() + static_cast<std::ptrdiff_t>(to), [](std::uint8_t byte) { return byte == 0; });
  };
  if (bytes[0] == 0x20 && bytes[1] == 0x02)
    return v4_at(address, 2); // 6to4, RFC 3056
  if (bytes[0] == 0x20 && bytes[1] == 0x01 && zeros(2, 4))
    return v4_at(address, 12, 0xff); // Teredo: the client's address, inverted (RFC 4380)
  if (bytes[0] == 0x00 && bytes[1] == 0x64 && bytes[2] == 0xff && bytes[3] == 0x9b)
    return v4_at(address, 12); // NAT64, RFC 6052 and 8215, with the longest prefix
  if ((bytes[8] & 0xfdU) == 0 && bytes[9] == 0 && bytes[10] == 0x5e && bytes[11] == 0xfe)
    return v4_at(address, 12); // ISATAP, RFC 5214
  if (zeros(0, 8) && ((zeros(8, 10) && bytes[10] == 0xff && bytes[11] == 0xff) ||
                      (bytes[8] == 0xff && bytes[9] == 0xff && zeros(10, 12)) || zeros(8, 12)))
    return v4_at(address, 12); // mapped, SIIT, compatible
  return std::nullopt;
}

bool is_loopback(const ip_address& address) noexcept {
  return address.v6 ? address == make_ip_v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}) : address.bytes[0] == 127;
}

/// `::1` and `::` look like compatible addresses of 0.0.0.0/8, but are judged as what they are.
bool has_own_meaning(const ip_address& address) noexcept {
  return is_loopback(address) || address == make_ip_v6({});
}

bool any_contains(const std::vector<cidr_block>& blocks, const ip_address& address) noexcept {
  return std::any_of(blocks.begin(), blocks.end(), [&](const cidr_block& block) { return block.contains(address); });
}

} // namespace

std::string_view target_guard::why_blocked(const ip_address& address, std::uint16_t port) const noexcept {
  if (is_listener(address, port))
    return "a listener of this cluster";
  if (any_contains(rules_.deny, address))
    return "denied by the operator";
  if (!has_own_meaning(address))
    if (const auto inner = embedded_v4(address))
      if (const auto reason = why_blocked(*inner, port); !reason.empty())
        return reason;
  if (any_contains(rules_.allow, address) || (rules_.allow_loopback && is_loopback(address)))
    return {};
  // An ISATAP address has a public prefix; whoever uses one in earnest can allow it.
  if (address.v6 && embedded_v4(address) && special_range(address).empty())
    return "IPv4-translated";
  return special_range(address);
}

bool target_guard::is_listener(const ip_address& address, std::uint16_t port) const noexcept {
  const auto listeners = listeners_.load();
  return listeners && std::any_of(listeners->begin(), listeners->end(), [&](const listener& one) {
           return one.port == port && (one.address == address || (one.every_loopback && is_loopback(address)));
         });
}

void target_guard::block_listener(const ip_address& address, std::uint16_t port,
                                  const std::vector<ip_address>& interfaces) {
  const bool unspecified = address.bytes == std::array<std::uint8_t, 16>{};
  std::vector<listener> added{{address, port, unspecified}};
  if (unspecified) {
    // Connecting to the unspecified address of either family reaches this machine as well.
    added.push_back({{.v6 = !address.v6}, port, true});
    for (const auto& own : interfaces)
      added.push_back({own, port, false});
  }
  auto before = listeners_.load();
  for (;;) {
    auto after = before ? std::make_shared<std::vector<listener>>(*before) : std::make_shared<std::vector<listener>>();
    after->insert(after->end(), added.begin(), added.end());
    if (listeners_.compare_exchange_weak(before, std::shared_ptr<const std::vector<listener>>{std::move(after)}))
      return;
  }
}

std::vector<ip_address> local_addresses() {
  std::vector<ip_address> out;
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0)
    return out;
  for (const auto* each = first; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr)
      continue;
    ip_address address;
    if (each->ifa_addr->sa_family == AF_INET) {
      sockaddr_in v4{};
      std::memcpy(&v4, each->ifa_addr, sizeof v4);
      std::memcpy(address.bytes.data(), &v4.sin_addr, 4);
      out.push_back(address);
    } else if (each->ifa_addr->sa_family == AF_INET6) {
      sockaddr_in6 v6{};
      std::memcpy(&v6, each->ifa_addr, sizeof v6);
      std::memcpy(address.bytes.data(), &v6.sin6_addr, 16);
      address.v6 = true;
      out.push_back(address);
    }
  }
  freeifaddrs(first);
  return out;
}

} // namespace postrider
