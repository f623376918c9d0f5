#include "tests/support/dispatch_world.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace postrider::test;

namespace {

constexpr std::uint64_t many_seeds = 500;

/// Every seed's world ends with every delivery final; what they saw together. A failure names its seed.
dispatch_world::sums walk(dispatch_world::conditions given, std::uint64_t seeds = many_seeds) {
  dispatch_world::sums all;
  for (given.seed = 1; given.seed <= seeds; ++given.seed) {
    dispatch_world world{given};
    try {
      world.run();
    } catch (const std::exception& e) {
      BOOST_ERROR(e.what());
      return all;
    }
    const auto& seen = world.seen();
    all.starts += seen.starts;
    all.probes += seen.probes;
    all.releases += seen.releases;
    all.opened += seen.opened;
    all.claims += seen.claims;
    all.interrupted += seen.interrupted;
    all.rides += seen.rides;
    all.dead += seen.dead;
    all.written_again += seen.written_again;
    all.kept += seen.kept;
    for (std::size_t i = 0; i < lane_count; ++i)
      all.by_lane[i] += seen.by_lane[i];
  }
  for (const auto lane : all_lanes)
    if (given.order_keys == 0 && lane != delivery_lane::in_order)
      BOOST_TEST(all.by_lane[index_of(lane)] > seeds, to_string(lane));
  BOOST_TEST(all.probes > seeds); // the walk went where it was meant to go
  BOOST_TEST(all.releases > seeds);
  BOOST_TEST(all.opened > seeds);
  if (given.order_keys == 0)
    BOOST_TEST(all.rides > seeds);
  if (given.order_keys == 0) // a round of all keys is many claims
    BOOST_TEST(all.claims < 4 * (all.starts + all.releases));
  return all;
}

} // namespace

BOOST_AUTO_TEST_SUITE(endpoint_dispatch_walks)

BOOST_AUTO_TEST_CASE(without_any_poll_every_delivery_ends_by_the_timers_of_its_own) {
  walk({.due_poll = false});
}

BOOST_AUTO_TEST_CASE(every_delivery_ends_although_the_database_is_away_at_times) {
  const auto seen = walk({.outages = true, .due_poll = false});
  BOOST_TEST(seen.written_again > many_seeds);
}

BOOST_AUTO_TEST_CASE(without_any_poll_every_delivery_ends_although_the_lease_is_in_doubt_and_the_same_fence_returns) {
  const auto seen = walk({.lease_blips = true, .due_poll = false});
  BOOST_TEST(seen.kept > many_seeds / 2);
  BOOST_TEST(seen.interrupted == 0U); // nobody else had the rows: none was cut short
}

BOOST_AUTO_TEST_CASE(every_delivery_ends_although_the_lease_moves_away_and_back) {
  const auto seen = walk({.lease_moves = true});
  BOOST_TEST(seen.interrupted > many_seeds / 2);
}

BOOST_AUTO_TEST_CASE(every_delivery_ends_although_all_of_that_comes_together) {
  walk({.outages = true, .lease_moves = true, .lease_blips = true});
}

BOOST_AUTO_TEST_CASE(in_order_every_delivery_ends_after_the_one_ahead_by_timers_alone) {
  walk({.due_poll = false, .order_keys = 1}, 200);
  walk({.due_poll = false, .order_keys = 5}, 200);
}

BOOST_AUTO_TEST_CASE(in_order_every_delivery_ends_after_the_one_ahead_although_all_of_that_comes_together) {
  walk({.outages = true, .lease_moves = true, .lease_blips = true, .order_keys = 1}, 200);
  walk({.outages = true, .lease_moves = true, .lease_blips = true, .order_keys = 7}, 200);
}

BOOST_AUTO_TEST_SUITE_END()
