#include "core/turn_tree.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <tuple>
#include <utility>
#include <vector>

using namespace postrider;

namespace {

struct item {
  std::int64_t tenant = 0;
  std::int64_t endpoint = 0;
  int number = 0;
};

class tree : public turn_tree<item> {
public:
  void put(std::int64_t tenant, std::int64_t endpoint, std::uint32_t weight, int count = 1) {
    for (; count > 0; --count)
      push_back(tenant, endpoint, weight, {tenant, endpoint, numbers_[{tenant, endpoint}]++});
  }
  std::map<std::pair<std::int64_t, std::int64_t>, int> take(int count) {
    std::map<std::pair<std::int64_t, std::int64_t>, int> out;
    for (; count > 0; --count) {
      const auto next = pop_front();
      ++out[{next.tenant, next.endpoint}];
    }
    return out;
  }

private:
  std::map<std::pair<std::int64_t, std::int64_t>, int> numbers_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(queues_of_tenants_and_their_endpoints)

BOOST_AUTO_TEST_CASE(endpoints_of_a_tenant_that_all_have_work_are_served_by_weight) {
  tree queue;
  for (const auto& [endpoint, weight] : std::map<std::int64_t, std::uint32_t>{{1, 4}, {2, 2}, {3, 1}})
    queue.put(1, endpoint, weight, 1'000);
  auto got = queue.take(700);
  BOOST_TEST((got[{1, 1}] == 400));
  BOOST_TEST((got[{1, 2}] == 200));
  BOOST_TEST((got[{1, 3}] == 100));
}

// As claims are: an endpoint has one waiting, and the next when that is done.
BOOST_AUTO_TEST_CASE(endpoints_with_one_thing_at_a_time_share_by_weight_while_others_have_turns_between) {
  tree queue;
  const std::map<std::int64_t, std::uint32_t> weights{{1, 4}, {2, 2}, {3, 1}};
  for (const auto& [endpoint, weight] : weights)
    queue.put(1, endpoint, weight);
  queue.put(2, 9, 1);
  std::map<std::int64_t, int> got;
  for (int turn = 0; turn < 1'400; ++turn) {
    const auto next = queue.pop_front();
    ++got[next.endpoint];
    queue.put(next.tenant, next.endpoint, next.tenant == 1 ? weights.at(next.endpoint) : 1);
  }
  BOOST_TEST(got[9] == 700);
  BOOST_TEST(std::abs(got[1] - 400) <= 2);
  BOOST_TEST(std::abs(got[2] - 200) <= 2);
  BOOST_TEST(std::abs(got[3] - 100) <= 2);
}

BOOST_AUTO_TEST_CASE(a_tenants_share_grows_neither_with_its_endpoints_nor_with_their_weights) {
  tree queue;
  for (std::int64_t endpoint = 1; endpoint <= 50; ++endpoint)
    queue.put(1, endpoint, 4, 20);
  queue.put(2, 100, 1, 500);
  const auto got = queue.take(600);
  BOOST_TEST((got.at({2, 100}) == 300));
  for (std::int64_t endpoint = 1; endpoint <= 50; ++endpoint)
    BOOST_TEST((got.at({1, endpoint}) == 6));
}

BOOST_AUTO_TEST_CASE(each_endpoints_own_are_first_in_first_out) {
  tree queue;
  std::mt19937 random{5};
  std::map<std::pair<std::int64_t, std::int64_t>, int> expected;
  for (int turn = 0; turn < 5'000; ++turn) {
    if (random() % 2 == 0)
      queue.put(static_cast<std::int64_t>(random() % 4), static_cast<std::int64_t>(random() % 5), 4U >> random() % 3);
    if (!queue.empty() && random() % 2 == 0) {
      const auto next = queue.pop_front();
      BOOST_REQUIRE((next.number == expected[{next.tenant, next.endpoint}]++));
    }
  }
  for (const auto& next : queue.take_all())
    BOOST_REQUIRE((next.number == expected[{next.tenant, next.endpoint}]++));
  BOOST_TEST(queue.empty());
  BOOST_TEST(queue.size_of(1) == 0U);
}

BOOST_AUTO_TEST_CASE(what_waits_is_counted_by_tenant) {
  tree queue;
  queue.put(1, 0, 2, 3);
  queue.put(1, 7, 4, 2);
  queue.put(2, 8, 1);
  BOOST_TEST(queue.size() == 6U);
  BOOST_TEST(queue.size_of(1) == 5U);
  BOOST_TEST(queue.size_of(2) == 1U);
  BOOST_TEST(queue.size_of(3) == 0U);
  queue.take(2);
  BOOST_TEST(queue.size_of(1) + queue.size_of(2) == queue.size());
  BOOST_TEST(queue.size() == 4U);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_copied_is_moved) {
  turn_tree<std::unique_ptr<int>> queue;
  queue.push_back(1, 1, 1, std::make_unique<int>(4));
  BOOST_TEST(*queue.pop_front() == 4);
  BOOST_TEST(queue.take_all().empty());
}

// High ones flood; each other endpoint of the tenant is served within a round of all weights, and each other tenant
// within two turns of each.
BOOST_AUTO_TEST_CASE(random_walks_let_nobody_starve) {
  for (std::uint32_t seed = 1; seed <= 100; ++seed) {
    std::mt19937 random{seed};
    turn_tree<std::tuple<std::int64_t, std::int64_t, int>> queue; // tenant, endpoint, how many turns its tenant had had
    std::map<std::int64_t, int> turns;
    std::map<std::pair<std::int64_t, std::int64_t>, int> waiting;
    const auto put = [&](std::int64_t tenant, std::int64_t endpoint, std::uint32_t weight) {
      queue.push_back(tenant, endpoint, weight, {tenant, endpoint, turns[tenant]});
      ++waiting[{tenant, endpoint}];
    };
    for (int turn = 0; turn < 2'000; ++turn) {
      put(1, 1, 4);
      put(1, 2, 4);
      for (std::int64_t low = 3; low <= 5; ++low)
        if (random() % 10 == 0 && waiting[{1, low}] == 0)
          put(1, low, 1);
      if (random() % 4 == 0 && waiting[{2, 9}] == 0)
        put(2, 9, 1);
      const auto [tenant, endpoint, came] = queue.pop_front();
      --waiting[{tenant, endpoint}];
      const auto waited = turns[tenant]++ - came;
      if (endpoint > 2)
        BOOST_REQUIRE_MESSAGE(waited <= 2 * (4 + 4 + 3) + 5, "seed " << seed << ", waited " << waited);
    }
    BOOST_REQUIRE(turns[2] > 200);
  }
}

BOOST_AUTO_TEST_SUITE_END()
