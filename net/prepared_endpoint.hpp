#pragma once

#include "core/event.hpp"
#include "core/outcome.hpp"
#include "core/tenant_config.hpp"
#include "core/time.hpp"
#include "net/target_url.hpp"
#include "net/tls_client.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postrider {

/// What SENDER works out once for each version of an endpoint's configuration: the URL taken apart, the secrets
/// decoded, the constant lines of the request. Belongs to one io thread.
struct prepared_endpoint {
  std::weak_ptr<const endpoint_config> source;
  target_url target;
  /// Why nothing can be sent there, whatever the peer: `dns_failed` (a URL without a host to call), `tls_handshake` (it
  /// is http:// where only https is allowed), `network_unreachable` (no secret to sign with).
  attempt_reason unusable = attempt_reason::none;
  std::string problem;                              ///< the same in words, for the log
  std::vector<std::string> keys;                    ///< decoded, newest first
  std::vector<std::optional<wall_time>> key_expiry; ///< as many
  bool keys_expire = false;                         ///< any of them
  std::string first_lines;                          ///< request line, host, user-agent
  std::string last_lines;                           ///< the endpoint's own headers and the empty line
  std::uint32_t max_in_flight = 1;
  std::shared_ptr<tls_session_slot> session = std::make_shared<tls_session_slot>(); ///< the TLS session to resume
  std::shared_ptr<const endpoint_tls> own_tls{};                                    ///< as configured
  std::shared_ptr<const tls_client> tls{}; ///< what was made of it; none: the node's own

  /// Whether a connection made for one serves the other: the same server, verified and met in the same way.
  [[nodiscard]] bool same_peer(const prepared_endpoint& other) const {
    return target.same_server(other.target) &&
           (own_tls == other.own_tls || (own_tls && other.own_tls && *own_tls == *other.own_tls));
  }
  /// Makes `tls`, or takes over that of the version before where nothing about it has changed; likewise the session.
  void take_tls(const prepared_endpoint* before, const tls_client& node);

  /// Whether this was made from that very object.
  [[nodiscard]] bool is_of(const std::shared_ptr<const endpoint_config>& config) const noexcept {
    return !source.owner_before(config) && !config.owner_before(source) && identity == config.get();
  }
  const endpoint_config* identity = nullptr; ///< compared, never followed
};

std::shared_ptr<prepared_endpoint> prepare_endpoint(const std::shared_ptr<const endpoint_config>& config,
                                                    bool https_only);

/// The whole head of the request for one attempt into `out`, which is emptied first (api.md, "What an endpoint
/// receives"), signed for `now` by every secret that has not run out. Control characters in a value become spaces, so
/// that no value can end its line.
void compose_request_head(const prepared_endpoint& endpoint, const event& what, std::uint32_t number, wall_time now,
                          std::string& out);

} // namespace postrider
