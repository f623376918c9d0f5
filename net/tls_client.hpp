#pragma once

#include "net/openssl_handles.hpp"
#include "net/target_url.hpp"

#include <memory>
#include <optional>
#include <string>

namespace postrider {

struct endpoint_tls;

/// The newest TLS session of one endpoint, for an abbreviated handshake on its next connection. Never shared between
/// endpoints.
class tls_session_slot {
public:
  void keep(std::unique_ptr<SSL_SESSION, free_ssl> session) noexcept { session_ = std::move(session); }
  [[nodiscard]] SSL_SESSION* session() const noexcept { return session_.get(); }

private:
  std::unique_ptr<SSL_SESSION, free_ssl> session_;
};

/// How SENDER speaks TLS: 1.2 or newer, the server's certificate always verified and by the name in the URL; ALPN
/// `http/1.1`; no renegotiation. One for the process, and one for each endpoint that has authorities or a certificate
/// of its own. Thread-safe.
///
/// Whom it believes: the system's authorities and those of `[delivery] ca_bundle`; for an endpoint with a `ca_pem` that
/// one alone. It replaces the others, for who names an authority wants no other to vouch for his endpoint.
class tls_client {
public:
  /// Nothing on failure, and `error` says why: it reads on after the name of the file, `ca_bundle` (PEM; empty: none).
  static std::shared_ptr<const tls_client> make(const std::string& ca_bundle, std::string& error);

  /// The same for one endpoint, with its own authorities and certificate. Nothing on failure; the management API lets
  /// nothing pass that fails here.
  [[nodiscard]] std::shared_ptr<const tls_client> for_endpoint(const endpoint_tls& own, std::string& error) const;

  /// A client's half of a connection to `target`: name to verify, SNI (names only, RFC 6066), the session to resume.
  /// New sessions go to `slot`, which must outlive it. Null when OpenSSL has no memory or refuses the name.
  [[nodiscard]] ssl_ptr connection_to(const target_url& target, tls_session_slot& slot) const;

private:
  explicit tls_client(ssl_context_ptr context) noexcept : context_(std::move(context)) {}
  ssl_context_ptr context_;
};

} // namespace postrider
