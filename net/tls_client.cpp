#include "net/tls_client.hpp"

#include "core/tenant_config.hpp"
#include "net/pem.hpp"
#include "net/tls_policy.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <string_view>

namespace postrider {

namespace {

/// Where an SSL object keeps the slot for its sessions.
int slot_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

int keep_session(SSL* ssl, SSL_SESSION* session) {
  auto* const slot = static_cast<tls_session_slot*>(SSL_get_ex_data(ssl, slot_index()));
  if (slot == nullptr || SSL_SESSION_is_resumable(session) == 0)
    return 0; // OpenSSL keeps it
  slot->keep(std::unique_ptr<SSL_SESSION, free_ssl>{session});
  return 1; // the reference is ours now
}

ssl_context_ptr new_context(std::string& error) {
  ERR_clear_error();
  ssl_context_ptr context{SSL_CTX_new(TLS_client_method())};
  if (!context || !apply_tls_policy(*context)) {
    error = "TLS is not available: " + openssl_error();
    return nullptr;
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  // Many peers close without close_notify. The framing of HTTP tells a cut response; only a body that the close itself
  // ends (of which an excerpt is kept) could be shortened, and the session stays resumable.
  SSL_CTX_set_options(context.get(), SSL_OP_IGNORE_UNEXPECTED_EOF);
  static constexpr std::array<unsigned char, 9> http_1_1{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  SSL_CTX_set_alpn_protos(context.get(), http_1_1.data(), http_1_1.size());
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context.get(), keep_session);
  slot_index();
  return context;
}

bool add_authorities(SSL_CTX& context, std::string_view pem, pem_others others, std::string& error) {
  const auto certificates = read_certificates(pem, others);
  if (!certificates) {
    error = certificates.error().detail;
    return false;
  }
  if (others == pem_others::refused) // a tenant's; those of the operator are his to choose
    if (error = why_too_costly(*certificates); !error.empty())
      return false;
  for (const auto& each : *certificates)
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(&context), each.get()) != 1) {
      error = "holds a certificate that OpenSSL refuses: " + openssl_error();
      return false;
    }
  return true;
}

bool use_certificate(SSL_CTX& context, const endpoint_tls& own, std::string& error) {
  const auto chain = read_certificates(own.client_certificate_pem, pem_others::refused);
  const auto key = read_private_key(own.client_key_pem);
  if (!chain || !key) {
    error = chain ? "the client key " + key.error().detail : "the client certificate " + chain.error().detail;
    return false;
  }
  if (const auto why = why_not_own_key(**key); !why.empty())
    error = "the client key " + why;
  else
    error = use_certificate_chain(context, *chain, **key);
  return error.empty();
}

} // namespace

std::shared_ptr<const tls_client> tls_client::make(const std::string& ca_bundle, std::string& error) {
  auto context = new_context(error);
  if (!context)
    return nullptr;
  // A system without authorities is no error here: each attempt says `tls_certificate` then.
  SSL_CTX_set_default_verify_paths(context.get());
  ERR_clear_error();
  if (!ca_bundle.empty()) {
    const auto text = read_pem_file(ca_bundle);
    if (!text)
      error = text.error().detail;
    if (!text || !add_authorities(*context, *text, pem_others::passed_over, error))
      return nullptr;
  }
  return std::shared_ptr<const tls_client>{new tls_client{std::move(context)}};
}

std::shared_ptr<const tls_client> tls_client::for_endpoint(const endpoint_tls& own, std::string& error) const {
  auto context = new_context(error);
  if (!context)
    return nullptr;
  if (own.ca_pem.empty()) // shared, not copied: the system's authorities are a megabyte
    SSL_CTX_set1_cert_store(context.get(), SSL_CTX_get_cert_store(context_.get()));
  else if (!add_authorities(*context, own.ca_pem, pem_others::refused, error))
    return nullptr;
  else // each of them is an authority by the tenant's word, also one that another has signed
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context.get()), X509_V_FLAG_PARTIAL_CHAIN);
  if (!own.client_certificate_pem.empty() && !use_certificate(*context, own, error))
    return nullptr;
  return std::shared_ptr<const tls_client>{new tls_client{std::move(context)}};
}

ssl_ptr tls_client::connection_to(const target_url& target, tls_session_slot& slot) const {
  ERR_clear_error();
  ssl_ptr ssl{SSL_new(context_.get())};
  if (!ssl)
    return nullptr;
  if (target.literal) {
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), target.host.c_str()) != 1)
      return nullptr;
  } else {
    std::string name = target.host;
    if (name.ends_with('.')) // the root's dot is DNS's, not the certificate's
      name.pop_back();
    SSL_set_hostflags(ssl.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (SSL_set1_host(ssl.get(), name.c_str()) != 1 || SSL_set_tlsext_host_name(ssl.get(), name.c_str()) != 1)
      return nullptr;
  }
  SSL_set_ex_data(ssl.get(), slot_index(), &slot);
  if (slot.session() != nullptr)
    SSL_set_session(ssl.get(), slot.session());
  SSL_set_connect_state(ssl.get());
  return ssl;
}

} // namespace postrider
