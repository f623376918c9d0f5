#include "core/turn_queue.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <memory>
#include <random>

using namespace postrider;

BOOST_AUTO_TEST_SUITE(queues_that_take_turns)

BOOST_AUTO_TEST_CASE(each_key_is_first_in_first_out_and_the_keys_take_turns) {
  turn_queue<int> queue;
  for (int i = 0; i < 1'000; ++i)
    queue.push_back(1, i);
  for (int i = 0; i < 3; ++i)
    queue.push_back(2, -1 - i);
  BOOST_TEST(queue.size() == 1'003U);
  BOOST_TEST(queue.size_of(2) == 3U);
  std::map<bool, int> expected{{false, 0}, {true, -1}};
  for (int i = 0; i < 6; ++i) {
    const auto next = queue.pop_front();
    BOOST_TEST(next == (next < 0 ? expected[true]-- : expected[false]++));
  }
  BOOST_TEST(queue.size_of(2) == 0U); // three of six were his
  BOOST_TEST(queue.size() == 997U);
}

BOOST_AUTO_TEST_CASE(what_comes_back_is_the_first_of_its_key_again) {
  turn_queue<int> queue;
  queue.push_back(1, 10);
  queue.push_back(1, 11);
  const auto first = queue.pop_front();
  queue.push_front(1, first);
  BOOST_TEST(queue.front() == 10);
  BOOST_TEST(queue.pop_front() == 10);
  BOOST_TEST(queue.pop_front() == 11);
  BOOST_TEST(queue.empty());
}

BOOST_AUTO_TEST_CASE(a_dear_one_uses_up_more_of_its_share) {
  turn_queue<int> queue;
  for (int i = 0; i < 100; ++i) {
    queue.push_back(1, 1);
    queue.push_back(2, 2);
  }
  std::map<int, int> got;
  for (int i = 0; i < 44; ++i)
    ++got[queue.front() == 1 ? queue.pop_front(10) : queue.pop_front()];
  BOOST_TEST(got[1] == 4);
  BOOST_TEST(got[2] == 40);
}

BOOST_AUTO_TEST_CASE(what_is_picked_out_leaves_the_rest_in_order) {
  turn_queue<std::unique_ptr<int>> queue;
  for (int i = 0; i < 10; ++i)
    queue.push_back(i % 2, std::make_unique<int>(i));
  BOOST_TEST(queue.any_head([](const auto& each) { return *each == 1; }));
  BOOST_TEST(!queue.any_head([](const auto& each) { return *each == 3; }));
  BOOST_TEST(queue.take_if([](const auto& each) { return *each % 2 == 1 || *each < 4; }).size() == 7U);
  BOOST_TEST(queue.size() == 3U);
  for (const int expected : {4, 6, 8})
    BOOST_TEST(*queue.pop_front() == expected);
  BOOST_TEST(queue.take_if([](const auto&) { return true; }).empty());
}

// One key floods at random, others put in one now and then: none of theirs waits for more than two turns of each other
// key.
BOOST_AUTO_TEST_CASE(random_walks_let_nobody_wait_behind_a_flood) {
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    std::mt19937 random{seed};
    turn_queue<std::pair<int, int>> queue; // key, turn at which it came
    int turn = 0;
    for (; turn < 2'000; ++turn) {
      for (auto i = random() % 3; i > 0; --i)
        queue.push_back(0, {0, turn});
      for (int other = 1; other < 6; ++other)
        if (random() % 20 == 0 && queue.size_of(other) == 0)
          queue.push_back(other, {other, turn});
      if (queue.empty())
        continue;
      const auto [key, came] = queue.pop_front();
      if (key != 0)
        BOOST_REQUIRE_MESSAGE(turn - came <= 10, "seed " << seed << ", waited " << turn - came);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_flood_of_any_number_leaves_room_for_one_more_key) {
  for (const std::uint64_t most : {1U, 2U, 5U, 256U, 4'096U, 65'536U})
    for (const std::size_t floods : {1U, 2U, 7U, 50U}) {
      std::vector<std::uint64_t> own(floods);
      std::uint64_t all = 0;
      for (bool more = true; more;) {
        more = false;
        for (auto& each : own)
          if (leaves_room(each, all, most)) {
            ++each;
            ++all;
            more = true;
          }
      }
      BOOST_TEST(all <= most);
      if (most > 4 * floods + 1)
        BOOST_TEST(leaves_room(0, all, most), most << " with " << floods);
      if (floods == 1)
        BOOST_TEST(all == (4 * most + 4) / 5);
    }
}

BOOST_AUTO_TEST_SUITE_END()
