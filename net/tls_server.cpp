#include "net/tls_server.hpp"

#include "net/pem.hpp"
#include "net/tls_policy.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <string_view>

namespace postrider {

namespace {

using file = tls_file_finding::file;

constexpr std::array<unsigned char, 9> http_1_1{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
constexpr std::string_view session_context = "postrider";
constexpr long session_lifetime_s = 7'200;

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                    unsigned offered_size, void*) {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, http_1_1.data(), http_1_1.size(), offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

/// Called in every handshake once the version is known, with or without a server name: the place where OpenSSL lets
/// tickets be turned off for one connection.
int no_tickets_before_1_3(SSL* ssl, int*, void*) {
  if (SSL_version(ssl) < TLS1_3_VERSION)
    SSL_set_options(ssl, SSL_OP_NO_TICKET);
  return SSL_TLSEXT_ERR_OK;
}

ssl_context_ptr new_context() {
  ERR_clear_error();
  ssl_context_ptr out{SSL_CTX_new(TLS_server_method())};
  auto* const context = out.get();
  if (context == nullptr || !apply_tls_policy(*context) ||
      SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>(session_context.data()),
                                     session_context.size()) != 1)
    return nullptr;
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  SSL_CTX_set_tlsext_servername_callback(context, no_tickets_before_1_3);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 1);
  SSL_CTX_set_timeout(context, session_lifetime_s);
  return out;
}

/// Gathers what is wrong with the files of one listener.
struct loading {
  SSL_CTX& context;
  wall_time now;
  std::vector<tls_file_finding>& errors;
  std::vector<tls_file_finding>& warnings;

  std::vector<certificate_ptr> certificates(const std::string& path, file about) {
    const auto text = read_pem_file(path);
    auto found = text ? read_certificates(*text, pem_others::passed_over) : text.error();
    if (!found) {
      errors.push_back({about, found.error().detail});
      return {};
    }
    for (const auto& each : *found)
      if (const auto why = why_not_valid(*each, now); !why.empty())
        warnings.push_back({about, "holds a certificate that " + why});
    return std::move(*found);
  }

  private_key_ptr key(const std::string& path) {
    auto text = read_pem_file(path);
    auto found = text ? read_private_key(*text) : text.error();
    if (text)
      wipe(*text);
    if (found)
      return std::move(*found);
    errors.push_back({file::key_, found.error().detail});
    return nullptr;
  }

  void own(const tls_server_files& files) {
    const auto chain = certificates(files.certificate, file::certificate);
    const auto secret = key(files.key);
    if (chain.empty() || !secret)
      return;
    if (!key_matches(*chain.front(), *secret))
      errors.push_back({file::key_, "does not belong to the certificate (the first one of its file)"});
    else if (auto why = why_not_own_key(*secret); !why.empty())
      errors.push_back({file::key_, std::move(why)});
    else if (auto refused = use_certificate_chain(context, chain, *secret); !refused.empty())
      errors.push_back({file::certificate, "cannot be used: " + refused});
  }

  void clients(const std::string& path) {
    const auto authorities = certificates(path, file::client_ca);
    for (const auto& each : authorities)
      if (X509_STORE_add_cert(SSL_CTX_get_cert_store(&context), each.get()) != 1 ||
          SSL_CTX_add_client_CA(&context, each.get()) != 1)
        return errors.push_back({file::client_ca, "cannot be used: " + openssl_error()});
    SSL_CTX_set_verify(&context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
};

} // namespace

std::shared_ptr<const tls_server> tls_server::make(const tls_server_files& files, wall_time now,
                                                   std::vector<tls_file_finding>& errors,
                                                   std::vector<tls_file_finding>& warnings) {
  auto context = new_context();
  if (!context) {
    errors.push_back({file::certificate, "cannot be used: TLS is not available: " + openssl_error()});
    return nullptr;
  }
  const auto before = errors.size();
  loading load{*context, now, errors, warnings};
  load.own(files);
  if (!files.client_ca.empty())
    load.clients(files.client_ca);
  if (errors.size() > before)
    return nullptr;
  return std::shared_ptr<const tls_server>{new tls_server{std::move(context)}};
}

ssl_ptr tls_server::connection() const {
  ERR_clear_error();
  ssl_ptr out{SSL_new(context_.get())};
  if (out)
    SSL_set_accept_state(out.get());
  return out;
}

} // namespace postrider
