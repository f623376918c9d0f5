#include "core/circuit_breaker.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <vector>

using namespace postrider;
using namespace std::chrono_literals;

namespace {

using state = breaker_state;
using input = breaker_input;

struct timer {
  mono_time at;
  std::uint32_t epoch;
};

/// Drives a breaker with chance: attempts that report late, never or for another epoch, timers that come late.
class walk {
public:
  walk(std::uint64_t seed, const breaker_policy& policy) : random_{seed}, policy_{policy} {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i)
      one_step();
    BOOST_TEST(opened_ > 10);
    BOOST_TEST(closed_ > 10);
  }

private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  void one_step() {
    now_ += milliseconds{below(300)};
    if (below(2'000) == 0)
      sick_ = !sick_;
    const auto dice = below(100);
    if (dice < 45)
      give(input::admit, static_cast<std::uint32_t>(below(1'000)));
    else if (dice < 85)
      report();
    else if (dice < 99)
      fire_a_timer();
    else if (below(50) == 0)
      give(input::reset, 0);
  }

  /// One of the running attempts ends, or, one time in twenty, is never heard of again.
  void report() {
    if (running_.empty())
      return;
    const auto chosen = below(running_.size());
    const auto epoch = running_[chosen];
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(chosen));
    const auto dice = below(20);
    if (dice == 0)
      return;
    const bool fails = sick_ ? dice < 19 : dice < 2;
    give(dice == 1 ? input::void_ : fails ? input::failure : input::success, epoch);
  }

  void fire_a_timer() {
    if (timers_.empty())
      return;
    const auto chosen = below(timers_.size());
    const auto fired = timers_[chosen];
    timers_.erase(timers_.begin() + static_cast<std::ptrdiff_t>(chosen));
    now_ = std::max(now_, fired.at);
    give(input::timer, fired.epoch);
  }

  void give(input in, std::uint32_t epoch) {
    const auto before = breaker_;
    const double draw = static_cast<double>(below(1'000'000)) / 1e6;
    const auto out = step(before, in, epoch, now_, draw, policy_);
    breaker_ = out.next;
    if (out.admitted)
      running_.push_back(breaker_.epoch);
    if (out.wake_at)
      timers_.push_back({*out.wake_at, breaker_.epoch});
    opened_ += out.changed && breaker_.state == state::open ? 1 : 0;
    closed_ += out.changed && breaker_.state == state::closed ? 1 : 0;
    check(before, in, epoch, out);
  }

  void check(const breaker& before, input in, std::uint32_t epoch, const breaker_step& out) const {
    const auto& after = out.next;
    BOOST_REQUIRE(out.changed == (before.state != after.state));
    BOOST_REQUIRE(after.epoch == before.epoch + (out.changed ? 1 : 0));
    if (out.admitted) {
      BOOST_REQUIRE((in == input::admit));
      BOOST_REQUIRE((before.state != state::open && after.state != state::open));
    }
    if (in != input::admit && in != input::reset && epoch != before.epoch)
      BOOST_REQUIRE((after == before));
    BOOST_REQUIRE(after.probes_running <= policy_.probes);
    BOOST_REQUIRE((after.state == state::half_open || after.probes_running == 0));
    BOOST_REQUIRE((after.state == state::closed || after.consecutive_failures == 0));
    const bool waits = after.state == state::open || after.probes_running > 0;
    BOOST_REQUIRE(after.next_at.has_value() == waits);
    if (waits)
      BOOST_REQUIRE(has_timer(after));
    if (out.wake_at)
      BOOST_REQUIRE((out.wake_at == after.next_at && *out.wake_at >= now_));
  }

  /// No waiting state without a timer: one of this epoch, at the time it waits for.
  [[nodiscard]] bool has_timer(const breaker& waiting) const {
    for (const auto& set : timers_)
      if (set.epoch == waiting.epoch && set.at <= *waiting.next_at)
        return true;
    return false;
  }

  std::mt19937_64 random_;
  breaker_policy policy_;
  breaker breaker_{};
  mono_time now_{1'000h};
  bool sick_ = false;
  std::vector<std::uint32_t> running_; // the epoch of each admitted attempt
  std::vector<timer> timers_;
  int opened_ = 0;
  int closed_ = 0;
};

} // namespace

BOOST_AUTO_TEST_SUITE(circuit_breaker_walks)

BOOST_AUTO_TEST_CASE(a_hundred_thousand_random_steps_break_no_invariant) {
  walk{20'261'121, {}}.run(100'000);
}

BOOST_AUTO_TEST_CASE(random_steps_with_several_probes_break_no_invariant) {
  walk{7, {.failures = 3, .min_requests = 5, .cool_down = 200ms, .probes = 4, .probe_timeout = 2s}}.run(100'000);
}

BOOST_AUTO_TEST_SUITE_END()
