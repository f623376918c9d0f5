#include "core/secret_box.hpp"

#include "core/signature.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <stdexcept>

namespace postrider {
namespace {

constexpr char version = 1;
constexpr std::size_t fingerprint_size = 4;
constexpr std::size_t nonce_size = 12;
constexpr std::size_t tag_size = 16;
constexpr std::size_t nonce_at = 1 + fingerprint_size;
constexpr std::size_t ciphertext_at = nonce_at + nonce_size;
// OpenSSL takes sizes as int.
constexpr std::size_t size_max = std::numeric_limits<int>::max() / 2;

using cipher_context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

const EVP_CIPHER* aes_256_gcm() {
  static const std::unique_ptr<EVP_CIPHER, decltype(&EVP_CIPHER_free)> fetched{
    EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr), EVP_CIPHER_free};
  return fetched.get();
}

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes(std::string& text, std::size_t at) {
  return reinterpret_cast<unsigned char*>(text.data()) + at;
}

void require(bool good) {
  if (!good)
    throw std::runtime_error("AES-256-GCM is not available");
}

/// Version and fingerprint: what stands in clear before the nonce.
std::string header_of(const secret_key& key) {
  const auto fingerprint = key_fingerprint(key);
  std::string out(1, version);
  out.append(fingerprint.begin(), fingerprint.end());
  return out;
}

} // namespace

std::array<std::uint8_t, 4> key_fingerprint(const secret_key& key) noexcept {
  const auto digest = sha256({reinterpret_cast<const char*>(key.data()), key.size()});
  std::array<std::uint8_t, fingerprint_size> out{};
  std::copy_n(digest.begin(), out.size(), out.begin());
  return out;
}

std::string seal(const secret_key& key, const std::array<std::uint8_t, 12>& nonce, std::string_view plaintext,
                 std::string_view associated_data) {
  if (plaintext.size() > size_max || associated_data.size() > size_max)
    throw std::length_error("too long to seal");
  auto out = header_of(key);
  out.append(nonce.begin(), nonce.end());
  out.resize(ciphertext_at + plaintext.size() + tag_size);
  const cipher_context context{EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free};
  int size = 0;
  require(context && EVP_EncryptInit_ex2(context.get(), aes_256_gcm(), key.data(), nonce.data(), nullptr) == 1);
  // The header in clear is bound as well: no bit of a sealed box can be changed.
  require(EVP_EncryptUpdate(context.get(), nullptr, &size, bytes(out, 0), static_cast<int>(nonce_at)) == 1);
  require(EVP_EncryptUpdate(context.get(), nullptr, &size, bytes(associated_data),
                            static_cast<int>(associated_data.size())) == 1);
  require(EVP_EncryptUpdate(context.get(), bytes(out, ciphertext_at), &size, bytes(plaintext),
                            static_cast<int>(plaintext.size())) == 1);
  require(EVP_EncryptFinal_ex(context.get(), bytes(out, ciphertext_at + plaintext.size()), &size) == 1);
  require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(tag_size),
                              bytes(out, ciphertext_at + plaintext.size())) == 1);
  return out;
}

std::optional<std::string> open(const secret_key& key, std::string_view sealed, std::string_view associated_data) {
  if (sealed.size() < ciphertext_at + tag_size || sealed.size() > size_max || associated_data.size() > size_max ||
      sealed.substr(0, nonce_at) != header_of(key))
    return std::nullopt;
  const auto ciphertext = sealed.substr(ciphertext_at, sealed.size() - ciphertext_at - tag_size);
  std::string tag{sealed.substr(sealed.size() - tag_size)};
  // One byte more than needed: the last call wants room even though GCM writes nothing there.
  std::string out(ciphertext.size() + 1, '\0');
  const cipher_context context{EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free};
  int size = 0;
  require(context &&
          EVP_DecryptInit_ex2(context.get(), aes_256_gcm(), key.data(), bytes(sealed) + nonce_at, nullptr) == 1);
  const bool good =
    EVP_DecryptUpdate(context.get(), nullptr, &size, bytes(sealed), static_cast<int>(nonce_at)) == 1 &&
    EVP_DecryptUpdate(context.get(), nullptr, &size, bytes(associated_data),
                      static_cast<int>(associated_data.size())) == 1 &&
    EVP_DecryptUpdate(context.get(), bytes(out, 0), &size, bytes(ciphertext), static_cast<int>(ciphertext.size())) ==
      1 &&
    EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag_size), tag.data()) == 1 &&
    EVP_DecryptFinal_ex(context.get(), bytes(out, ciphertext.size()), &size) == 1;
  if (!good) {
    OPENSSL_cleanse(out.data(), out.size());
    return std::nullopt;
  }
  out.pop_back();
  return out;
}

std::optional<secret_key> parse_secret_key(std::string_view base64) {
  constexpr std::string_view white = " \t\r\n";
  const auto first = base64.find_first_not_of(white);
  if (first == std::string_view::npos)
    return std::nullopt;
  auto decoded = decode_base64(base64.substr(first, base64.find_last_not_of(white) - first + 1));
  if (!decoded)
    return std::nullopt;
  std::optional<secret_key> out;
  if (decoded->size() == sizeof(secret_key))
    std::copy(decoded->begin(), decoded->end(), out.emplace().begin());
  OPENSSL_cleanse(decoded->data(), decoded->size());
  return out;
}

} // namespace postrider
