#pragma once

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string_view>

namespace postrider::bench {

/// HMAC-SHA256 (RFC 2104) with one key and one context for many messages: `HMAC()` of OpenSSL 3 looks its algorithm up
/// on every call, which costs more than hashing 1 KB. One object per thread.
class hmac_sha256 {
public:
  using digest = std::array<unsigned char, 32>;

  explicit hmac_sha256(std::string_view key) {
    const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> mac{EVP_MAC_fetch(nullptr, "HMAC", nullptr), EVP_MAC_free};
    context_.reset(mac ? EVP_MAC_CTX_new(mac.get()) : nullptr);
    char name[] = "SHA256";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                                     OSSL_PARAM_construct_end()};
    if (!context_ ||
        EVP_MAC_init(context_.get(), reinterpret_cast<const unsigned char*>(key.data()), key.size(), parameters) != 1)
      throw std::runtime_error("HMAC-SHA256 is not available");
  }

  /// The code of the parts, one after the other.
  digest operator()(std::initializer_list<std::string_view> parts) {
    digest out{};
    std::size_t size = 0;
    bool good = EVP_MAC_init(context_.get(), nullptr, 0, nullptr) == 1;
    for (const auto part : parts)
      good =
        good && EVP_MAC_update(context_.get(), reinterpret_cast<const unsigned char*>(part.data()), part.size()) == 1;
    if (!good || EVP_MAC_final(context_.get(), out.data(), &size, out.size()) != 1)
      throw std::runtime_error("HMAC-SHA256 failed");
    return out;
  }

private:
  std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)> context_{nullptr, EVP_MAC_CTX_free};
};

} // namespace postrider::bench
