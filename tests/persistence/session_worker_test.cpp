// Whose turn it is on a connection that many share.
#include "persistence/session_worker.hpp"
#include "tests/persistence/postgres_world.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

using namespace postrider;
using namespace postrider::tests;
using namespace std::chrono_literals;

namespace {

/// A worker that is held by its first job until it is let go, so that what is posted meanwhile waits.
struct held_worker {
  watchdog dog;
  metrics counts;
  std::promise<void> let_go;
  std::mutex mutex;
  std::vector<std::pair<int, int>> done; // endpoint, number; under mutex
  session_worker worker;

  std::atomic<mono_time> late_from{mono_time::max()};

  held_worker() : worker{options(), dog, counts} {
    worker.pace_late([this](mono_time) { return late_from.load(); });
    worker.start();
    std::promise<void> held;
    worker.post({.work = [&, going = let_go.get_future().share()](session&) -> std::optional<session_failure> {
      held.set_value();
      going.wait_for(30s);
      return std::nullopt;
    }});
    held.get_future().wait();
  }
  ~held_worker() { worker.stop(0ms); }

  static session_options options() {
    session_options out;
    out.url = postgres_fixture::instance().fresh_database();
    out.role = "worker test";
    return out;
  }
  bool post(int tenant, int endpoint, delivery_priority priority, int number) {
    return worker.post({.work = [this, endpoint, number](session&) -> std::optional<session_failure> {
                          const std::lock_guard lock{mutex};
                          done.emplace_back(endpoint, number);
                          return std::nullopt;
                        },
                        .tenant = tenant,
                        .endpoint = endpoint,
                        .weight = weight_of(priority)});
  }
  void post_late(int number) {
    BOOST_REQUIRE(worker.post({.work = [this, number](session&) -> std::optional<session_failure> {
                                 const std::lock_guard lock{mutex};
                                 done.emplace_back(late_endpoint, number);
                                 return std::nullopt;
                               },
                               .tenant = 1,
                               .endpoint = late_endpoint,
                               .late = true}));
  }
  static constexpr int late_endpoint = 99;

  std::vector<std::pair<int, int>> all(std::size_t count) {
    BOOST_REQUIRE(eventually([&] {
      const std::lock_guard lock{mutex};
      return done.size() == count;
    }));
    return done;
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(session_worker_turns)

BOOST_AUTO_TEST_CASE(tenants_take_turns_and_a_tenants_endpoints_by_priority_each_in_order) {
  held_worker on;
  for (int number = 0; number < 70; ++number) {
    BOOST_REQUIRE(on.post(1, 13, delivery_priority::low, number));
    BOOST_REQUIRE(on.post(1, 12, delivery_priority::medium, number));
    BOOST_REQUIRE(on.post(1, 11, delivery_priority::high, number));
    BOOST_REQUIRE(on.post(2, 21, delivery_priority::low, number));
  }
  on.let_go.set_value();
  const auto order = on.all(280);
  std::map<int, int> of_first; // while all of them have work
  for (int i = 0; i < 140; ++i)
    ++of_first[order[static_cast<std::size_t>(i)].first];
  BOOST_TEST(of_first[21] == 70);
  BOOST_TEST(of_first[11] == 40);
  BOOST_TEST(of_first[12] == 20);
  BOOST_TEST(of_first[13] == 10);
  std::map<int, int> next;
  for (const auto& [endpoint, number] : order)
    BOOST_REQUIRE(number == next[endpoint]++);
}

BOOST_AUTO_TEST_CASE(one_tenants_endpoints_together_leave_room_for_another_tenant) {
  held_worker on;
  int waiting = 0;
  while (on.post(1, waiting % 1'000, delivery_priority::high, waiting))
    ++waiting;
  BOOST_TEST(waiting == (4 * static_cast<int>(session_worker::jobs_max) + 4) / 5);
  BOOST_TEST(on.post(2, 5'000, delivery_priority::low, 0));
  on.let_go.set_value();
  const auto order = on.all(static_cast<std::size_t>(waiting) + 1);
  BOOST_TEST((order[0].first == 5'000 || order[1].first == 5'000));
}

BOOST_AUTO_TEST_CASE(late_work_goes_behind_what_is_not_and_gets_one_turn_in_nine_all_the_same) {
  held_worker on;
  on.late_from = mono_time::min();
  for (int number = 0; number < 3; ++number)
    on.post_late(number);
  for (int number = 0; number < 40; ++number)
    BOOST_REQUIRE(on.post(1, 11, delivery_priority::medium, number));
  on.let_go.set_value();
  const auto order = on.all(43);
  std::vector<std::size_t> late;
  for (std::size_t i = 0; i < order.size(); ++i)
    if (order[i].first == held_worker::late_endpoint)
      late.push_back(i);
  const std::size_t before = session_worker::prompt_before_late;
  const std::vector<std::size_t> expected{before - 1, 2 * before, 3 * before + 1}; // what held it was the first
  BOOST_TEST(late == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(late_work_waits_for_its_pace_and_holds_up_nobody) {
  held_worker on;
  on.post_late(0);
  BOOST_REQUIRE(on.post(1, 11, delivery_priority::medium, 0));
  on.let_go.set_value();
  BOOST_TEST(on.all(1).front().first == 11);
  BOOST_REQUIRE(on.post(1, 11, delivery_priority::medium, 1));
  BOOST_TEST(on.all(2).back().first == 11);
  on.late_from = mono_time::min(); // it looks again by itself
  BOOST_TEST(on.all(3).back().first == held_worker::late_endpoint);
}

BOOST_AUTO_TEST_CASE(what_has_waited_for_longer_than_its_patience_is_abandoned) {
  held_worker on;
  std::promise<bool> done;
  const auto posted = std::chrono::steady_clock::now();
  BOOST_REQUIRE(on.worker.post({.work = [&](session&) -> std::optional<session_failure> {
                                  done.set_value(true);
                                  return std::nullopt;
                                },
                                .abandon = [&] { done.set_value(false); },
                                .patience = 1ms}));
  BOOST_REQUIRE(eventually([&] { return std::chrono::steady_clock::now() - posted > 5ms; }));
  on.let_go.set_value();
  BOOST_TEST(!done.get_future().get());
  BOOST_REQUIRE(on.post(1, 11, delivery_priority::medium, 0)); // the worker goes on
  on.all(1);
}

BOOST_AUTO_TEST_CASE(the_end_waits_for_no_pace) {
  held_worker on;
  on.post_late(0);
  on.let_go.set_value();
  on.worker.stop(20s);
  const std::lock_guard lock{on.mutex};
  BOOST_TEST(on.done.size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
