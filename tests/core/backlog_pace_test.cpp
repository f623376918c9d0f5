#include "core/backlog_pace.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>

using namespace postrider;
using namespace std::chrono_literals;

namespace {

constexpr mono_time start{1'000h};

/// A node: what comes in is committed each 5 ms, ten events at a time; its delay is what the late rows of the last 50
/// ms make of it. A backlog that never ends claims whenever it may.
struct busy_node {
  backlog_pace pace;
  mono_time now = start;
  bool traffic = true;
  bool backlog = true;
  std::uint32_t cost = 1;
  std::function<std::chrono::microseconds(double rows_per_s)> delay = [](double) { return 1'000us; };
  std::int64_t rows = 0;
  double recent = 0; // rows a second, over 50 ms

  /// Rows that were claimed.
  std::int64_t run(std::chrono::milliseconds span, std::uint32_t most = 256) {
    const auto before = rows;
    for (const auto end = now + span; now < end; now += 1ms) {
      if (traffic && (now - start) % 5ms == 0ms)
        pace.committed(delay(recent), 10, now);
      std::int64_t taken = 0;
      while (backlog) {
        const bool ready = pace.ready_at(now) <= now;
        const auto got = pace.take(most, now, cost);
        BOOST_REQUIRE_EQUAL(got > 0, ready);
        taken += got;
        if (got == 0 || !pace.rate(now))
          break; // where nothing limits it, one claim each ms
      }
      rows += taken;
      recent += (static_cast<double>(taken) * 1'000 - recent) / 50;
    }
    return rows - before;
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(backlog_paces)

BOOST_AUTO_TEST_CASE(where_nothing_comes_in_nothing_is_held_back) {
  backlog_pace pace;
  for (int i = 0; i < 1'000; ++i) {
    BOOST_REQUIRE(pace.ready_at(start) <= start);
    BOOST_REQUIRE_EQUAL(pace.take(256, start), 256U);
  }
  BOOST_TEST(!pace.rate(start).has_value());
  BOOST_TEST(pace.take(7, start) == 7U);
  BOOST_TEST(pace.take(10'000, start) == backlog_pace::page_max);
}

BOOST_AUTO_TEST_CASE(late_work_that_nobody_feels_grows_without_end) {
  busy_node node;
  node.run(2s);
  const auto second = node.run(1s);
  const auto later = node.run(1s);
  BOOST_TEST(later > 2 * second);
  BOOST_TEST(node.run(20s) > 20 * later);
}

BOOST_AUTO_TEST_CASE(it_yields_until_what_comes_in_takes_at_most_the_target) {
  busy_node node;
  node.delay = [](double rows) { return 1'000us + std::chrono::microseconds{static_cast<int>(rows / 5)}; };
  node.backlog = false;
  node.run(5s);
  BOOST_TEST(node.pace.base().count() == 1'000);
  node.backlog = true;
  node.run(20s);
  // The target is 1.5 ms: 2,500 rows a second are felt so much, and its floor is 2,250.
  const auto rows = node.run(20s) / 20;
  BOOST_TEST(rows > 2'250 * 9 / 10);
  BOOST_TEST(rows < 3'200);
}

BOOST_AUTO_TEST_CASE(room_that_comes_is_used_and_room_that_goes_is_given_back) {
  busy_node node;
  double cost = 0.02;
  node.delay = [&](double rows) { return 1'000us + std::chrono::microseconds{static_cast<int>(rows * cost)}; };
  node.backlog = false;
  node.run(5s);
  node.backlog = true;
  node.run(20s);
  const auto quick = node.run(10s) / 10;
  BOOST_TEST(quick > 15'000);
  cost = 0.2;
  node.run(1s); // within a second it has yielded
  const auto slow = node.run(10s) / 10;
  BOOST_TEST(slow < 3'200);
  cost = 0.02;
  node.run(10s);
  BOOST_TEST(node.run(10s) / 10 > 3 * slow);
}

BOOST_AUTO_TEST_CASE(its_floor_is_what_comes_in_and_250) {
  busy_node node;
  node.backlog = false;
  node.run(5s);
  node.backlog = true;
  node.delay = [](double) { return 1'000'000us; }; // whatever it does
  node.run(5s);
  const auto rows = node.run(20s) / 20;
  BOOST_TEST(rows > 2'250 * 95 / 100);
  BOOST_TEST(rows < 2'250 * 105 / 100);
}

BOOST_AUTO_TEST_CASE(small_claims_use_no_more_of_it_than_they_take) {
  busy_node node;
  node.backlog = false;
  node.run(5s);
  node.backlog = true;
  node.delay = [](double) { return 1'000'000us; };
  node.run(5s, 5);
  const auto rows = node.run(20s, 5) / 20;
  BOOST_TEST(rows > 2'250 * 95 / 100);
  BOOST_TEST(rows < 2'250 * 105 / 100);
}

BOOST_AUTO_TEST_CASE(a_replay_takes_as_much_of_the_rate_as_four) {
  busy_node node;
  node.cost = backlog_pace::replay_cost;
  node.backlog = false;
  node.run(5s);
  node.backlog = true;
  node.delay = [](double) { return 1'000'000us; };
  node.run(5s);
  const auto rows = node.run(20s) / 20;
  BOOST_TEST(rows > 2'250 / 4 * 95 / 100);
  BOOST_TEST(rows < 2'250 / 4 * 105 / 100);
}

BOOST_AUTO_TEST_CASE(what_a_claim_did_not_find_is_given_back) {
  busy_node node;
  node.backlog = false;
  node.run(5s);
  auto& pace = node.pace;
  const auto ready = pace.ready_at(node.now);
  const auto at = std::max(ready, node.now);
  std::uint32_t taken = 0;
  for (auto more = pace.take(256, at); more > 0; more = pace.take(256, at))
    taken += more;
  BOOST_REQUIRE(taken >= backlog_pace::page_min);
  BOOST_TEST((pace.ready_at(at) > at));
  pace.give_back(taken, at);
  BOOST_TEST((pace.ready_at(at) <= at));
  BOOST_TEST(pace.take(1, at) == 1U);
}

BOOST_AUTO_TEST_CASE(a_pause_of_late_work_begins_at_the_floor_again) {
  busy_node node;
  node.run(5s);
  BOOST_REQUIRE(node.pace.rate(node.now).value() > 10'000);
  node.backlog = false;
  node.run(2s);
  BOOST_TEST(node.pace.rate(node.now).value() < 2'400);
}

BOOST_AUTO_TEST_CASE(what_it_adds_itself_is_not_taken_for_their_own_time) {
  busy_node node;
  // Two thirds of the delay come with the first rows, so it is above the target all the time, and on the floor.
  node.delay = [](double rows) { return rows > 100 ? 3'000us : 1'000us; };
  node.backlog = false;
  node.run(1s);
  node.backlog = true;
  node.run(std::chrono::minutes{40}); // the minutes before it began are forgotten
  BOOST_TEST(node.pace.base().count() >= 1'000);
  BOOST_TEST(node.pace.base().count() < 1'500);
  BOOST_TEST(node.pace.rate(node.now).value() < 2'400);
}

BOOST_AUTO_TEST_CASE(when_traffic_comes_back_it_is_looked_at_before_anything_else) {
  busy_node node;
  node.traffic = false;
  const auto idle = node.run(2s);
  BOOST_TEST(idle == 2'000 * 256);
  node.traffic = true;
  node.run(6ms);
  const auto rows = node.rows;
  node.run(400ms);
  BOOST_TEST(node.rows == rows);
  BOOST_TEST((node.pace.ready_at(node.now) > node.now));
  node.run(200ms);
  BOOST_TEST(node.rows > rows);
}

BOOST_AUTO_TEST_CASE(the_time_that_it_names_is_the_one_at_which_it_gives) {
  busy_node node;
  node.backlog = false;
  node.run(5s);
  for (int i = 0; i < 200; ++i) {
    node.now = std::max(node.now, node.pace.ready_at(node.now));
    if (i % 3 == 0)
      node.pace.committed(1'000us, 10, node.now);
    if (node.pace.ready_at(node.now) <= node.now)
      BOOST_REQUIRE(node.pace.take(256, node.now) > 0U);
  }
}

BOOST_AUTO_TEST_SUITE_END()
