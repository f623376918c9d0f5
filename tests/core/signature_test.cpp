#include "core/signature.hpp"

#include "tests/support/provider_vectors.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <set>
#include <thread>

using namespace postrider;

namespace {

constexpr const char* github_vectors = POSTRIDER_SOURCE_DIR "/tests/vectors/providers/github.json";
constexpr const char* standard_vectors = POSTRIDER_SOURCE_DIR "/tests/vectors/providers/standard-webhooks.json";

std::string from_hex(std::string_view hex) {
  std::string out(hex.size() / 2, '\0');
  BOOST_REQUIRE(decode_hex(hex, {reinterpret_cast<std::uint8_t*>(out.data()), out.size()}));
  return out;
}

std::string hex_hmac(std::string_view key, std::string_view data) {
  return encode_hex(hmac_sha256(key, data));
}

/// Whether one of the words between single spaces is `word`.
bool has_word(std::string_view text, std::string_view word) {
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    if (text.substr(0, end) == word)
      return true;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return false;
}

} // namespace

BOOST_AUTO_TEST_SUITE(signature)

BOOST_AUTO_TEST_CASE(sha256_gives_the_published_digests) {
  BOOST_TEST(encode_hex(sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  BOOST_TEST(encode_hex(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  BOOST_TEST(encode_hex(sha256(std::string(1'000'000, 'a'))) ==
             "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

BOOST_AUTO_TEST_CASE(hmac_gives_the_codes_of_rfc_4231) {
  BOOST_TEST(hex_hmac(std::string(20, '\x0b'), "Hi There") ==
             "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  BOOST_TEST(hex_hmac("Jefe", "what do ya want for nothing?") ==
             "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  BOOST_TEST(hex_hmac(std::string(20, '\xaa'), std::string(50, '\xdd')) ==
             "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  BOOST_TEST(hex_hmac(from_hex("0102030405060708090a0b0c0d0e0f10111213141516171819"), std::string(50, '\xcd')) ==
             "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
  BOOST_TEST(hex_hmac(std::string(20, '\x0c'), "Test With Truncation").substr(0, 32) ==
             "a3b6167473100ee06e0c796c2955552b");
  BOOST_TEST(hex_hmac(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First") ==
             "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  BOOST_TEST(hex_hmac(std::string(131, '\xaa'),
                      "This is a test using a larger than block-size key and a larger than block-size data. The key "
                      "needs to be hashed before being used by the HMAC algorithm.") ==
             "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

BOOST_AUTO_TEST_CASE(hmac_hashes_only_keys_longer_than_a_block) {
  // Values of another implementation (Python's hmac).
  BOOST_TEST(hex_hmac(std::string(63, 'k'), "message") ==
             "e27efa30bcbfbc25b4d936ffd8553392f398eb2edada1dac2423a961af0c305b");
  BOOST_TEST(hex_hmac(std::string(64, 'k'), "message") ==
             "890f3a16e0ca0aaa3bf180f70fa8e3970b3fd6505e98fde157988dcc19d1685c");
  BOOST_TEST(hex_hmac(std::string(65, 'k'), "message") ==
             "0c256505306af48015530c139bb7add5ad7a6a9291cd511278a067e765816fbd");
}

BOOST_AUTO_TEST_CASE(hmac_of_parts_is_that_of_their_concatenation) {
  const std::string text = "the quick brown fox jumps over the lazy dog, again and again, past one block of the hash";
  for (std::size_t size : {0U, 1U, 63U, 64U, 65U, 200U}) // around the block size of the key
    for (std::size_t cut = 0; cut <= text.size(); cut += 11) {
      const std::string key(size, 'k');
      const std::array<std::string_view, 3> parts{std::string_view{text}.substr(0, cut), "",
                                                  std::string_view{text}.substr(cut)};
      BOOST_TEST((hmac_sha256(key, parts) == hmac_sha256(key, text)));
    }
}

BOOST_AUTO_TEST_CASE(threads_hash_without_disturbing_each_other) {
  const auto expected = hmac_sha256("key", std::string(1'000, 'x'));
  std::array<int, 4> wrong{};
  std::vector<std::thread> threads;
  threads.reserve(wrong.size());
  for (auto& count : wrong)
    threads.emplace_back([&count, &expected] {
      for (int i = 0; i < 2'000; ++i)
        count += hmac_sha256("key", std::string(1'000, 'x')) == expected ? 0 : 1;
    });
  for (auto& thread : threads)
    thread.join();
  for (const int count : wrong)
    BOOST_TEST(count == 0);
}

BOOST_AUTO_TEST_CASE(constant_time_comparison_is_equality_of_contents_and_length) {
  const std::string text{"a\0b", 3};
  BOOST_TEST(equal_constant_time("", ""));
  BOOST_TEST(equal_constant_time(text, std::string{text}));
  BOOST_TEST(!equal_constant_time(text, "a"));
  BOOST_TEST(!equal_constant_time(text, text + "c"));
  BOOST_TEST(!equal_constant_time("", "a"));
  for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
    auto other = text;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << bit % 8));
    BOOST_TEST(!equal_constant_time(text, other));
  }
}

BOOST_AUTO_TEST_CASE(hashes_of_every_kind_give_the_published_digests) {
  const std::string_view abc = "abc";
  const auto hex = [](const digest& from) { return encode_hex(std::span{from.bytes}.first(from.size)); };
  BOOST_TEST(hex(hash_of(hash_kind::sha1, std::span{&abc, 1})) == "a9993e364706816aba3e25717850c26c9cd0d89d");
  BOOST_TEST(hex(hash_of(hash_kind::sha256, std::span{&abc, 1})) ==
             "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  BOOST_TEST(hex(hash_of(hash_kind::sha512, std::span{&abc, 1})) ==
             "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
             "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
  // RFC 2202 and RFC 4231, test case 2, and case 6 with a key longer than a block.
  const std::string_view what = "what do ya want for nothing?";
  BOOST_TEST(hex(hmac_of(hash_kind::sha1, "Jefe", std::span{&what, 1})) == "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
  BOOST_TEST(hex(hmac_of(hash_kind::sha512, "Jefe", std::span{&what, 1})) ==
             "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
             "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737");
  const std::string_view large = "Test Using Larger Than Block-Size Key - Hash Key First";
  BOOST_TEST(hex(hmac_of(hash_kind::sha512, std::string(131, '\xaa'), std::span{&large, 1})) ==
             "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
             "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598");
}

BOOST_AUTO_TEST_CASE(accepted_standard_webhooks_vectors_carry_the_signature_that_we_make) {
  int checked = 0;
  for (const auto& vector : test::load_provider_vectors(standard_vectors)) {
    if (vector.scheme != "standard-webhooks" || !vector.accept)
      continue;
    BOOST_TEST_CONTEXT(vector.id) {
      bool found = false;
      for (const auto& secret : vector.secrets) {
        const std::vector<std::string> keys{decode_whsec(secret).value()};
        const auto seconds = std::stoll(std::string{vector.header("webhook-timestamp")});
        const auto made = sign_standard_webhook(keys, vector.header("webhook-id"), seconds, vector.body);
        found |= has_word(vector.header("webhook-signature"), made);
      }
      BOOST_TEST(found);
      ++checked;
    }
  }
  BOOST_TEST(checked >= 15);
}

BOOST_AUTO_TEST_CASE(each_key_signs_newest_first) {
  const std::vector<std::string> keys{"new key", "old key"};
  const auto both = sign_standard_webhook(keys, "evt_1", 1'700'000'000, "body");
  const auto newest = sign_standard_webhook(std::span{keys}.first(1), "evt_1", 1'700'000'000, "body");
  const auto oldest = sign_standard_webhook(std::span{keys}.last(1), "evt_1", 1'700'000'000, "body");
  BOOST_TEST(both == newest + " " + oldest);
  BOOST_TEST(newest == "v1," + encode_base64(hmac_sha256("new key", "evt_1.1700000000.body")));
  BOOST_TEST(sign_standard_webhook({}, "evt_1", 1, "body").empty());
}

BOOST_AUTO_TEST_CASE(whsec_is_made_and_read_and_nothing_else_is_taken) {
  std::array<std::uint8_t, 32> random{};
  for (std::size_t i = 0; i < random.size(); ++i)
    random[i] = static_cast<std::uint8_t>(i * 7);
  const auto text = make_whsec(random);
  BOOST_TEST(text.starts_with("whsec_"));
  const std::string bytes{random.begin(), random.end()};
  BOOST_TEST((decode_whsec(text) == bytes));
  BOOST_TEST((decode_whsec(text.substr(6)) == bytes));
  for (const std::string_view wrong : {"", "whsec_", "whsec_*", "whsec_abc", "whsec_QQ", "whsec_QR==", "WHSEC_QUJD",
                                       "whsec_whsec_QUJD", "whsec_QUJD\n", "whsk_QUJD"})
    BOOST_TEST(!decode_whsec(wrong), wrong);
}

BOOST_AUTO_TEST_CASE(types_and_ids_are_printable_ascii_without_spaces) {
  for (int c = 0; c < 256; ++c) {
    const std::string text{'a', static_cast<char>(c), 'b'};
    const bool good = c > 0x20 && c < 0x7f;
    BOOST_TEST(valid_event_type(text) == good, c);
    BOOST_TEST(valid_provider_event_id(text) == good, c);
  }
  BOOST_TEST((!valid_event_type("") && !valid_provider_event_id("")));
  BOOST_TEST((valid_event_type(std::string(128, 'a')) && !valid_event_type(std::string(129, 'a'))));
  BOOST_TEST((valid_provider_event_id(std::string(255, 'a')) && !valid_provider_event_id(std::string(256, 'a'))));
}

BOOST_AUTO_TEST_CASE(dedupe_keys_of_texts_cut_elsewhere_differ) {
  const source_id source{*parse_uuid("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")};
  const source_id other{*parse_uuid("017f22e2-79b0-7cc3-98c4-dc0c0c073990")};
  std::set<uuid> seen;
  std::size_t made = 0;
  for (const std::size_t size : {0U, 12U, 383U, 384U, 600U, 5'000U}) { // below, at and beyond the buffer
    std::string text;
    for (std::size_t i = 0; i < size; ++i)
      text += static_cast<char>('a' + i % 7);
    for (std::size_t cut = 0; cut <= size; cut += 1 + size / 40)
      for (const auto& of : {source, other}) {
        const std::string_view all{text};
        seen.insert(dedupe_key(of, all.substr(0, cut), all.substr(cut)));
        ++made;
      }
  }
  BOOST_TEST(seen.size() == made);
}

BOOST_AUTO_TEST_CASE(dedupe_key_is_the_hash_of_each_field_behind_its_length) {
  const source_id source{*parse_uuid("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")};
  for (const std::size_t size : {0U, 5U, 128U, 255U, 350U, 407U, 408U, 10'000U}) {
    const std::string type(size / 3, 't');
    const std::string id(size, 'i');
    std::string expected;
    for (const auto& field : {std::string{source.value.bytes.begin(), source.value.bytes.end()}, type, id}) {
      for (int shift = 56; shift >= 0; shift -= 8)
        expected += static_cast<char>(field.size() >> shift);
      expected += field;
    }
    const auto digest = sha256(expected);
    const auto key = dedupe_key(source, type, id);
    BOOST_TEST(std::equal(key.bytes.begin(), key.bytes.end(), digest.begin()), size);
  }
}

BOOST_AUTO_TEST_SUITE_END()
