#include "net/deadline_wheel.hpp"
#include "net/lane_choice.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <vector>

using namespace postrider;
using std::chrono::milliseconds;

BOOST_AUTO_TEST_SUITE(lane_choice_test)

BOOST_AUTO_TEST_CASE(idle_shares_add_up_to_max_in_flight_on_the_threads_that_are_used) {
  for (std::size_t threads = 1; threads <= 8; ++threads)
    for (endpoint_no endpoint = 0; endpoint < 50; ++endpoint)
      for (std::uint32_t most = 1; most <= 20; ++most) {
        const lane_choice lanes{endpoint, most, threads};
        std::set<std::size_t> used;
        for (std::size_t turn = 0; turn < 40; ++turn)
          used.insert(lanes.thread(turn));
        std::size_t shares = 0;
        for (std::size_t thread = 0; thread < threads; ++thread) {
          shares += lanes.idle_share(thread);
          BOOST_TEST((lanes.idle_share(thread) > 0) == used.contains(thread));
        }
        BOOST_TEST(shares == most);
        BOOST_TEST(used.size() == std::min<std::size_t>(most, threads));
      }
}

BOOST_AUTO_TEST_CASE(endpoints_of_one_at_a_time_are_spread_over_the_threads) {
  std::vector<int> count(2);
  for (endpoint_no endpoint = 1; endpoint <= 1000; ++endpoint)
    ++count[lane_choice{endpoint, 1, 2}.thread(0)];
  BOOST_TEST(count[0] > 400);
  BOOST_TEST(count[1] > 400);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(deadline_wheel_test)

namespace {
struct alarm : deadline_wheel::entry {
  int rung = 0;
  void deadline_passed() override { ++rung; }
};
const mono_time start = mono_time{} + std::chrono::hours{1000};
} // namespace

BOOST_AUTO_TEST_CASE(a_deadline_is_told_once_and_never_early) {
  for (const int after_ms : {0, 1, 9, 10, 11, 500, 10'229, 10'240, 10'241, 25'000, 60'000}) {
    deadline_wheel wheel;
    alarm one;
    wheel.advance(start);
    wheel.arm(one, start + milliseconds{after_ms});
    int told_at = -1;
    for (int at = 0; at <= 61'000; at += 7) {
      wheel.advance(start + milliseconds{at});
      if (one.rung == 1 && told_at < 0)
        told_at = at;
    }
    BOOST_TEST(one.rung == 1);
    BOOST_TEST(told_at >= after_ms);
    BOOST_TEST(told_at < after_ms + 7 + 10);
  }
}

BOOST_AUTO_TEST_CASE(a_deadline_in_the_past_is_told_at_once) {
  deadline_wheel wheel;
  alarm one;
  wheel.advance(start);
  wheel.arm(one, start - milliseconds{500});
  wheel.advance(start + milliseconds{1});
  BOOST_TEST(one.rung == 1);
}

BOOST_AUTO_TEST_CASE(a_wheel_that_stood_still_for_long_misses_nothing) {
  deadline_wheel wheel;
  alarm one, two, far;
  wheel.advance(start);
  wheel.arm(one, start + milliseconds{15});
  wheel.arm(two, start + std::chrono::seconds{30});
  wheel.arm(far, start + std::chrono::minutes{10});
  wheel.advance(start + std::chrono::minutes{5});
  BOOST_TEST(one.rung == 1);
  BOOST_TEST(two.rung == 1);
  BOOST_TEST(far.rung == 0);
}

BOOST_AUTO_TEST_CASE(disarming_and_arming_anew_replace_a_deadline) {
  deadline_wheel wheel;
  alarm disarmed, moved;
  wheel.arm(disarmed, start + milliseconds{20});
  wheel.arm(moved, start + milliseconds{20});
  deadline_wheel::disarm(disarmed);
  wheel.arm(moved, start + milliseconds{200});
  wheel.advance(start + milliseconds{100});
  BOOST_TEST(disarmed.rung == 0);
  BOOST_TEST(moved.rung == 0);
  wheel.advance(start + milliseconds{300});
  BOOST_TEST(moved.rung == 1);
}

BOOST_AUTO_TEST_CASE(one_that_is_told_may_disarm_another_that_is_due) {
  struct canceller : deadline_wheel::entry {
    deadline_wheel::entry* other = nullptr;
    void deadline_passed() override { deadline_wheel::disarm(*other); }
  };
  deadline_wheel wheel;
  canceller first;
  alarm second;
  first.other = &second;
  wheel.arm(first, start + milliseconds{10});
  wheel.arm(second, start + milliseconds{10});
  wheel.advance(start + milliseconds{50});
  BOOST_TEST(second.rung == 0);
}

BOOST_AUTO_TEST_SUITE_END()
