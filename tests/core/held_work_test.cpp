#include "core/held_work.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <thread>
#include <vector>

using namespace postrider;

namespace {

struct node {
  std::shared_ptr<held_work> all;
  explicit node(work_size most) : all{std::make_shared<held_work>(most)} {}
  std::shared_ptr<held_work> tenant() { return std::make_shared<held_work>(all, parent_weight); }
};
std::shared_ptr<held_work> endpoint(const std::shared_ptr<held_work>& tenant, std::uint32_t weight = 2) {
  return std::make_shared<held_work>(tenant, weight);
}
/// Takes rows of one byte one by one until there is no room.
void fill(held_work& which) {
  while (which.has_room()) {
    const auto now = which.held();
    which.hold({now.rows + 1, now.bytes + 1});
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(held_works)

BOOST_AUTO_TEST_CASE(what_an_endpoint_holds_counts_for_its_tenant_and_the_node) {
  node on{{1'000, 1'000'000}};
  const auto acme = on.tenant(), other = on.tenant();
  const auto one = endpoint(acme), two = endpoint(acme), third = endpoint(other);
  one->hold({5, 500});
  two->hold({7, 70});
  third->hold({1, 1});
  BOOST_TEST((acme->held() == work_size{12, 570}));
  BOOST_TEST((on.all->held() == work_size{13, 571}));
  one->hold({2, 900});
  BOOST_TEST((acme->held() == work_size{9, 970}));
  BOOST_TEST((on.all->held() == work_size{10, 971}));
}

BOOST_AUTO_TEST_CASE(what_goes_away_holds_nothing) {
  node on{{1'000, 1'000'000}};
  {
    const auto acme = on.tenant();
    const auto one = endpoint(acme);
    one->hold({5, 500});
    BOOST_TEST((on.all->held() == work_size{5, 500}));
  }
  BOOST_TEST((on.all->held() == work_size{}));
}

BOOST_AUTO_TEST_CASE(the_whole_is_never_exceeded_and_a_newcomer_finds_room) {
  node on{{1'000, 1'000'000}};
  const auto flood = on.tenant();
  const auto first = endpoint(flood);
  fill(*first);
  const auto alone = first->held().rows;
  BOOST_TEST(alone > 400U); // four fifths, of these two thirds
  BOOST_TEST(alone < 600U);
  const auto second = endpoint(flood);
  BOOST_TEST(second->has_room());
  fill(*second);
  BOOST_TEST(flood->held().rows <= 800U);
  const auto acme = on.tenant();
  const auto one = endpoint(acme);
  BOOST_TEST(one->has_room());
  fill(*one);
  BOOST_TEST(on.all->held().rows < 1'000U);
  BOOST_TEST(one->held().rows > 50U);
}

BOOST_AUTO_TEST_CASE(bytes_bind_as_rows_do) {
  node on{{1'000, 1'000}};
  const auto one = endpoint(on.tenant());
  one->hold({1, 5'000}); // larger than all: let through while there was room
  BOOST_TEST(one->room().bytes == 0U);
  BOOST_TEST(!one->has_room());
  BOOST_TEST((one->most() == work_size{1 + one->room().rows, 5'000}));
  BOOST_TEST(!endpoint(on.tenant())->has_room());
  one->hold({});
  BOOST_TEST(one->has_room());
}

BOOST_AUTO_TEST_CASE(shares_go_by_priority) {
  node on{{7'000, 7'000'000}};
  const auto acme = on.tenant();
  const auto high = endpoint(acme, 4), low = endpoint(acme, 1);
  for (int i = 0; i < 40'000; ++i)
    for (const auto& each : {high, low}) {
      if (i % 4 == 0 && each->held().rows > 0) // something is delivered
        each->hold({each->held().rows - 1, 0});
      if (each->has_room())
        each->hold({each->held().rows + 1, 0});
    }
  BOOST_TEST(high->held().rows >= 39 * low->held().rows / 10);
  BOOST_TEST(high->held().rows <= 41 * low->held().rows / 10);
  low->share_by(4);
  BOOST_TEST(low->has_room());
}

BOOST_AUTO_TEST_CASE(many_threads_leave_nothing_behind) {
  node on{{1'000'000, 1'000'000'000}};
  const auto acme = on.tenant();
  std::vector<std::thread> threads;
  for (std::uint64_t n = 1; n <= 4; ++n)
    threads.emplace_back([&acme, n] {
      const auto mine = endpoint(acme);
      for (std::uint64_t i = 0; i < 20'000; ++i) {
        mine->hold({i % 7 * n, i % 11 * n});
        if (!mine->has_room())
          mine->hold({});
      }
    });
  for (auto& each : threads)
    each.join();
  BOOST_TEST((on.all->held() == work_size{}));
}

BOOST_AUTO_TEST_SUITE_END()
