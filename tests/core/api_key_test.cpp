#include "core/api_key.hpp"

#include "core/signature.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace postrider;

BOOST_AUTO_TEST_SUITE(api_keys)

BOOST_AUTO_TEST_CASE(key_is_a_prefix_and_43_characters_of_base64url) {
  std::array<std::uint8_t, 32> random{};
  random.fill(0xfb); // base64 of it is full of `+` and `/`
  const auto key = make_api_key(random);
  BOOST_TEST(key == "prk_-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s");
  BOOST_TEST(key.size() == 4U + 43U);
  BOOST_TEST(make_api_key({}) == "prk_" + std::string(43, 'A'));
}

BOOST_AUTO_TEST_CASE(every_random_bit_reaches_the_key) {
  std::set<std::string> seen{make_api_key({})};
  for (std::size_t bit = 0; bit < 256; ++bit) {
    std::array<std::uint8_t, 32> random{};
    random[bit / 8] = static_cast<std::uint8_t>(1U << bit % 8);
    seen.insert(make_api_key(random));
  }
  BOOST_TEST(seen.size() == 257U);
}

BOOST_AUTO_TEST_CASE(hash_is_sha256_of_the_whole_text) {
  BOOST_TEST(encode_hex(hash_api_key("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  BOOST_TEST((hash_api_key("prk_a") != hash_api_key("prk_b")));
}

BOOST_AUTO_TEST_CASE(roles_are_the_contracts_words_and_read_back) {
  const std::array<std::string_view, 3> words{"operator", "tenant_admin", "tenant_viewer"};
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto role = static_cast<api_role>(i);
    BOOST_TEST(to_string(role) == words[i]);
    BOOST_TEST((parse_api_role(words[i]) == role));
  }
  for (const std::string_view word : {"", "Operator", "admin", "tenant_admin ", "operator_"})
    BOOST_TEST(!parse_api_role(word));
  BOOST_TEST(to_string(static_cast<api_role>(3)).empty());
}

BOOST_AUTO_TEST_SUITE_END()
