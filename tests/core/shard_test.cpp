#include "core/shard.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <random>

using namespace postrider;

namespace {

shard_no shard_of_text(std::string_view uuid_text) {
  return shard_of(tenant_id{*parse_uuid(uuid_text)});
}

} // namespace

BOOST_AUTO_TEST_SUITE(shards)

BOOST_AUTO_TEST_CASE(known_tenants_keep_their_shard_for_ever) {
  // Pinned: rows and leases in databases that exist name these numbers.
  BOOST_TEST(shard_of_text("00000000-0000-0000-0000-000000000000") == 35);
  BOOST_TEST(shard_of_text("017f22e2-79b0-7cc3-98c4-dc0c0c07398f") == 52);
  BOOST_TEST(shard_of_text("017f22e2-79b0-7cc3-98c4-dc0c0c073990") == 21);
  BOOST_TEST(shard_of_text("ffffffff-ffff-ffff-ffff-ffffffffffff") == 3);
}

BOOST_AUTO_TEST_CASE(tenants_spread_evenly_however_their_ids_are_made) {
  std::mt19937_64 random{5};
  for (const bool sequential : {false, true}) {
    std::array<int, shard_count> tenants{};
    for (int i = 0; i < 64'000; ++i) {
      std::array<std::uint8_t, 10> bits{};
      for (auto& byte : bits)
        byte = sequential ? 0 : static_cast<std::uint8_t>(random());
      const tenant_id tenant{make_uuid_v7(wall_time{milliseconds{1'795'000'000'000 + i}}, bits)};
      const auto shard = shard_of(tenant);
      BOOST_REQUIRE((shard >= 0 && shard < shard_count));
      ++tenants[static_cast<std::size_t>(shard)];
    }
    for (const int count : tenants) // 1000 each; five standard deviations
      BOOST_TEST((count > 840 && count < 1'160), count);
  }
}

BOOST_AUTO_TEST_CASE(fence_holds_the_epoch_above_20_random_bits) {
  for (const std::int64_t epoch : {0LL, 1LL, 2LL, (1LL << 40)})
    for (const std::uint32_t random : {0U, 1U, 0xfffffU, 0xffffffffU}) {
      BOOST_TEST(epoch_of(make_fence(epoch, random)) == epoch);
      BOOST_TEST((make_fence(epoch, random) & 0xfffff) == (random & 0xfffff));
    }
  BOOST_TEST(make_fence(1, 5) != make_fence(1, 6));
}

BOOST_AUTO_TEST_CASE(trust_in_the_lease_ends_at_its_time_and_when_told) {
  lease_trust trust;
  BOOST_TEST(!trust.holds(1));
  trust.trust_until(1'000);
  BOOST_TEST(trust.holds(999));
  BOOST_TEST(!trust.holds(1'000));
  trust.end();
  BOOST_TEST(!trust.holds(1));
}

BOOST_AUTO_TEST_CASE(what_was_begun_under_a_former_fence_is_not_trusted_with_the_new_one) {
  lease_trust trust;
  const auto former = make_fence(1, 5), now = make_fence(2, 7);
  trust.set_fence(3, former);
  BOOST_TEST(!trust.holds(3, former, 1)); // not yet trusted at all
  trust.trust_until(1'000);
  BOOST_TEST(trust.holds(3, former, 999));
  BOOST_TEST(!trust.holds(4, former, 999));
  BOOST_TEST(!trust.holds(3, former, 1'000));
  trust.set_fence(3, now);
  trust.trust_until(2'000);
  BOOST_TEST(!trust.holds(3, former, 1'500));
  BOOST_TEST(trust.holds(3, now, 1'500));
  trust.set_fence(3, 0);
  BOOST_TEST(!trust.holds(3, now, 1'500));
}

BOOST_AUTO_TEST_SUITE_END()
