#include "net/io_threads.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <future>
#include <stdexcept>

using namespace postrider;

BOOST_AUTO_TEST_SUITE(io_threads_test)

BOOST_AUTO_TEST_CASE(work_runs_on_the_thread_that_was_named) {
  io_threads threads{3};
  threads.start();
  for (std::size_t index = 0; index < threads.size(); ++index) {
    std::promise<bool> there;
    threads.post(index, [&] { there.set_value(threads.on_thread(index) && !threads.on_thread((index + 1) % 3)); });
    BOOST_TEST(there.get_future().get());
    BOOST_TEST(!threads.on_thread(index));
  }
}

BOOST_AUTO_TEST_CASE(a_handler_that_throws_does_not_end_its_thread) {
  io_threads threads{1};
  threads.start();
  threads.post(0, [] { throw std::runtime_error("on purpose"); });
  std::promise<void> after;
  threads.post(0, [&] { after.set_value(); });
  BOOST_TEST((after.get_future().wait_for(std::chrono::seconds{10}) == std::future_status::ready));
}

BOOST_AUTO_TEST_CASE(what_was_posted_before_the_start_runs_and_after_the_stop_does_not) {
  io_threads threads{1};
  std::promise<void> early;
  threads.post(0, [&] { early.set_value(); });
  BOOST_TEST(!threads.running());
  threads.start();
  early.get_future().wait();
  threads.stop();
  threads.stop();
  BOOST_TEST(!threads.running());
  bool late = false;
  threads.post(0, [&] { late = true; });
  BOOST_TEST(!late);
}

BOOST_AUTO_TEST_CASE(there_is_always_at_least_one_thread) {
  BOOST_TEST(io_threads{0}.size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
