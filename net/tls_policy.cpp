#include "net/tls_policy.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace postrider {

namespace {

constexpr const char* ciphers_1_2 = "ECDHE+AESGCM:ECDHE+CHACHA20";
/// P-521 stands here for the certificates on it, which TLS 1.2 counts among the groups; it costs less than P-384.
constexpr const char* groups = "X25519:P-256:P-521:P-384";
constexpr int security_level = 2;
constexpr int authorities_between_max = 8;
constexpr int own_rsa_bits_min = 2048, own_rsa_bits_max = 4096;
constexpr int rsa_bits_max = 8192;
constexpr int rsa_exponent_bits_max = 32; // as Windows has it; in use are 3 and 65537
constexpr int names_max = 1'000, constraints_max = 100;

struct free_number {
  void operator()(BIGNUM* number) const noexcept { BN_clear_free(number); }
};

/// Bits of one number of a key; 0: it has none of that name.
int bits_of(const EVP_PKEY& key, const char* name) {
  BIGNUM* number = nullptr;
  const bool found = EVP_PKEY_get_bn_param(&key, name, &number) == 1;
  const std::unique_ptr<BIGNUM, free_number> owned{number};
  return found ? BN_num_bits(number) : 0;
}

bool is_rsa(const EVP_PKEY& key) {
  return EVP_PKEY_is_a(&key, "RSA") == 1 || EVP_PKEY_is_a(&key, "RSA-PSS") == 1;
}

/// Edwards curves, and those of NIST that are named and fast.
bool is_known_curve(const EVP_PKEY& key) {
  if (EVP_PKEY_is_a(&key, "ED25519") == 1 || EVP_PKEY_is_a(&key, "ED448") == 1)
    return true;
  std::array<char, 64> name{};
  if (EVP_PKEY_is_a(&key, "EC") != 1 || EVP_PKEY_get_group_name(&key, name.data(), name.size(), nullptr) != 1)
    return false;
  const std::string_view curve{name.data()};
  return curve == SN_X9_62_prime256v1 || curve == SN_secp384r1 || curve == SN_secp521r1;
}

constexpr const char* known_kinds = "RSA, EC on P-256, P-384 or P-521, Ed25519 or Ed448 is allowed";

/// Signing takes as long as the key's numbers say, and its maker may have written any: the private exponent is as long
/// as the modulus at most, the two primes and what goes with them half of it.
bool has_usual_numbers(const EVP_PKEY& key, int bits) {
  const auto up_to = [&](const char* name, int most) {
    const int found = bits_of(key, name);
    return found > 0 && found <= most;
  };
  const int half = (bits + 1) / 2;
  return up_to(OSSL_PKEY_PARAM_RSA_E, rsa_exponent_bits_max) && up_to(OSSL_PKEY_PARAM_RSA_D, bits) &&
         up_to(OSSL_PKEY_PARAM_RSA_FACTOR1, half) && up_to(OSSL_PKEY_PARAM_RSA_FACTOR2, half) &&
         up_to(OSSL_PKEY_PARAM_RSA_EXPONENT1, half) && up_to(OSSL_PKEY_PARAM_RSA_EXPONENT2, half) &&
         up_to(OSSL_PKEY_PARAM_RSA_COEFFICIENT1, half) && bits_of(key, OSSL_PKEY_PARAM_RSA_FACTOR3) == 0;
}

/// Adds up what verifying certificates costs, and says which of them is too much.
class cost {
public:
  std::string add(X509& certificate) {
    const auto* const key = X509_get0_pubkey(&certificate);
    if (key == nullptr)
      return "holds a certificate whose key cannot be read";
    if (is_rsa(*key)) {
      if (EVP_PKEY_get_bits(key) > rsa_bits_max)
        return "holds an RSA key of more than " + std::to_string(rsa_bits_max) + " bits";
      if (bits_of(*key, OSSL_PKEY_PARAM_RSA_E) > rsa_exponent_bits_max)
        return "holds an RSA key with an exponent of more than " + std::to_string(rsa_exponent_bits_max) + " bits";
    } else if (!is_known_curve(*key))
      return std::string{"holds a key of a kind that is not taken: "} + known_kinds;
    names_ += names_in(certificate);
    constraints_ += constraints_in(certificate);
    if (names_ > names_max)
      return "holds more than " + std::to_string(names_max) + " names";
    if (constraints_ > constraints_max)
      return "holds more than " + std::to_string(constraints_max) + " constraints on names";
    return {};
  }

private:
  static int names_in(X509& certificate) {
    auto* const names =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr));
    const int count = names == nullptr ? 0 : sk_GENERAL_NAME_num(names);
    GENERAL_NAMES_free(names);
    return count + X509_NAME_entry_count(X509_get_subject_name(&certificate));
  }
  static int constraints_in(X509& certificate) {
    auto* const all =
      static_cast<NAME_CONSTRAINTS*>(X509_get_ext_d2i(&certificate, NID_name_constraints, nullptr, nullptr));
    if (all == nullptr)
      return 0;
    const auto count = [](const STACK_OF(GENERAL_SUBTREE) * trees) {
      return std::max(0, sk_GENERAL_SUBTREE_num(trees)); // -1: there are none
    };
    const int out = count(all->permittedSubtrees) + count(all->excludedSubtrees);
    NAME_CONSTRAINTS_free(all);
    return out;
  }

  int names_ = 0;
  int constraints_ = 0;
};

/// In place of OpenSSL's own verification, to look at what came before anything is computed with it.
int verify_within_bounds(X509_STORE_CTX* verification, void*) {
  const auto* const presented = X509_STORE_CTX_get0_untrusted(verification); // the leaf among them
  cost sum;
  ERR_set_mark(); // an extension that cannot be read is for the verification to refuse
  bool affordable = true;
  for (int i = 0; affordable && i < sk_X509_num(presented); ++i)
    affordable = sum.add(*sk_X509_value(presented, i)).empty();
  ERR_pop_to_mark();
  if (!affordable) {
    X509_STORE_CTX_set_error(verification, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
  }
  return X509_verify_cert(verification);
}

} // namespace

bool apply_tls_policy(SSL_CTX& context) noexcept {
  SSL_CTX_set_security_level(&context, security_level); // whatever openssl.cnf says
  if (SSL_CTX_set_min_proto_version(&context, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_max_proto_version(&context, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(&context, ciphers_1_2) != 1 || SSL_CTX_set1_groups_list(&context, groups) != 1)
    return false;
  SSL_CTX_set_options(&context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  // Buffers go back while a connection is idle: thousands of them are.
  SSL_CTX_set_mode(&context,
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_max_cert_list(&context, static_cast<long>(tls_peer_certificates_max));
  SSL_CTX_set_verify_depth(&context, authorities_between_max);
  SSL_CTX_set_cert_verify_callback(&context, verify_within_bounds, nullptr);
  return true;
}

std::string why_not_own_key(EVP_PKEY& key) {
  std::string out;
  if (!is_rsa(key)) {
    if (!is_known_curve(key))
      out = std::string{"is a key of a kind that is not taken: "} + known_kinds;
  } else if (const int bits = EVP_PKEY_get_bits(&key); bits < own_rsa_bits_min || bits > own_rsa_bits_max)
    out = "is an RSA key of " + std::to_string(bits) + " bits: " + std::to_string(own_rsa_bits_min) + " to " +
          std::to_string(own_rsa_bits_max) + " are allowed";
  else if (!has_usual_numbers(key, bits))
    out =
      "is an RSA key with unusual numbers: two primes of half the length, and all that goes with them, are expected";
  ERR_clear_error();
  return out;
}

std::string why_too_costly(const std::vector<certificate_ptr>& certificates) {
  cost sum;
  std::string out;
  for (auto each = certificates.begin(); each != certificates.end() && out.empty(); ++each)
    out = sum.add(**each);
  ERR_clear_error();
  return out;
}

} // namespace postrider
