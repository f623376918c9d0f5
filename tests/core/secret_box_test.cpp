#include "core/secret_box.hpp"

#include "core/signature.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;

namespace {

secret_key key_of(std::uint8_t first) {
  secret_key out{};
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::uint8_t>(first + i);
  return out;
}

const secret_key key = key_of(1);
constexpr std::array<std::uint8_t, 12> nonce{9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 255, 254};
constexpr std::string_view row = "source:017f22e2-79b0-7cc3-98c4-dc0c0c07398f";

} // namespace

BOOST_AUTO_TEST_SUITE(secret_boxes)

BOOST_AUTO_TEST_CASE(what_was_sealed_opens) {
  for (const std::size_t size : {0U, 1U, 15U, 16U, 17U, 1'000U, 100'000U}) {
    const std::string text(size, 's');
    const auto sealed = seal(key, nonce, text, row);
    BOOST_TEST(sealed.size() == 1 + 4 + 12 + size + 16);
    BOOST_TEST((open(key, sealed, row) == text));
  }
  BOOST_TEST((open(key, seal(key, nonce, "text", ""), "") == "text"));
}

BOOST_AUTO_TEST_CASE(layout_is_version_fingerprint_nonce_ciphertext_tag) {
  const auto sealed = seal(key, nonce, "secret text", row);
  const auto fingerprint = key_fingerprint(key);
  BOOST_TEST(sealed[0] == 1);
  BOOST_TEST(sealed.substr(1, 4) == std::string(fingerprint.begin(), fingerprint.end()));
  BOOST_TEST(sealed.substr(5, 12) == std::string(nonce.begin(), nonce.end()));
  BOOST_TEST(sealed.find("secret") == std::string::npos);
  const auto digest = sha256({reinterpret_cast<const char*>(key.data()), key.size()});
  BOOST_TEST(std::equal(fingerprint.begin(), fingerprint.end(), digest.begin()));
}

BOOST_AUTO_TEST_CASE(box_sealed_by_this_version_opens_in_every_later_one) {
  // Made with another library (AESGCM of Python's cryptography).
  constexpr std::string_view pinned = "01ae216c2e09080706050403020100fffec83336fce3b48cc3b5a8bce311aedf"
                                      "13f42221ebc7b8f888733ecb";
  std::string sealed(pinned.size() / 2, '\0');
  BOOST_REQUIRE(decode_hex(pinned, {reinterpret_cast<std::uint8_t*>(sealed.data()), sealed.size()}));
  BOOST_TEST((open(key, sealed, row) == "secret text"));
}

BOOST_AUTO_TEST_CASE(another_key_or_another_row_opens_nothing) {
  const auto sealed = seal(key, nonce, "secret text", row);
  BOOST_TEST(!open(key_of(2), sealed, row));
  BOOST_TEST(!open(key, sealed, "source:017f22e2-79b0-7cc3-98c4-dc0c0c073990"));
  BOOST_TEST(!open(key, sealed, ""));
  BOOST_TEST(!open(key, sealed, std::string{row} + "x"));
}

BOOST_AUTO_TEST_CASE(another_key_of_the_same_fingerprint_opens_nothing) {
  const auto other = key_of(2);
  auto sealed = seal(key, nonce, "secret text", row);
  const auto fingerprint = key_fingerprint(other);
  std::copy(fingerprint.begin(), fingerprint.end(), sealed.begin() + 1);
  BOOST_TEST(!open(other, sealed, row));
}

BOOST_AUTO_TEST_CASE(any_flipped_bit_spoils_the_box) {
  const auto sealed = seal(key, nonce, "secret text", row);
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    auto damaged = sealed;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    BOOST_TEST(!open(key, damaged, row), "bit " << bit);
  }
}

BOOST_AUTO_TEST_CASE(truncated_or_lengthened_boxes_do_not_open) {
  const auto sealed = seal(key, nonce, "secret text", row);
  for (std::size_t size = 0; size < sealed.size(); ++size)
    BOOST_TEST(!open(key, std::string_view{sealed}.substr(0, size), row));
  BOOST_TEST(!open(key, sealed + '\0', row));
}

BOOST_AUTO_TEST_CASE(nonce_changes_the_whole_box) {
  auto other = nonce;
  other[0] ^= 1;
  const auto left = seal(key, nonce, "secret text", row);
  const auto right = seal(key, other, "secret text", row);
  BOOST_TEST(left.substr(17) != right.substr(17));
}

BOOST_AUTO_TEST_CASE(key_is_read_from_base64_of_exactly_32_bytes) {
  const auto text = encode_base64(key);
  BOOST_TEST((parse_secret_key(text) == key));
  BOOST_TEST((parse_secret_key(" \t\r\n" + text + "\r\n ") == key));
  for (const auto& wrong : {std::string{}, std::string{" \n"}, text.substr(1), text.substr(0, 43), text + "=",
                            text.substr(0, 20) + " " + text.substr(20), encode_base64(std::span{key}.first(31)),
                            encode_base64(std::array<std::uint8_t, 33>{}), std::string(44, '*')})
    BOOST_TEST(!parse_secret_key(wrong), wrong);
}

BOOST_AUTO_TEST_SUITE_END()
