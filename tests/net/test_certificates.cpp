#include "tests/net/test_certificates.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <vector>

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

template <class Write>
std::string pem_of(Write write) {
  auto* const memory = checked(BIO_new(BIO_s_mem()));
  write(memory);
  char* data = nullptr;
  const auto size = BIO_get_mem_data(memory, &data);
  std::string out{data, static_cast<std::size_t>(size)};
  BIO_free(memory);
  return out;
}

/// A key whose numbers have the right sizes, and are made up: it takes no time, and signs nothing.
EVP_PKEY* made_up_rsa(int bits) {
  const std::shared_ptr<OSSL_PARAM_BLD> build{checked(OSSL_PARAM_BLD_new()), OSSL_PARAM_BLD_free};
  std::vector<std::shared_ptr<BIGNUM>> numbers;
  const auto add = [&](const char* name, int size) {
    auto* const number = numbers.emplace_back(checked(BN_new()), BN_free).get();
    if (size == 0)
      BN_set_word(number, 65'537);
    else
      BN_rand(number, size, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD);
    OSSL_PARAM_BLD_push_BN(build.get(), name, number);
  };
  add(OSSL_PKEY_PARAM_RSA_N, bits);
  add(OSSL_PKEY_PARAM_RSA_E, 0);
  add(OSSL_PKEY_PARAM_RSA_D, bits);
  for (const auto* const half :
       {OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2, OSSL_PKEY_PARAM_RSA_EXPONENT1,
        OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1})
    add(half, bits / 2);
  const std::shared_ptr<OSSL_PARAM> data{checked(OSSL_PARAM_BLD_to_param(build.get())), OSSL_PARAM_free};
  const std::shared_ptr<EVP_PKEY_CTX> context{checked(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr)),
                                              EVP_PKEY_CTX_free};
  EVP_PKEY* out = nullptr;
  EVP_PKEY_fromdata_init(context.get());
  EVP_PKEY_fromdata(context.get(), &out, EVP_PKEY_KEYPAIR, data.get());
  return checked(out);
}

EVP_PKEY* new_key(const test_authority::certificate& what) {
  if (what.rsa_bits > 2'048)
    return made_up_rsa(what.rsa_bits);
  if (what.rsa_bits > 0 || what.weak)
    return checked(EVP_RSA_gen(static_cast<unsigned>(what.weak ? 1'024 : what.rsa_bits)));
  return checked(what.curve == "ED25519" ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")
                                         : EVP_EC_gen(what.curve.c_str()));
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

struct test_authority::pair {
  EVP_PKEY* key = nullptr;
  X509* certificate = nullptr;
  ~pair() {
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
};

std::unique_ptr<test_authority::pair> test_authority::make(const certificate& what) const {
  auto out = std::make_unique<pair>();
  out->key = new_key(what);
  out->certificate = new_certificate(out->key, "server", what.valid_from_days, what.valid_until_days);
  auto* const issuer = what.self_signed ? out->certificate : keys_->certificate;
  X509_set_issuer_name(out->certificate, X509_get_subject_name(issuer));
  add_extension(out->certificate, issuer, NID_subject_alt_name, what.name);
  if (!what.name_constraints.empty())
    add_extension(out->certificate, issuer, NID_name_constraints, what.name_constraints);
  X509_sign(out->certificate, what.self_signed ? out->key : keys_->key, EVP_sha256());
  return out;
}

std::shared_ptr<SSL_CTX> test_authority::server(const certificate& what) const {
  std::shared_ptr<SSL_CTX> out{checked(SSL_CTX_new(TLS_server_method())), SSL_CTX_free};
  const auto own = make(what);
  SSL_CTX_use_certificate(out.get(), own->certificate);
  SSL_CTX_use_PrivateKey(out.get(), own->key);
  if (what.version_max != 0)
    SSL_CTX_set_max_proto_version(out.get(), what.version_max);
  return out;
}

test_identity test_authority::issue(const certificate& what) const {
  const auto own = make(what);
  return {pem_of([&](BIO* out) { PEM_write_bio_X509(out, own->certificate); }),
          pem_of([&](BIO* out) { PEM_write_bio_PrivateKey(out, own->key, nullptr, nullptr, 0, nullptr, nullptr); })};
}

std::string test_authority::pem() const {
  return pem_of([&](BIO* out) { PEM_write_bio_X509(out, keys_->certificate); });
}

std::shared_ptr<SSL_CTX> server_of(const test_identity& who) {
  const test_file certificate{who.certificate}, key{who.key};
  std::shared_ptr<SSL_CTX> out{checked(SSL_CTX_new(TLS_server_method())), SSL_CTX_free};
  SSL_CTX_use_certificate_file(out.get(), certificate.path().c_str(), SSL_FILETYPE_PEM);
  SSL_CTX_use_PrivateKey_file(out.get(), key.path().c_str(), SSL_FILETYPE_PEM);
  return out;
}

test_file::test_file(const std::string& text) {
  path_ = (std::filesystem::temp_directory_path() / "postrider-test-XXXXXX").string();
  ::close(::mkstemp(path_.data()));
  write(text);
}

test_file::~test_file() {
  std::filesystem::remove(path_);
}

void test_file::write(const std::string& text) const {
  std::ofstream{path_, std::ios::binary | std::ios::trunc} << text;
}

} // namespace postrider::test
