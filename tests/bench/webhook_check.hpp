#pragma once

#include "tests/bench/hmac.hpp"
#include "tests/bench/wire.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace postrider::bench {

/// Checks the Standard Webhooks signature of a request (`webhook-id`, `webhook-timestamp`, `webhook-signature: v1,…`),
/// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
class webhook_check {
public:
  /// `secret`: `whsec_` and base64; throws `std::invalid_argument` for anything else.
  explicit webhook_check(std::string_view secret) : hmac_(decode(secret)) {}

  bool operator()(std::string_view head, std::string_view body) {
    const auto id = find_header(head, "webhook-id");
    const auto at = find_header(head, "webhook-timestamp");
    auto signatures = find_header(head, "webhook-signature");
    std::int64_t seconds = 0;
    if (!id || !at || !signatures || std::from_chars(at->data(), at->data() + at->size(), seconds).ec != std::errc{})
      return false;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    if (std::chrono::abs(now - std::chrono::seconds{seconds}) > std::chrono::minutes{5})
      return false;
    const auto code = hmac_({*id, ".", *at, ".", body});
    unsigned char text[48];
    const int size = EVP_EncodeBlock(text, code.data(), static_cast<int>(code.size()));
    const std::string expected =
      "v1," + std::string(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size));
    while (!signatures->empty()) { // several during a rotation, with blanks between
      const auto one = signatures->substr(0, signatures->find(' '));
      if (one.size() == expected.size() && CRYPTO_memcmp(one.data(), expected.data(), one.size()) == 0)
        return true;
      signatures->remove_prefix(std::min(one.size() + 1, signatures->size()));
    }
    return false;
  }

private:
  static std::string decode(std::string_view secret) {
    constexpr std::string_view prefix = "whsec_";
    if (!secret.starts_with(prefix) || secret.size() % 4 != prefix.size() % 4)
      throw std::invalid_argument("the secret is not whsec_ and base64");
    secret.remove_prefix(prefix.size());
    std::string key(secret.size(), '\0');
    const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(key.data()),
                      reinterpret_cast<const unsigned char*>(secret.data()), static_cast<int>(secret.size()));
    if (size <= 0)
      throw std::invalid_argument("the secret is not whsec_ and base64");
    key.resize(static_cast<std::size_t>(size) - (secret.ends_with("==") ? 2 : secret.ends_with('=') ? 1 : 0));
    return key;
  }

  hmac_sha256 hmac_;
};

} // namespace postrider::bench
