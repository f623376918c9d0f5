#include "core/ids.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <unordered_set>

using namespace postrider;

namespace {

std::array<std::uint8_t, 10> random_bits(std::mt19937_64& random) {
  std::array<std::uint8_t, 10> out{};
  for (auto& byte : out)
    byte = static_cast<std::uint8_t>(random());
  return out;
}

constexpr std::string_view example = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"; // RFC 9562, appendix A.6
const wall_time example_time{milliseconds{0x017f22e279b0}};

} // namespace

BOOST_AUTO_TEST_SUITE(ids)

BOOST_AUTO_TEST_CASE(example_of_rfc_9562_is_made_read_and_dated) {
  // The example's rand_a is cc3, its rand_b 18c4dc0c0c07398f.
  const std::array<std::uint8_t, 10> random{0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f};
  const auto made = make_uuid_v7(example_time, random);
  BOOST_TEST(to_string(made) == example);
  BOOST_TEST((parse_uuid(example) == made));
  BOOST_TEST((time_of(made) == example_time));
}

BOOST_AUTO_TEST_CASE(version_and_variant_stand_whatever_the_random_bits) {
  for (const auto fill : {0x00, 0xff}) {
    std::array<std::uint8_t, 10> random{};
    random.fill(static_cast<std::uint8_t>(fill));
    const auto text = to_string(make_uuid_v7(example_time, random));
    BOOST_TEST(text[14] == '7');
    BOOST_TEST(text[19] == (fill ? 'b' : '8'));
  }
}

BOOST_AUTO_TEST_CASE(all_74_random_bits_reach_the_id) {
  const auto base = make_uuid_v7(example_time, {});
  int bits = 0;
  for (std::size_t i = 0; i < 80; ++i) {
    std::array<std::uint8_t, 10> random{};
    random[i / 8] = static_cast<std::uint8_t>(1U << (i % 8));
    bits += make_uuid_v7(example_time, random) != base ? 1 : 0;
  }
  BOOST_TEST(bits == 74);
}

BOOST_AUTO_TEST_CASE(text_and_bytes_convert_both_ways_for_every_byte_value) {
  std::mt19937_64 random{1};
  for (int i = 0; i < 2'000; ++i) {
    uuid id;
    for (auto& byte : id.bytes)
      byte = static_cast<std::uint8_t>(random());
    const auto text = to_string(id);
    BOOST_REQUIRE(text.size() == 36U);
    BOOST_REQUIRE((parse_uuid(text) == id));
  }
}

BOOST_AUTO_TEST_CASE(upper_case_is_read_and_lower_case_written) {
  std::string upper{example};
  for (auto& c : upper)
    c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  const auto read = parse_uuid(upper);
  BOOST_REQUIRE(read.has_value());
  BOOST_TEST(to_string(*read) == example);
}

BOOST_AUTO_TEST_CASE(any_wrong_character_anywhere_is_refused) {
  for (std::size_t i = 0; i < example.size(); ++i)
    for (const char wrong : {'g', 'G', '/', ':', '@', '`', ' ', '\0', '\x80', '{', '_'}) {
      std::string text{example};
      text[i] = wrong;
      BOOST_TEST(!parse_uuid(text), "position " << i);
    }
  for (std::size_t i = 0; i < example.size(); ++i) {
    std::string text{example};
    text[i] = text[i] == '-' ? '0' : '-';
    BOOST_TEST(!parse_uuid(text), "hyphen at " << i);
  }
}

BOOST_AUTO_TEST_CASE(any_other_length_is_refused) {
  for (std::size_t size = 0; size < example.size(); ++size)
    BOOST_TEST(!parse_uuid(example.substr(0, size)));
  BOOST_TEST(!parse_uuid(std::string{example} + "0"));
  BOOST_TEST(!parse_uuid("017f22e279b07cc398c4dc0c0c07398f"));
  BOOST_TEST(!parse_uuid("{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}"));
}

BOOST_AUTO_TEST_CASE(later_ids_compare_greater_in_bytes_and_in_text) {
  std::mt19937_64 random{2};
  auto before = make_uuid_v7(wall_time{milliseconds{0}}, random_bits(random));
  for (std::int64_t ms = 1; ms < (std::int64_t{1} << 47); ms = ms * 3 / 2 + 1) {
    const auto after = make_uuid_v7(wall_time{milliseconds{ms}}, random_bits(random));
    BOOST_TEST((before < after));
    BOOST_TEST(to_string(before) < to_string(after));
    BOOST_TEST(time_of(after).time_since_epoch().count() == ms);
    before = after;
  }
}

BOOST_AUTO_TEST_CASE(least_id_of_a_millisecond_bounds_it_from_below) {
  std::mt19937_64 random{3};
  const auto least = least_uuid_v7(example_time);
  for (int i = 0; i < 100; ++i) {
    BOOST_TEST((least <= make_uuid_v7(example_time, random_bits(random))));
    BOOST_TEST((make_uuid_v7(example_time - milliseconds{1}, random_bits(random)) < least));
  }
}

BOOST_AUTO_TEST_CASE(times_outside_48_bits_are_clamped_so_that_order_holds) {
  BOOST_TEST((time_of(make_uuid_v7(wall_time{milliseconds{-5}}, {})) == wall_time{}));
  BOOST_TEST(time_of(make_uuid_v7(wall_time::max(), {})).time_since_epoch().count() == (std::int64_t{1} << 48) - 1);
}

BOOST_AUTO_TEST_CASE(strong_ids_carry_their_prefix_and_refuse_another_kinds) {
  const event_id id{*parse_uuid(example)};
  const auto text = to_string(id);
  BOOST_TEST(text == "evt_" + std::string{example});
  BOOST_TEST((parse_id<event_id>(text) == id));
  BOOST_TEST(!parse_id<delivery_id>(text));
  BOOST_TEST(!parse_id<event_id>(example));
  BOOST_TEST(!parse_id<event_id>("EVT_" + std::string{example}));
  BOOST_TEST(!parse_id<event_id>("evt_evt_" + std::string{example}));
  BOOST_TEST(!parse_id<event_id>("evt_"));
  BOOST_TEST(!parse_id<event_id>(""));
  BOOST_TEST(to_string(endpoint_id{}) == "ep_00000000-0000-0000-0000-000000000000");
}

BOOST_AUTO_TEST_CASE(attempts_of_a_delivery_have_ids_of_their_own_and_always_the_same) {
  const delivery_id delivery{*parse_uuid(example)};
  std::unordered_set<attempt_id> seen;
  for (std::uint32_t number = 1; number <= 10'000; ++number) {
    const auto id = attempt_id_of(delivery, number);
    BOOST_REQUIRE((id == attempt_id_of(delivery, number)));
    BOOST_REQUIRE((time_of(id.value) == example_time));
    const auto text = to_string(id.value);
    BOOST_REQUIRE(text[14] == '7');                                              // the version stays
    BOOST_REQUIRE(std::string_view{"89ab"}.find(text[19]) != std::string::npos); // and the variant
    seen.insert(id);
  }
  BOOST_TEST(seen.size() == 10'000U);
}

BOOST_AUTO_TEST_CASE(nil_is_the_value_of_a_fresh_id) {
  BOOST_TEST(uuid{}.is_nil());
  BOOST_TEST(!parse_uuid(example)->is_nil());
}

BOOST_AUTO_TEST_CASE(hashes_of_ids_of_one_millisecond_are_distinct) {
  std::mt19937_64 random{4};
  std::unordered_set<event_id> seen;
  std::unordered_set<std::size_t> hashes;
  for (int i = 0; i < 1'000; ++i) {
    const event_id id{make_uuid_v7(example_time, random_bits(random))};
    seen.insert(id);
    hashes.insert(std::hash<event_id>{}(id));
  }
  BOOST_TEST(seen.size() == 1'000U);
  BOOST_TEST(hashes.size() == 1'000U);
}

BOOST_AUTO_TEST_CASE(ids_of_attempts_follow_from_delivery_and_number) {
  const delivery_id delivery{*parse_uuid("01934f2e-8a00-7abc-9def-0123456789ab")};
  BOOST_TEST(to_string(attempt_id_of(delivery, 1)) ==
             "att_01934f2e-8a00-7abc-83d8-789a3a2df5be"); // stable: never to change
  for (std::uint32_t number = 1; number < 200; ++number) {
    const auto id = attempt_id_of(delivery, number);
    BOOST_TEST((time_of(id.value) == time_of(delivery.value)));
    BOOST_TEST((id.value.bytes[8] & 0xc0U) == 0x80U);
    BOOST_TEST((id != attempt_id_of(delivery, number + 1)));
    BOOST_TEST((id.value != delivery.value));
  }
}

BOOST_AUTO_TEST_SUITE_END()
