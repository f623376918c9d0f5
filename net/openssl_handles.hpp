#pragma once

#include <memory>

// OpenSSL's objects by name, so that no header needs OpenSSL's own.
extern "C" {
typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_session_st SSL_SESSION;
typedef struct x509_st X509;
typedef struct evp_pkey_st EVP_PKEY;
}

namespace postrider {

struct free_ssl {
  void operator()(SSL* ssl) const noexcept;
  void operator()(SSL_CTX* context) const noexcept;
  void operator()(SSL_SESSION* session) const noexcept;
  void operator()(X509* certificate) const noexcept;
  void operator()(EVP_PKEY* key) const noexcept;
};

using ssl_ptr = std::unique_ptr<SSL, free_ssl>;
using ssl_context_ptr = std::unique_ptr<SSL_CTX, free_ssl>;
using certificate_ptr = std::unique_ptr<X509, free_ssl>;
using private_key_ptr = std::unique_ptr<EVP_PKEY, free_ssl>;

} // namespace postrider
