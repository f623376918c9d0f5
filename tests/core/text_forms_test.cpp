#include "core/signature.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

using namespace postrider;

namespace {

std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string random_bytes(std::mt19937_64& random, std::size_t size) {
  std::string out(size, '\0');
  for (auto& byte : out)
    byte = static_cast<char>(random());
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(text_forms)

BOOST_AUTO_TEST_CASE(base64_gives_the_examples_of_rfc_4648) {
  const std::array<std::pair<std::string_view, std::string_view>, 7> examples{{{"", ""},
                                                                               {"f", "Zg=="},
                                                                               {"fo", "Zm8="},
                                                                               {"foo", "Zm9v"},
                                                                               {"foob", "Zm9vYg=="},
                                                                               {"fooba", "Zm9vYmE="},
                                                                               {"foobar", "Zm9vYmFy"}}};
  for (const auto& [bytes, text] : examples) {
    BOOST_TEST(encode_base64(bytes_of(bytes)) == text);
    BOOST_TEST((decode_base64(text) == bytes));
  }
  BOOST_TEST(encode_base64(bytes_of("\xfb\xff\xbf")) == "+/+/");
}

BOOST_AUTO_TEST_CASE(base64_of_any_bytes_reads_back) {
  std::mt19937_64 random{1};
  for (std::size_t size = 0; size < 300; ++size) {
    const auto bytes = random_bytes(random, size);
    BOOST_TEST((decode_base64(encode_base64(bytes_of(bytes))) == bytes), size);
  }
}

BOOST_AUTO_TEST_CASE(base64_that_is_not_strict_is_refused) {
  for (const std::string_view text :
       {"Zg",       "Zg=",   "Zm8",    "Zm9vY",    "Z",      "=",     "==",    "===",  "====", "Z===", "=Zm9",   "Zm=v",
        "Zg==Zg==", "Zm9v=", "Zm9v==", "Zm9v====", "Zm9v\n", " Zm9v", "Zm 9v", "Zm9-", "Zm9_", "Zm9*", "Zm9\x80"})
    BOOST_TEST(!decode_base64(text), text);
  BOOST_TEST(!decode_base64(std::string_view{"Zm9\0", 4}));
}

BOOST_AUTO_TEST_CASE(base64_with_stray_bits_is_refused_so_that_each_value_has_one_text) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < digits.size(); ++i) {
    BOOST_TEST(decode_base64(std::string{'Z', digits[i], '=', '='}).has_value() == (i % 16 == 0));
    BOOST_TEST(decode_base64(std::string{'Z', 'g', digits[i], '='}).has_value() == (i % 4 == 0));
  }
}

BOOST_AUTO_TEST_CASE(hex_of_any_bytes_reads_back_in_either_case) {
  std::mt19937_64 random{2};
  for (std::size_t size = 0; size < 100; ++size) {
    const auto bytes = random_bytes(random, size);
    auto text = encode_hex(bytes_of(bytes));
    for (int round = 0; round < 2; ++round) {
      std::vector<std::uint8_t> out(size);
      BOOST_TEST(decode_hex(text, out));
      BOOST_TEST(std::equal(out.begin(), out.end(), bytes_of(bytes).begin()));
      for (auto& c : text)
        c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
    }
  }
}

BOOST_AUTO_TEST_CASE(hex_of_another_length_or_with_other_characters_is_refused) {
  std::array<std::uint8_t, 2> out{};
  BOOST_TEST(decode_hex("00fF", out));
  for (const std::string_view text :
       {"", "0", "00", "00f", "00fff", "00ffff", "0x00", "00 f", "00g0", "-0ff", "00f\x80"})
    BOOST_TEST(!decode_hex(text, out), text);
}

BOOST_AUTO_TEST_CASE(base64url_is_strict_and_without_padding) {
  const std::string bytes{"\xfb\xff\xbe", 3};
  BOOST_TEST(encode_base64url(bytes) == "-_--");
  BOOST_TEST(encode_base64url("f") == "Zg");
  BOOST_TEST(encode_base64url("") == "");
  BOOST_TEST((decode_base64url("-_--") == bytes));
  BOOST_TEST((decode_base64url("Zg") == "f"));
  for (const auto* wrong : {"Zg==", "+/++", "Z", "Zh", "Zg\n"})
    BOOST_TEST(!decode_base64url(wrong));
}

BOOST_AUTO_TEST_SUITE_END()
