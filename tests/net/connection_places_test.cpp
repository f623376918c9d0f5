#include "net/connection_places.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

using namespace postrider;

namespace {

constexpr connection_holder high{.tenant = 1, .endpoint = 11, .weight = 4};
constexpr connection_holder low{.tenant = 1, .endpoint = 12, .weight = 1};
constexpr connection_holder other{.tenant = 2, .endpoint = 21, .weight = 1};

int take_all(connection_places& places, const connection_holder& who) {
  int out = 0;
  while (places.take(who))
    ++out;
  return out;
}

void give_back(connection_places& places, const connection_holder& who, int count) {
  for (; count > 0; --count)
    places.give_back(who);
}

} // namespace

BOOST_AUTO_TEST_SUITE(places_of_connections)

BOOST_AUTO_TEST_CASE(one_place_can_be_had_once) {
  connection_places places{1};
  BOOST_TEST(places.take(low));
  BOOST_TEST(!places.take(other));
  places.give_back(low);
  BOOST_TEST(places.take(other));
  BOOST_TEST(connection_places{0}.most() == 1);
}

BOOST_AUTO_TEST_CASE(a_flood_leaves_room_for_another_tenant_and_for_a_better_endpoint) {
  connection_places places{100};
  BOOST_TEST(take_all(places, low) == 40);
  BOOST_TEST(take_all(places, high) == 32); // of the 40 that its tenant may still have
  BOOST_TEST(take_all(places, low) == 0);
  BOOST_TEST(take_all(places, other) == 12); // of 28
  BOOST_TEST(places.take({.tenant = 3, .endpoint = 31, .weight = 1}));
}

BOOST_AUTO_TEST_CASE(what_was_given_back_can_be_had_again) {
  connection_places places{100};
  for (int round = 0; round < 3; ++round) {
    const auto first = take_all(places, high);
    const auto second = take_all(places, other);
    BOOST_TEST(first == 64);
    BOOST_TEST(second == 15);
    give_back(places, high, first);
    give_back(places, other, second);
  }
}

BOOST_AUTO_TEST_CASE(who_holds_more_than_his_share_since_others_came_is_beyond_it) {
  connection_places places{100};
  const auto held = take_all(places, low);
  BOOST_TEST(!places.beyond_share(low));
  take_all(places, high);
  BOOST_TEST(places.beyond_share(low));
  BOOST_TEST(!places.beyond_share(high));
  int kept = held;
  for (; places.beyond_share(low); --kept)
    places.give_back(low);
  BOOST_TEST(kept > 10);
  BOOST_TEST(kept < held);
  BOOST_TEST(!places.take(low)); // it holds what it may
}

BOOST_AUTO_TEST_CASE(an_idle_connection_of_the_same_tenant_makes_way_first) {
  connection_places places{5};
  BOOST_REQUIRE(places.take(other));
  std::vector<connection_holder> idle{other};
  for (endpoint_no endpoint = 1; endpoint <= 4; ++endpoint) {
    idle.push_back({.tenant = 1, .endpoint = endpoint, .weight = 2});
    BOOST_REQUIRE(places.take(idle.back()));
  }
  const connection_holder fifth{.tenant = 1, .endpoint = 5, .weight = 2};
  BOOST_REQUIRE(!places.take(fifth));
  BOOST_TEST(places.to_close_for(fifth, idle) == std::vector<std::size_t>{1}, boost::test_tools::per_element());
  // A tenant that has nothing takes that of whoever was idle for longest, while nobody holds too many.
  BOOST_TEST(places.to_close_for({.tenant = 3, .endpoint = 31, .weight = 1}, idle) == std::vector<std::size_t>{0},
             boost::test_tools::per_element());
  BOOST_TEST(places.to_close_for(fifth, {}).empty());
}

BOOST_AUTO_TEST_CASE(an_idle_connection_of_one_beyond_his_share_makes_way_before_one_that_is_idle_for_longer) {
  connection_places places{10};
  BOOST_REQUIRE(places.take(other));
  const auto held = take_all(places, high);
  for (tenant_no tenant = 3; places.take({.tenant = tenant, .endpoint = tenant * 10, .weight = 1}); ++tenant) {
  }
  const std::array idle{other, high};
  BOOST_TEST(held > 4);
  BOOST_TEST(places.to_close_for({.tenant = 99, .endpoint = 990, .weight = 1}, idle) == std::vector<std::size_t>{1},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(nothing_is_closed_where_that_would_not_help) {
  connection_places places{10};
  const auto held = take_all(places, high);
  take_all(places, other);
  const std::array idle{other};
  BOOST_TEST(held > 4);
  BOOST_TEST(places.to_close_for(high, idle).empty()); // one more free is not enough for who has so many
}

BOOST_AUTO_TEST_CASE(as_many_are_closed_as_it_takes_and_no_more) {
  connection_places places{10};
  std::vector<connection_holder> idle;
  for (endpoint_no endpoint = 101; endpoint <= 109; ++endpoint) {
    idle.push_back({.tenant = endpoint, .endpoint = endpoint, .weight = 1});
    BOOST_REQUIRE(places.take(idle.back()));
  }
  BOOST_REQUIRE(places.take(low));
  BOOST_REQUIRE(!places.take(low));
  const auto closing = places.to_close_for(low, idle);
  BOOST_TEST(closing == (std::vector<std::size_t>{0, 1}), boost::test_tools::per_element());
  for (const auto each : closing)
    places.give_back(idle[each]);
  BOOST_TEST(places.take(low));
}

BOOST_AUTO_TEST_CASE(threads_together_never_have_more_than_there_are_and_lose_none) {
  constexpr int most = 64;
  connection_places places{most};
  std::atomic<int> taken{0};
  std::atomic<bool> exceeded{false};
  std::vector<std::thread> threads;
  for (std::uint32_t thread = 1; thread <= 4; ++thread)
    threads.emplace_back([&, thread] {
      std::mt19937 random{thread};
      std::vector<connection_holder> mine;
      for (int turn = 0; turn < 20'000; ++turn) {
        const auto tenant = static_cast<tenant_no>(random() % 6);
        const connection_holder who{.tenant = tenant,
                                    .endpoint = tenant * 10 + static_cast<endpoint_no>(random() % 3),
                                    .weight = 4U >> random() % 3};
        if (random() % 2 == 0 && places.take(who)) {
          mine.push_back(who);
          if (++taken > most)
            exceeded = true;
        } else if (!mine.empty() && (places.beyond_share(mine.back()) || random() % 2 == 0)) {
          --taken;
          places.give_back(mine.back());
          mine.pop_back();
        }
      }
      for (const auto& each : mine) {
        --taken;
        places.give_back(each);
      }
    });
  for (auto& each : threads)
    each.join();
  BOOST_TEST(!exceeded.load());
  connection_places fresh{most};
  BOOST_TEST(take_all(places, low) == take_all(fresh, low));
}

BOOST_AUTO_TEST_SUITE_END()
