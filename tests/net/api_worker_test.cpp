#include "net/api_worker.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <future>
#include <memory>
#include <thread>

using namespace postrider;

BOOST_AUTO_TEST_SUITE(api_workers)

BOOST_AUTO_TEST_CASE(tasks_run_one_after_the_other_on_a_thread_of_its_own) {
  api_worker worker;
  std::promise<std::thread::id> first, second;
  BOOST_TEST(worker.post([&] { first.set_value(std::this_thread::get_id()); }));
  BOOST_TEST(worker.post([&] { second.set_value(std::this_thread::get_id()); }));
  const auto where = first.get_future().get();
  BOOST_TEST((where != std::this_thread::get_id()));
  BOOST_TEST((where == second.get_future().get()));
}

BOOST_AUTO_TEST_CASE(no_more_wait_than_may_and_none_after_the_end) {
  api_worker worker;
  std::promise<void> begun, go_on;
  BOOST_REQUIRE(worker.post([&, goes = go_on.get_future().share()] {
    begun.set_value();
    goes.wait_for(std::chrono::seconds{10});
  }));
  begun.get_future().wait();
  const auto held = std::make_shared<int>(0);
  for (std::size_t i = 0; i < api_worker::waiting_max; ++i)
    BOOST_REQUIRE(worker.post([held] { ++*held; }));
  BOOST_TEST(!worker.post([] {}));
  auto stopped = std::async(std::launch::async, [&] { worker.stop(); });
  go_on.set_value();
  stopped.get();
  BOOST_TEST(!worker.post([] {}));
  BOOST_TEST(held.use_count() == 1); // what waited was dropped
}

BOOST_AUTO_TEST_SUITE_END()
