#pragma once

#include "core/time.hpp"
#include "net/openssl_handles.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace postrider {

/// PEM files of one listener.
struct tls_server_files {
  std::string certificate; ///< the chain, leaf first
  std::string key;
  std::string client_ca; ///< empty: clients need no certificate
};

/// What is wrong, or dubious, about one of the files. Repeats nothing of a key.
struct tls_file_finding {
  enum class file : std::uint8_t { certificate, key_, client_ca };
  file about = file::certificate;
  std::string detail; ///< reads on after the name of the file: "cannot be read: …"
};

/// How LISTENER speaks TLS: 1.2 (ECDHE with AES-GCM or ChaCha20 only) or 1.3; no compression, no renegotiation, no
/// early data; ALPN `http/1.1` (a client that offers only others is refused with `no_application_protocol`, RFC 7301;
/// one that offers none is let in). With a `client_ca` a client must present a certificate of that authority, or the
/// handshake fails.
///
/// Resumption: by TLS 1.3 tickets alone, one a connection, for at most two hours. They cost no memory here and, with a
/// fresh key exchange in each handshake, no forward secrecy; TLS 1.2's would, so there are none. Their key belongs to
/// this object: a client that resumes was verified against the very `client_ca` in force, and with the next object
/// (SIGHUP) every client is verified anew.
///
/// Immutable, thread-safe; connections made by it stay as they are when it goes.
class tls_server {
public:
  /// Null where `errors` were found; `warnings` (a certificate that has expired or is not valid yet) stop nothing.
  static std::shared_ptr<const tls_server> make(const tls_server_files& files, wall_time now,
                                                std::vector<tls_file_finding>& errors,
                                                std::vector<tls_file_finding>& warnings);

  /// The server's half of a connection; null when OpenSSL has no memory.
  [[nodiscard]] ssl_ptr connection() const;

private:
  explicit tls_server(ssl_context_ptr context) noexcept : context_(std::move(context)) {}
  ssl_context_ptr context_;
};

} // namespace postrider
