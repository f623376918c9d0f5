#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postrider {

/// Where to listen or whom to dial.
struct host_port {
  std::string host;       ///< a name or an address; IPv6 without its brackets
  std::uint16_t port = 0; ///< 0: any free port

  friend bool operator==(const host_port&, const host_port&) = default;
};

/// `HOST:PORT` or `[IPv6]:PORT`, port 0 to 65535 in plain digits. Nothing otherwise.
std::optional<host_port> parse_host_port(std::string_view text);
/// The form that `parse_host_port` takes.
std::string to_string(const host_port& at);

/// Whether the text is `ADDRESS/BITS` of IPv4 or IPv6 with no bit set behind the prefix, or an address alone.
bool is_cidr(std::string_view text);

} // namespace postrider
