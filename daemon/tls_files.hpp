#pragma once

#include "config/load.hpp"
#include "net/http_server.hpp"
#include "net/tls_client.hpp"
#include "net/tls_server.hpp"

#include <array>
#include <memory>
#include <vector>

namespace postrider {

/// TLS as the files say that the configuration names.
struct node_tls {
  std::array<std::shared_ptr<const tls_server>, listener_count> listeners; ///< none: that one is without TLS
  std::shared_ptr<const tls_client> endpoints;
};

/// What was found out about the files, each with the key that names it and where that stands. Never holds a secret.
struct tls_findings {
  std::vector<config_error> errors;
  std::vector<config_error> warnings; ///< a certificate that has expired or is not valid yet
};

/// Reads them all (`check-config`, the start). To be used only without errors.
node_tls read_node_tls(const settings& values, const config_origins& origins, tls_findings& found);

/// Those of the listeners alone (SIGHUP).
decltype(node_tls::listeners) read_listener_tls(const settings& values, const config_origins& origins,
                                                tls_findings& found);

} // namespace postrider
