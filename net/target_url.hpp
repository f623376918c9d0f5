#pragma once

#include "net/ip_address.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postrider {

/// An endpoint's URL, taken apart for sending.
struct target_url {
  bool tls = false;
  std::string host; ///< lower case, no brackets; what is resolved, and what the certificate must name
  std::optional<ip_address> literal{}; ///< the host is an address itself: nothing to resolve
  std::uint16_t port = 0;
  std::string host_header;    ///< `host[:port]`, the port left out where it is the scheme's own
  std::string request_target; ///< path and query, at least `/`; the fragment is left out

  /// Whether a connection made for one serves the other.
  [[nodiscard]] bool same_server(const target_url& other) const {
    return tls == other.tls && port == other.port && host == other.host;
  }
};

/// Nothing unless it is an absolute `http` or `https` URL (RFC 3986) of at most 8 KiB without userinfo, whose host is
/// an address or a name of letters, digits, `-`, `_` and dots (international names in their `xn--` form), at most 253
/// long; port 1 to 65535.
std::optional<target_url> parse_target_url(std::string_view text);

} // namespace postrider
