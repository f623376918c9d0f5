#pragma once

#include "net/ip_address.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace postrider {

/// Which addresses a tenant's URL may lead to (server-side request forgery). Asked for every address of every answer of
/// the resolver, at connect time, and by whoever else is handed a URL by a tenant. No I/O.
///
/// In this order, the first that applies decides:
///
/// | rule | verdict |
/// | --- | --- |
/// | one of our own or a peer's listeners, by address and port | blocked |
/// | in `deny` | blocked |
/// | in `allow` | allowed |
/// | loopback, with `allow_loopback` | allowed |
/// | in a range that is not the public internet (below) | blocked |
/// | anything else | allowed |
///
/// A v4 address inside a v6 one (mapped, compatible, SIIT, NAT64, 6to4, Teredo, ISATAP) is judged as well: `allow` for
/// the v6 form does not let through a v4 address that is blocked, and rules for v4 hold for its v6 forms. Ranges:
/// IANA's special-purpose registries (RFC 6890 and successors), all of v6 outside of 2000::/3, multicast, and the
/// platform addresses of clouds that lie in public space (168.63.129.16); the usual metadata services lie in
/// 169.254/16, 100.64/10, fc00::/7.
class target_guard {
public:
  struct rules {
    std::vector<cidr_block> allow{};
    std::vector<cidr_block> deny{};
    bool allow_loopback = false; ///< `--dev`
  };
  explicit target_guard(rules given) : rules_(std::move(given)) {}

  /// Empty: allowed. Otherwise the kind of range, in words for people: "private", "loopback" …
  [[nodiscard]] std::string_view why_blocked(const ip_address& address, std::uint16_t port) const noexcept;
  [[nodiscard]] bool allows(const ip_address& address, std::uint16_t port) const noexcept {
    return why_blocked(address, port).empty();
  }

  /// From now on that listener is never called. `::` or `0.0.0.0` stand for every loopback address and those of
  /// `interfaces` (see local_addresses()). Any thread, any time.
  void block_listener(const ip_address& address, std::uint16_t port, const std::vector<ip_address>& interfaces);

private:
  struct listener {
    ip_address address;
    std::uint16_t port = 0;
    bool every_loopback = false;
  };
  [[nodiscard]] bool is_listener(const ip_address& address, std::uint16_t port) const noexcept;

  rules rules_;
  std::atomic<std::shared_ptr<const std::vector<listener>>> listeners_{};
};

/// The addresses of this machine's interfaces; empty when they cannot be read.
std::vector<ip_address> local_addresses();

} // namespace postrider
