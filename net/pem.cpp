#include "net/pem.hpp"

#include "net/tls_policy.hpp"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>

namespace postrider {

namespace {

struct free_bio {
  void operator()(BIO* bio) const noexcept { BIO_free(bio); }
};
using bio_ptr = std::unique_ptr<BIO, free_bio>;

bio_ptr reader_of(std::string_view text) {
  return bio_ptr{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
}

problem wrong(std::string detail) {
  return {400, "pem-invalid", std::move(detail)};
}

/// One block of any kind.
struct pem_block {
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  ~pem_block() {
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_clear_free(data, static_cast<std::size_t>(size));
  }
};

struct free_pkcs8 {
  void operator()(PKCS8_PRIV_KEY_INFO* info) const noexcept { PKCS8_PRIV_KEY_INFO_free(info); }
};

/// Of the kinds that anybody signs handshakes with. It is told by the frame, before OpenSSL reads the key itself:
/// reading one for DSA or DH computes its public half, which takes seconds where the numbers are long.
private_key_ptr key_in_pkcs8(const unsigned char* at, long size) {
  const std::unique_ptr<PKCS8_PRIV_KEY_INFO, free_pkcs8> info{d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, size)};
  const ASN1_OBJECT* kind = nullptr;
  if (!info || PKCS8_pkey_get0(&kind, nullptr, nullptr, nullptr, info.get()) != 1)
    return nullptr;
  switch (OBJ_obj2nid(kind)) {
  case NID_rsaEncryption:
  case NID_rsassaPss:
  case NID_X9_62_id_ecPublicKey:
  case NID_ED25519:
  case NID_ED448:
    return private_key_ptr{EVP_PKCS82PKEY(info.get())};
  default:
    return nullptr;
  }
}

private_key_ptr key_in(const pem_block& block) {
  const std::string_view name{block.name};
  const unsigned char* at = block.data;
  if (name == "PRIVATE KEY")
    return key_in_pkcs8(at, block.size);
  if (name == "RSA PRIVATE KEY")
    return private_key_ptr{d2i_PrivateKey(EVP_PKEY_RSA, nullptr, &at, block.size)};
  if (name == "EC PRIVATE KEY")
    return private_key_ptr{d2i_PrivateKey(EVP_PKEY_EC, nullptr, &at, block.size)};
  return nullptr;
}

std::string to_text(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1)
    return "an unreadable time";
  return to_rfc3339(wall_time{std::chrono::seconds{timegm(&parts)}});
}

} // namespace

result<std::string> read_pem_file(const std::string& path, std::size_t size_max) {
  errno = 0;
  std::error_code ignored;
  std::ifstream in{path, std::ios::binary};
  if (!in || std::filesystem::is_directory(path, ignored))
    return wrong(std::string{"cannot be read: "} + std::strerror(errno == 0 ? EISDIR : errno));
  std::string text(size_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > size_max)
    return wrong("is larger than " + std::to_string(size_max >> 10) + " KiB");
  return text;
}

void wipe(std::string& text) noexcept {
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

result<std::vector<certificate_ptr>> read_certificates(std::string_view pem, pem_others others) {
  std::vector<certificate_ptr> out;
  const auto in = reader_of(pem);
  ERR_clear_error();
  while (true) {
    pem_block block;
    if (PEM_read_bio(in.get(), &block.name, &block.header, &block.data, &block.size) != 1) {
      const auto error = ERR_peek_last_error();
      ERR_clear_error();
      if (ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE)
        break; // the end
      return wrong("is no PEM text: a block in it is cut off or damaged");
    }
    if (std::string_view{block.name} != "CERTIFICATE") {
      if (others == pem_others::refused)
        return wrong("must hold certificates only (BEGIN CERTIFICATE)");
      continue;
    }
    const unsigned char* at = block.data;
    certificate_ptr certificate{d2i_X509(nullptr, &at, block.size)};
    if (!certificate || at != block.data + block.size) {
      ERR_clear_error();
      return wrong("holds a certificate that cannot be read");
    }
    out.push_back(std::move(certificate));
  }
  if (out.empty())
    return wrong("holds no certificate (BEGIN CERTIFICATE)");
  return out;
}

result<private_key_ptr> read_private_key(std::string_view pem) {
  const auto in = reader_of(pem);
  while (true) {
    pem_block block;
    if (PEM_read_bio(in.get(), &block.name, &block.header, &block.data, &block.size) != 1)
      break;
    const std::string_view name{block.name};
    if (!name.ends_with("PRIVATE KEY"))
      continue; // certificates, parameters of a curve
    if (name.starts_with("ENCRYPTED") || std::string_view{block.header}.find("ENCRYPTED") != std::string_view::npos)
      return wrong("is protected by a passphrase: that is not supported");
    auto key = key_in(block);
    ERR_clear_error();
    if (!key)
      return wrong("holds a private key that cannot be read, or is none for RSA, EC, Ed25519 or Ed448");
    return key;
  }
  ERR_clear_error();
  return wrong("holds no private key that can be read (BEGIN PRIVATE KEY)");
}

bool key_matches(X509& certificate, EVP_PKEY& key) noexcept {
  const bool matches = X509_check_private_key(&certificate, &key) == 1;
  ERR_clear_error();
  return matches;
}

std::string use_certificate_chain(SSL_CTX& context, const std::vector<certificate_ptr>& chain, EVP_PKEY& key) {
  ERR_clear_error();
  if (SSL_CTX_use_certificate(&context, chain.front().get()) != 1)
    return "OpenSSL refuses the certificate: " + openssl_error();
  for (std::size_t i = 1; i < chain.size(); ++i)
    if (SSL_CTX_add1_chain_cert(&context, chain[i].get()) != 1)
      return "OpenSSL refuses a certificate of the chain: " + openssl_error();
  if (SSL_CTX_use_PrivateKey(&context, &key) != 1 || SSL_CTX_check_private_key(&context) != 1)
    return "OpenSSL refuses the key: " + openssl_error();
  return {};
}

std::string try_certificate_chain(const std::vector<certificate_ptr>& chain, EVP_PKEY& key) {
  const ssl_context_ptr context{SSL_CTX_new(TLS_client_method())};
  return context && apply_tls_policy(*context) ? use_certificate_chain(*context, chain, key)
                                               : "TLS is not available: " + openssl_error();
}

std::string to_pem(const std::vector<certificate_ptr>& certificates) {
  const bio_ptr out{BIO_new(BIO_s_mem())};
  for (const auto& each : certificates)
    PEM_write_bio_X509(out.get(), each.get());
  char* data = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string why_not_valid(X509& certificate, wall_time now) {
  auto seconds = std::chrono::system_clock::to_time_t(now);
  if (X509_cmp_time(X509_get0_notAfter(&certificate), &seconds) < 0)
    return "expired on " + to_text(X509_get0_notAfter(&certificate));
  if (X509_cmp_time(X509_get0_notBefore(&certificate), &seconds) > 0)
    return "is valid only from " + to_text(X509_get0_notBefore(&certificate));
  return {};
}

std::string openssl_error() {
  const auto error = ERR_get_error();
  ERR_clear_error();
  const char* const reason = ERR_reason_error_string(error);
  if (reason != nullptr)
    return reason;
  std::array<char, 256> text{};
  ERR_error_string_n(error, text.data(), text.size());
  return text.data();
}

} // namespace postrider
