#include "tests/core/circuit_breaker_driver.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace postrider::test::breakers;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(circuit_breaker_recoveries)

BOOST_AUTO_TEST_CASE(half_open_admits_as_many_probes_as_asked_for_and_closes_after_their_successes) {
  auto b = half_opened(3);
  for (int i = 0; i < 3; ++i)
    BOOST_TEST(b.give(input::admit).admitted);
  BOOST_TEST(!b.give(input::admit).admitted);
  b.give(input::success);
  BOOST_TEST((b.now_is.state == state::half_open));
  BOOST_TEST(!b.give(input::admit).admitted, "one success and two running are enough");
  b.give(input::success);
  BOOST_TEST((b.now_is.state == state::half_open));
  b.give(input::success);
  BOOST_TEST((b.now_is.state == state::closed));
  BOOST_TEST(b.now_is.consecutive_failures == 0U);
  BOOST_TEST(!b.now_is.next_at);
}

BOOST_AUTO_TEST_CASE(first_failed_probe_opens_it_again_whatever_the_others_say) {
  auto b = half_opened(3);
  b.repeat(input::admit, 3);
  const auto epoch = b.now_is.epoch;
  b.give(input::success);
  b.give(input::failure);
  BOOST_TEST((b.now_is.state == state::open));
  b.give(input::success, epoch);
  BOOST_TEST((b.now_is.state == state::open));
  BOOST_TEST(b.now_is.epoch == epoch + 1);
}

BOOST_AUTO_TEST_CASE(probe_that_says_nothing_gives_its_place_back) {
  auto b = half_opened();
  BOOST_TEST(b.give(input::admit).admitted);
  BOOST_TEST(!b.give(input::admit).admitted);
  b.give(input::void_);
  BOOST_TEST((b.now_is.state == state::half_open));
  BOOST_TEST(b.give(input::admit).admitted);
}

BOOST_AUTO_TEST_CASE(probe_that_says_nothing_is_no_success) {
  auto b = half_opened(2);
  b.give(input::admit);
  b.give(input::void_);
  BOOST_TEST(b.give(input::admit).admitted);
  BOOST_TEST(b.give(input::admit).admitted);
  b.give(input::success);
  BOOST_TEST((b.now_is.state == state::half_open));
  b.give(input::success);
  BOOST_TEST((b.now_is.state == state::closed));
}

BOOST_AUTO_TEST_CASE(probe_that_never_reports_opens_it_again) {
  auto b = half_opened();
  const auto admitted = b.give(input::admit);
  BOOST_TEST((admitted.wake_at == b.now + b.policy.probe_timeout));
  b.wake();
  BOOST_TEST((b.now_is.state == state::open));
  BOOST_TEST((cool_down_of(b) == 2s));
}

BOOST_AUTO_TEST_CASE(timer_of_a_probe_that_has_reported_does_not_hurt_the_next) {
  auto b = half_opened();
  b.give(input::admit);
  const auto first_deadline = *b.now_is.next_at;
  b.wait(10s);
  b.give(input::void_);
  BOOST_TEST(!b.now_is.next_at);
  b.give(input::admit);
  const auto second_deadline = *b.now_is.next_at;
  b.now = first_deadline;
  const auto out = b.give(input::timer);
  BOOST_TEST((out.next.state == state::half_open));
  BOOST_TEST((out.wake_at == second_deadline));
  b.give(input::void_);
  b.now = second_deadline;
  BOOST_TEST((b.give(input::timer).next.state == state::half_open), "nobody is out");
}

BOOST_AUTO_TEST_CASE(reports_of_probes_that_were_never_admitted_do_not_close_it) {
  auto b = half_opened();
  b.give(input::success);
  BOOST_TEST((b.now_is.state == state::half_open));
  BOOST_TEST(b.now_is.probes_running == 0U);
}

BOOST_AUTO_TEST_CASE(fewer_probes_in_a_changed_policy_leave_no_breaker_stuck) {
  auto b = half_opened(3);
  b.give(input::admit);
  b.give(input::success);
  b.policy.probes = 1;
  BOOST_TEST(b.give(input::admit).admitted);
  b.give(input::success);
  BOOST_TEST((b.now_is.state == state::closed));
}

BOOST_AUTO_TEST_CASE(reset_closes_and_forgets_from_every_state) {
  auto failing = driven{};
  failing.repeat(input::failure, 3);
  auto probing = half_opened();
  probing.give(input::admit);
  for (auto b : {failing, opened(), half_opened(), probing}) {
    const auto before = b.now_is;
    b.give(input::reset);
    BOOST_TEST((b.now_is.state == state::closed));
    BOOST_TEST(b.now_is.consecutive_failures == 0U);
    BOOST_TEST(b.now_is.opened_in_a_row == 0U);
    BOOST_TEST(b.now_is.probes_running == 0U);
    BOOST_TEST(!b.now_is.next_at);
    BOOST_TEST((b.now_is.window == breaker{}.window));
    BOOST_TEST(b.now_is.epoch == before.epoch + (before.state == state::closed ? 0 : 1));
  }
}

BOOST_AUTO_TEST_CASE(recovery_that_lasts_a_window_resets_the_cool_down_and_a_shorter_one_does_not) {
  for (const bool sustained : {false, true}) {
    auto b = half_opened();
    b.give(input::admit);
    b.give(input::failure); // second in a row: 2 s
    b.wake();
    b.give(input::admit);
    b.give(input::success);
    BOOST_TEST((b.now_is.state == state::closed));
    b.wait(sustained ? b.policy.window : b.policy.window - 1ms);
    b.give(input::failure);
    BOOST_TEST((b.now_is.state == state::open));
    BOOST_TEST((cool_down_of(b) == (sustained ? 1s : 4s)));
  }
}

BOOST_AUTO_TEST_CASE(old_failures_do_not_open_it_right_after_it_closed) {
  driven b{.policy = {.failures = 5, .min_requests = 5}};
  b.repeat(input::failure, 5);
  b.wake();
  b.give(input::admit);
  b.give(input::success);
  b.repeat(input::failure, 4);
  BOOST_TEST((b.now_is.state == state::closed));
}

BOOST_AUTO_TEST_CASE(words_are_the_contracts) {
  BOOST_TEST(to_string(state::closed) == "closed");
  BOOST_TEST(to_string(state::open) == "open");
  BOOST_TEST(to_string(state::half_open) == "half_open");
  BOOST_TEST(to_string(static_cast<state>(3)).empty());
}

BOOST_AUTO_TEST_CASE(a_restored_breaker_that_stays_closed_for_a_window_forgets_its_long_cool_down) {
  using namespace std::chrono_literals;
  const breaker_policy policy{.failures = 1, .window = 60s, .cool_down = 1s, .jitter = 0};
  const mono_time mono{1'000h};
  const wall_time wall{std::chrono::hours{24 * 365 * 50}};
  const stored_breaker stored{.state = breaker_state::closed, .opened_in_a_row = 5, .since = wall - 20s};
  const auto soon = restored_breaker(stored, mono, wall);
  const auto early = step(soon, breaker_input::failure, soon.epoch, mono + 39s, 0.5, policy).next;
  BOOST_TEST((*early.next_at == mono + 39s + 32s));
  const auto later = step(soon, breaker_input::failure, soon.epoch, mono + 40s, 0.5, policy).next;
  BOOST_TEST((*later.next_at == mono + 40s + 1s));
}

BOOST_AUTO_TEST_CASE(a_restored_breaker_waits_for_its_probe_time_whatever_the_clock_says) {
  using namespace std::chrono_literals;
  const mono_time mono{1'000h};
  const wall_time wall{std::chrono::hours{24 * 365 * 50}};
  const auto open = restored_breaker({breaker_state::open, 3, wall - 5s, wall + 20s}, mono, wall);
  BOOST_TEST((open.state == breaker_state::open));
  BOOST_TEST(open.opened_in_a_row == 3U);
  BOOST_TEST((*open.next_at == mono + 20s));
  const auto overdue = restored_breaker({breaker_state::open, 3, wall - 50s, wall - 20s}, mono, wall);
  BOOST_TEST((*overdue.next_at == mono));
  const auto half = restored_breaker({breaker_state::half_open, 3, wall, {}}, mono, wall);
  BOOST_TEST((half.state == breaker_state::open));
  BOOST_TEST((*half.next_at == mono));
  const auto skewed = restored_breaker({breaker_state::closed, 3, wall + 1h, {}}, mono, wall);
  BOOST_TEST((*skewed.closed_since == mono));
}

BOOST_AUTO_TEST_SUITE_END()
