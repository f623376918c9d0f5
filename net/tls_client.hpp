#pragma once

#include "net/target_url.hpp"

#include <memory>
#include <optional>
#include <string>

extern "C" {
typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_session_st SSL_SESSION;
}

namespace postrider {

struct free_ssl {
  void operator()(SSL* ssl) const noexcept;
  void operator()(SSL_CTX* context) const noexcept;
  void operator()(SSL_SESSION* session) const noexcept;
};

/// The newest TLS session of one endpoint, for an abbreviated handshake on its next connection. Never shared between
/// endpoints.
class tls_session_slot {
public:
  void keep(std::unique_ptr<SSL_SESSION, free_ssl> session) noexcept { session_ = std::move(session); }
  [[nodiscard]] SSL_SESSION* session() const noexcept { return session_.get(); }

private:
  std::unique_ptr<SSL_SESSION, free_ssl> session_;
};

/// How SENDER speaks TLS: 1.2 or newer, the server's certificate always verified against the system's authorities (and
/// `extra_ca_file`, PEM, where given) and by the name in the URL; ALPN `http/1.1`; no renegotiation. One for the
/// process, thread-safe.
class tls_client {
public:
  /// Nothing on failure, and `error` says why: an unreadable `extra_ca_file`.
  static std::shared_ptr<const tls_client> make(const std::string& extra_ca_file, std::string& error);

  /// A client's half of a connection to `target`: name to verify, SNI (names only, RFC 6066), the session to resume.
  /// New sessions go to `slot`, which must outlive it. Null when OpenSSL has no memory or refuses the name.
  [[nodiscard]] std::unique_ptr<SSL, free_ssl> connection_to(const target_url& target, tls_session_slot& slot) const;

private:
  explicit tls_client(std::unique_ptr<SSL_CTX, free_ssl> context) noexcept : context_(std::move(context)) {}
  std::unique_ptr<SSL_CTX, free_ssl> context_;
};

} // namespace postrider
