#include "net/openssl_handles.hpp"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace postrider {

void free_ssl::operator()(SSL* ssl) const noexcept {
  SSL_free(ssl);
}
void free_ssl::operator()(SSL_CTX* context) const noexcept {
  SSL_CTX_free(context);
}
void free_ssl::operator()(SSL_SESSION* session) const noexcept {
  SSL_SESSION_free(session);
}
void free_ssl::operator()(X509* certificate) const noexcept {
  X509_free(certificate);
}
void free_ssl::operator()(EVP_PKEY* key) const noexcept {
  EVP_PKEY_free(key);
}

} // namespace postrider
