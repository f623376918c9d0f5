#include "daemon/signal_watch.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <future>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

using namespace postrider;

namespace {

/// Runs `work` in a process of its own and answers its wait status.
template <class Work>
int status_of_child(Work work) {
  const pid_t child = ::fork();
  BOOST_REQUIRE(child >= 0);
  if (child == 0) {
    ::alarm(20); // a deadline: then SIGALRM ends it, and the status tells
    work();
    ::_exit(0);
  }
  int status = 0;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

} // namespace

BOOST_AUTO_TEST_SUITE(daemon_signal_watch)

BOOST_AUTO_TEST_CASE(the_first_signal_asks_for_the_end) {
  for (const int signal : {SIGTERM, SIGINT}) {
    const int status = status_of_child([signal] {
      signal_watch watch;
      if (watch.requested())
        ::_exit(3);
      ::kill(::getpid(), signal);
      watch.wait();
    });
    BOOST_TEST(WIFEXITED(status));
    BOOST_TEST(WEXITSTATUS(status) == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_hangup_reads_again_and_ends_nothing) {
  const int status = status_of_child([] {
    std::promise<void> read_again;
    signal_watch watch;
    watch.set_reload([&] { read_again.set_value(); });
    ::kill(::getpid(), SIGHUP);
    read_again.get_future().wait();
    watch.set_reload({});
    ::kill(::getpid(), SIGHUP); // nothing to do, and no end
    ::kill(::getpid(), SIGTERM);
    watch.wait();
  });
  BOOST_TEST(WIFEXITED(status));
  BOOST_TEST(WEXITSTATUS(status) == 0);
}

BOOST_AUTO_TEST_CASE(the_second_ends_the_process_with_1_after_the_last_act) {
  const int status = status_of_child([] {
    signal_watch watch;
    watch.set_last_act([] { ::_exit(7); });
    ::kill(::getpid(), SIGTERM);
    watch.wait();
    ::kill(::getpid(), SIGTERM);
    ::pause();
  });
  BOOST_TEST(WIFEXITED(status));
  BOOST_TEST(WEXITSTATUS(status) == 7);

  const int plain = status_of_child([] {
    signal_watch watch;
    ::kill(::getpid(), SIGINT);
    watch.wait();
    ::kill(::getpid(), SIGTERM);
    ::pause();
  });
  BOOST_TEST(WIFEXITED(plain));
  BOOST_TEST(WEXITSTATUS(plain) == 1);
}

BOOST_AUTO_TEST_CASE(an_act_that_runs_is_not_taken_away_under_its_feet) {
  const int status = status_of_child([] {
    signal_watch watch;
    std::promise<void> begun, cleared;
    watch.set_last_act([&, gone = cleared.get_future().share()] {
      begun.set_value();
      ::_exit(gone.wait_for(std::chrono::milliseconds{200}) == std::future_status::ready ? 5 : 7);
    });
    ::kill(::getpid(), SIGTERM);
    watch.wait();
    ::kill(::getpid(), SIGTERM);
    begun.get_future().wait();
    watch.set_last_act({}); // returns only when the act has ended, and with it the process
    cleared.set_value();
    ::pause();
  });
  BOOST_TEST(WIFEXITED(status));
  BOOST_TEST(WEXITSTATUS(status) == 7);
}

BOOST_AUTO_TEST_CASE(an_act_that_was_taken_back_does_not_run) {
  const int status = status_of_child([] {
    signal_watch watch;
    watch.set_last_act([] { ::_exit(7); });
    watch.set_last_act({});
    ::kill(::getpid(), SIGTERM);
    watch.wait();
    ::kill(::getpid(), SIGTERM);
    ::pause();
  });
  BOOST_TEST(WIFEXITED(status));
  BOOST_TEST(WEXITSTATUS(status) == 1);
}

BOOST_AUTO_TEST_CASE(the_end_can_be_asked_for_from_inside_and_a_broken_pipe_is_no_end) {
  const int status = status_of_child([] {
    signal_watch watch;
    ::raise(SIGPIPE);
    std::thread inside{[&] { watch.request(); }};
    watch.wait();
    inside.join();
  });
  BOOST_TEST(WIFEXITED(status));
  BOOST_TEST(WEXITSTATUS(status) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
