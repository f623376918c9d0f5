#include "tests/net/test_certificates.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <stdexcept>

#include <unistd.h>

namespace postrider::test {
namespace {

template <class T>
T* checked(T* made) {
  if (made == nullptr)
    throw std::runtime_error("OpenSSL cannot make a certificate for the test");
  return made;
}

void add_extension(X509* to, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  auto* const extension = checked(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  X509_add_ext(to, extension, -1);
  X509_EXTENSION_free(extension);
}

X509* new_certificate(EVP_PKEY* key, const char* common_name, int from_days, int until_days) {
  static long serial = 1;
  auto* const out = checked(X509_new());
  X509_set_version(out, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(out), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(out), from_days * 86'400L);
  X509_gmtime_adj(X509_getm_notAfter(out), until_days * 86'400L);
  X509_set_pubkey(out, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(out), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(common_name), -1, -1, 0);
  return out;
}

} // namespace

struct test_authority::keys {
  EVP_PKEY* key = checked(EVP_EC_gen("P-256"));
  X509* certificate = nullptr;
  ~keys() {
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
};

test_authority::test_authority() : keys_(std::make_unique<keys>()) {
  keys_->certificate = new_certificate(keys_->key, "Postrider test authority", -10, 10);
  X509_set_issuer_name(keys_->certificate, X509_get_subject_name(keys_->certificate));
  add_extension(keys_->certificate, keys_->certificate, NID_basic_constraints, "critical,CA:TRUE");
  X509_sign(keys_->certificate, keys_->key, EVP_sha256());

  auto name = (std::filesystem::temp_directory_path() / "postrider-test-XXXXXX").string();
  const int fd = ::mkstemp(name.data());
  auto* const file = checked(::fdopen(fd, "w"));
  PEM_write_X509(file, keys_->certificate);
  ::fclose(file);
  file_ = name;
}

test_authority::~test_authority() {
  std::filesystem::remove(file_);
}

std::shared_ptr<SSL_CTX> test_authority::server(const certificate& what) const {
  std::shared_ptr<SSL_CTX> out{checked(SSL_CTX_new(TLS_server_method())), SSL_CTX_free};
  auto* const key = checked(EVP_EC_gen("P-256"));
  auto* const own = new_certificate(key, "server", what.valid_from_days, what.valid_until_days);
  auto* const issuer = what.self_signed ? own : keys_->certificate;
  X509_set_issuer_name(own, X509_get_subject_name(issuer));
  add_extension(own, issuer, NID_subject_alt_name, what.name);
  X509_sign(own, what.self_signed ? key : keys_->key, EVP_sha256());
  SSL_CTX_use_certificate(out.get(), own);
  SSL_CTX_use_PrivateKey(out.get(), key);
  if (what.version_max != 0)
    SSL_CTX_set_max_proto_version(out.get(), what.version_max);
  X509_free(own);
  EVP_PKEY_free(key);
  return out;
}

} // namespace postrider::test
