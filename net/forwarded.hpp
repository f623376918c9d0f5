#pragma once

#include "net/http_message.hpp"
#include "net/ip_address.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postrider {

/// How a client called, by the word of the proxies between it and us. What could not be believed is not set.
struct forwarded_call {
  std::string address{};          ///< the client's
  std::optional<bool> over_tls{}; ///< it called with https
  std::string host{};             ///< the host that it named, with its port where it named one
};

/// `[public] trusted_proxies`: whose forwarding headers are believed. Pure.
///
/// Read are `X-Forwarded-For`, `-Proto`, `-Host`, or RFC 7239 `Forwarded`; where a request has both kinds neither is
/// believed, for one of them may have come through from the client.
///  - The client is the rightmost address that is no trusted proxy (where all are: the leftmost). What stands left of
///  it
///    was written by strangers and is not looked at.
///  - `X-Forwarded-Proto` and `-Host` must stand there once, with one value: `http` or `https`; a host with or without
///    port. Of `Forwarded`, `proto` and `host` are those of the client's own element.
/// Whatever is not of that form is not believed: an address that cannot be read leaves the one right of it, at the last
/// the proxy's own, as the client's; a scheme or host leaves that of the connection.
class trusted_proxies {
public:
  explicit trusted_proxies(std::vector<cidr_block> blocks) : blocks_(std::move(blocks)) {}

  /// Nothing: `peer` is no trusted proxy. `fields`: `name: value\r\n` each.
  [[nodiscard]] std::optional<forwarded_call> read(std::string_view peer, std::string_view fields) const;

private:
  [[nodiscard]] bool trusts(const ip_address& address) const noexcept;
  void read_list(const std::vector<std::string_view>& values, forwarded_call& out) const;
  void read_elements(const std::vector<std::string_view>& values, forwarded_call& out) const;

  std::vector<cidr_block> blocks_;
};

/// A listener's routes as they are seen through its trusted proxies: the client's address, scheme and host instead of
/// the proxy's. Only in front of listeners that have some.
class proxied_routes final : public http_handler {
public:
  proxied_routes(trusted_proxies trusted, http_handler& inner) : trusted_(std::move(trusted)), inner_(inner) {}

  head_verdict examine(const request_head& head, std::string_view request_id, std::string_view remote_address) override;
  std::unique_ptr<http_response> handle(http_call call) override;

private:
  trusted_proxies trusted_;
  http_handler& inner_;
};

} // namespace postrider
