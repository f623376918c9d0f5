#pragma once

#include "tests/net/server_fixture.hpp"
#include "tests/net/test_certificates.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace postrider::test {

/// How a client of the test speaks TLS.
struct tls_manner {
  int version_min = 0, version_max = 0; ///< 0: any
  std::string protocols{};              ///< ALPN, as on the wire; empty: not offered
  std::string ciphers_1_2{};
  std::string groups{};     ///< of the key exchange; empty: OpenSSL's own
  test_identity identity{}; ///< presented where it is not empty
  SSL_SESSION* resume = nullptr;
};

/// A blocking client over TLS that verifies nobody. `failed` is not empty where the handshake did not come off; over
/// TLS 1.3 a server's objection to the client comes with the first read, as `alert`.
class tls_raw_client : public raw_client {
public:
  explicit tls_raw_client(const std::string& address, const tls_manner& how = {})
      : raw_client(address), context_{SSL_CTX_new(TLS_client_method()), SSL_CTX_free} {
    SSL_CTX_set_security_level(context_.get(), 0); // what the server refuses, it must refuse by itself
    SSL_CTX_set_min_proto_version(context_.get(), how.version_min);
    SSL_CTX_set_max_proto_version(context_.get(), how.version_max);
    if (!how.ciphers_1_2.empty())
      SSL_CTX_set_cipher_list(context_.get(), how.ciphers_1_2.c_str());
    if (!how.groups.empty())
      SSL_CTX_set1_groups_list(context_.get(), how.groups.c_str());
    if (!how.identity.key.empty())
      present(how.identity);
    ssl_.reset(SSL_new(context_.get()), SSL_free);
    if (!how.protocols.empty())
      SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(how.protocols.data()),
                          static_cast<unsigned>(how.protocols.size()));
    if (how.resume != nullptr)
      SSL_set_session(ssl_.get(), how.resume);
    SSL_set_fd(ssl_.get(), descriptor());
    ERR_clear_error();
    if (SSL_connect(ssl_.get()) != 1)
      failed = last_error();
  }
  [[nodiscard]] SSL* ssl() const noexcept { return ssl_.get(); }
  [[nodiscard]] bool resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
  void say_goodbye() { SSL_shutdown(ssl_.get()); }
  /// Ends the stream without close_notify.
  void cut() const { ::shutdown(descriptor(), SHUT_WR); }
  /// The server has said close_notify.
  [[nodiscard]] bool heard_goodbye() const { return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }

  std::string failed, alert;

protected:
  ssize_t put(const char* bytes, std::size_t size) override {
    return SSL_write(ssl_.get(), bytes, static_cast<int>(size));
  }
  ssize_t take(char* bytes, std::size_t size) override {
    ERR_clear_error();
    const int got = SSL_read(ssl_.get(), bytes, static_cast<int>(size));
    if (got <= 0)
      alert = last_error();
    return got;
  }

private:
  static std::string last_error() {
    const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason == nullptr ? "closed" : reason;
  }
  void present(const test_identity& who) {
    const std::shared_ptr<BIO> certificate{BIO_new_mem_buf(who.certificate.data(), -1), BIO_free};
    const std::shared_ptr<BIO> key{BIO_new_mem_buf(who.key.data(), -1), BIO_free};
    const std::shared_ptr<X509> leaf{PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr), X509_free};
    const std::shared_ptr<EVP_PKEY> secret{PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr),
                                           EVP_PKEY_free};
    SSL_CTX_use_certificate(context_.get(), leaf.get());
    SSL_CTX_use_PrivateKey(context_.get(), secret.get());
  }

  std::shared_ptr<SSL_CTX> context_;
  std::shared_ptr<SSL> ssl_;
};

} // namespace postrider::test
