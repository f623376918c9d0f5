#include "core/fair_places.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

using namespace postrider;

namespace {

constexpr std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();

/// Contenders for one whole: who has how much of it.
class shared_places {
public:
  struct contender {
    int tenant = 0;
    std::uint32_t weight = 1;
    std::uint64_t has = 0;
  };
  explicit shared_places(std::uint64_t most) : most_(most) {}

  std::size_t add(int tenant, std::uint32_t weight = 1) {
    contenders_.push_back({tenant, weight, 0});
    return contenders_.size() - 1;
  }
  [[nodiscard]] places_taken taken(std::size_t who) const {
    const auto& one = contenders_[who];
    const auto parent = tenants_.find(one.tenant);
    return {.own = one.has, .parent = parent == tenants_.end() ? 0 : parent->second, .whole = whole_};
  }
  [[nodiscard]] std::uint64_t room(std::size_t who) const {
    return fair_room(taken(who), most_, contenders_[who].weight);
  }
  bool take(std::size_t who) {
    if (room(who) == 0)
      return false;
    ++contenders_[who].has;
    ++tenants_[contenders_[who].tenant];
    BOOST_REQUIRE(++whole_ <= most_);
    return true;
  }
  bool give_back_beyond(std::size_t who) {
    if (!beyond_share(taken(who), most_, contenders_[who].weight))
      return false;
    --contenders_[who].has;
    --tenants_[contenders_[who].tenant];
    --whole_;
    return true;
  }
  /// All of them want more than there is; who is beyond his share gives back, as his work ends. Until nothing moves.
  void settle(std::mt19937& random) {
    std::vector<std::size_t> order(contenders_.size());
    std::iota(order.begin(), order.end(), 0U);
    for (bool moved = true; moved;) {
      moved = false;
      std::shuffle(order.begin(), order.end(), random);
      for (const auto each : order)
        moved = take(each) || give_back_beyond(each) || moved;
    }
  }
  [[nodiscard]] std::uint64_t has(std::size_t who) const { return contenders_[who].has; }
  [[nodiscard]] std::uint64_t of_tenant(int tenant) const { return tenants_.at(tenant); }
  [[nodiscard]] std::uint64_t free() const { return most_ - whole_; }

private:
  std::uint64_t most_;
  std::vector<contender> contenders_;
  std::map<int, std::uint64_t> tenants_;
  std::uint64_t whole_ = 0;
};

/// Every state of a small whole.
template <class Check>
void for_all_states(std::uint64_t most_max, Check&& check) {
  for (std::uint64_t most = 0; most <= most_max; ++most)
    for (std::uint64_t whole = 0; whole <= most; ++whole)
      for (std::uint64_t parent = 0; parent <= whole; ++parent)
        for (std::uint64_t own = 0; own <= parent; ++own)
          for (const std::uint32_t weight : {1U, 2U, 4U})
            check(places_taken{own, parent, whole}, most, weight);
}

} // namespace

BOOST_AUTO_TEST_SUITE(places_shared_by_what_is_free)

BOOST_AUTO_TEST_CASE(one_more_is_had_while_both_thresholds_are_above_what_is_taken) {
  for_all_states(24, [](const places_taken& taken, std::uint64_t most, std::uint32_t weight) {
    const auto free = most - taken.whole;
    const auto parents = fair_room(taken.parent, free, parent_weight);
    BOOST_REQUIRE((parents > 0) == (taken.parent < 4 * free));
    BOOST_REQUIRE((fair_room(taken, most, weight) > 0) == (taken.own < weight * parents));
  });
}

BOOST_AUTO_TEST_CASE(so_many_more_can_be_taken_one_by_one_and_no_more) {
  for_all_states(24, [](places_taken taken, std::uint64_t most, std::uint32_t weight) {
    const auto room = fair_room(taken, most, weight);
    BOOST_REQUIRE(room <= most - taken.whole);
    std::uint64_t got = 0;
    for (; fair_room(taken, most, weight) > 0; ++got) {
      BOOST_REQUIRE(fair_room(taken, most, weight) == room - got);
      BOOST_REQUIRE(!beyond_share({taken.own + 1, taken.parent + 1, taken.whole + 1}, most, weight));
      ++taken.own;
      ++taken.parent;
      ++taken.whole;
    }
    BOOST_REQUIRE(got == room);
    BOOST_REQUIRE(taken.whole <= most);
  });
}

BOOST_AUTO_TEST_CASE(more_weight_is_never_less_room_and_more_in_use_is_never_more) {
  for_all_states(20, [](const places_taken& taken, std::uint64_t most, std::uint32_t weight) {
    const auto room = fair_room(taken, most, weight);
    const auto [own, parent, whole] = taken;
    BOOST_REQUIRE(fair_room(taken, most, weight + 1) >= room);
    BOOST_REQUIRE(fair_room({own + 1, parent, whole}, most, weight) <= room);
    BOOST_REQUIRE(fair_room({own, parent + 1, whole}, most, weight) <= room);
    BOOST_REQUIRE(fair_room({own, parent, whole + 1}, most, weight) <= room);
    BOOST_REQUIRE(fair_room(taken, most + 1, weight) >= room);
    if (whole == most)
      BOOST_REQUIRE(room == 0U);
  });
}

BOOST_AUTO_TEST_CASE(a_new_tenant_has_room_in_any_whole_that_is_not_full) {
  for (std::uint64_t most = 1; most <= 200; ++most)
    for (std::uint64_t whole = 0; whole < most; ++whole)
      for (const std::uint32_t weight : {0U, 1U, 2U, 4U})
        BOOST_REQUIRE(fair_room({0, 0, whole}, most, weight) >= 1U);
}

BOOST_AUTO_TEST_CASE(a_new_endpoint_has_room_where_its_tenant_has) {
  for_all_states(24, [](places_taken taken, std::uint64_t most, std::uint32_t weight) {
    taken.own = 0;
    BOOST_REQUIRE((fair_room(taken, most, weight) > 0) ==
                  (fair_room(taken.parent, most - taken.whole, parent_weight) > 0));
  });
}

BOOST_AUTO_TEST_CASE(any_numbers_at_all_give_no_more_than_is_free) {
  const std::vector<std::uint64_t> numbers{0, 1, 2, 7, 1'000, limit / 5, limit / 2, limit - 1, limit};
  for (const auto own : numbers)
    for (const auto parent : numbers)
      for (const auto whole : numbers)
        for (const auto most : numbers)
          for (const std::uint32_t weight : {0U, 1U, 4U, 0xffff'ffffU}) {
            const places_taken taken{own, parent, whole};
            BOOST_REQUIRE(fair_room(taken, most, weight) <= (whole >= most ? 0 : most - whole));
            if (own == 0 || parent == 0 || whole == 0)
              BOOST_REQUIRE(!beyond_share(taken, most, weight));
          }
  static_assert(fair_room(0, limit, 4) == limit - limit / 5);
  static_assert(fair_room(limit, limit, 4) < limit);
}

BOOST_AUTO_TEST_CASE(nobody_is_beyond_his_share_while_there_is_plenty) {
  for_all_states(40, [](const places_taken& taken, std::uint64_t most, std::uint32_t weight) {
    if (taken.whole <= plenty_of(most))
      BOOST_REQUIRE(!beyond_share(taken, most, weight));
  });
}

BOOST_AUTO_TEST_CASE(alone_one_has_four_fifths_of_a_tenants_four_fifths_or_less_by_weight) {
  std::mt19937 random{1};
  for (const auto& [weight, expected] : std::map<std::uint32_t, std::uint64_t>{{4, 640}, {2, 533}, {1, 400}}) {
    shared_places places{1'000};
    const auto alone = places.add(1, weight);
    places.settle(random);
    BOOST_TEST(places.has(alone) >= expected);
    BOOST_TEST(places.has(alone) <= expected + 1);
  }
}

// However they came, in whatever order, with the first holding all that it could get before the others were there.
BOOST_AUTO_TEST_CASE(equal_ones_settle_at_equal_shares_whoever_came_first) {
  for (std::uint32_t seed = 1; seed <= 20; ++seed)
    for (const int tenants : {2, 3, 10, 40}) {
      std::mt19937 random{seed};
      shared_places places{1'000};
      places.add(0);
      places.settle(random);
      for (int tenant = 1; tenant < tenants; ++tenant)
        places.add(tenant);
      places.settle(random);
      std::uint64_t least = limit;
      std::uint64_t most = 0;
      for (std::size_t each = 0; each < static_cast<std::size_t>(tenants); ++each) {
        least = std::min(least, places.has(each));
        most = std::max(most, places.has(each));
      }
      BOOST_TEST(most - least <= 2U, "seed " << seed << ", of " << tenants << ": " << least << " to " << most);
      BOOST_TEST(places.room(places.add(tenants)) >= 1U);
    }
}

BOOST_AUTO_TEST_CASE(endpoints_of_a_tenant_settle_at_shares_by_weight) {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    std::mt19937 random{seed};
    shared_places places{4'000};
    const auto low = places.add(1, 1);
    places.settle(random);
    const auto medium = places.add(1, 2);
    const auto high = places.add(1, 4);
    const auto other = places.add(2, 1);
    places.settle(random);
    const auto one = static_cast<double>(places.has(low));
    BOOST_TEST(one > 100.0);
    BOOST_TEST(static_cast<double>(places.has(medium)) / one == 2.0, boost::test_tools::tolerance(0.05));
    BOOST_TEST(static_cast<double>(places.has(high)) / one == 4.0, boost::test_tools::tolerance(0.05));
    BOOST_TEST(places.has(other) > places.has(low)); // it shares with nobody
  }
}

BOOST_AUTO_TEST_CASE(a_tenant_gets_no_more_than_four_times_what_it_leaves_free_however_many_endpoints_flood) {
  for (const int endpoints : {1, 5, 50, 500}) {
    std::mt19937 random{7};
    shared_places places{1'000};
    for (int each = 0; each < endpoints; ++each)
      places.add(1, 4);
    places.settle(random);
    BOOST_TEST(places.of_tenant(1) <= 800U);
    const auto other = places.add(2, 4);
    BOOST_TEST(places.room(other) >= 100U);
    places.settle(random);
    BOOST_TEST(places.has(other) >= 100U);
  }
}

// However many flooded before it, each new tenant has a place at once and, as the others give back, its share.
BOOST_AUTO_TEST_CASE(random_floods_keep_nobody_out) {
  for (std::uint32_t seed = 1; seed <= 30; ++seed) {
    std::mt19937 random{seed};
    shared_places places{1'024};
    std::vector<std::size_t> all;
    for (int tenant = 0; tenant < 12; ++tenant) {
      for (auto endpoints = 1 + random() % 8; endpoints > 0; --endpoints)
        all.push_back(places.add(tenant, 4U >> random() % 3));
      BOOST_REQUIRE_MESSAGE(places.take(all.back()), "seed " << seed << ", tenant " << tenant);
      for (int turn = 0; turn < 3'000; ++turn)
        if (const auto who = all[random() % all.size()]; !places.take(who))
          places.give_back_beyond(who);
    }
    BOOST_TEST(places.free() > 0U);
    places.settle(random);
    for (const auto each : all)
      BOOST_REQUIRE_MESSAGE(places.has(each) > 0, "seed " << seed);
  }
}

BOOST_AUTO_TEST_SUITE_END()
