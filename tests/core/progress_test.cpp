#include "core/progress.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace std::chrono_literals;

namespace {
const mono_time start = mono_time{} + 1000h;
} // namespace

BOOST_AUTO_TEST_SUITE(core_progress)

BOOST_AUTO_TEST_CASE(a_part_that_beats_within_its_patience_makes_progress) {
  pulse claim;
  claim.beat(start);
  const auto look = [&](milliseconds later) {
    const part_progress part{"claim", claim.last(), 10s};
    return stuck_part({&part, 1}, start + later);
  };
  BOOST_TEST(!look(0ms));
  BOOST_TEST(!look(10s));
  BOOST_TEST(look(10'001ms).value() == "claim: no progress for 10 s");
  claim.beat(start + 10s);
  BOOST_TEST(!look(20s));
  claim.rest();
  BOOST_TEST(!look(3600s)); // it does not run: nothing is expected of it
}

BOOST_AUTO_TEST_CASE(the_part_that_is_latest_beyond_its_patience_is_named) {
  const std::vector<part_progress> parts{
    {"poll", start - 39s, 40s}, {"claim", start - 15s, 12s}, {"io", start - 9s, 3s}, {"outcome", std::nullopt, 1s}};
  BOOST_TEST(stuck_part(parts, start).value() == "io: no progress for 9 s");
  BOOST_TEST(!stuck_part({parts.data(), 1}, start));
}

BOOST_AUTO_TEST_CASE(a_thread_that_fails_again_and_again_is_not_taken_for_idle_between_its_tries) {
  pulse at;
  work_pulse work{&at};
  work.idle(start);
  BOOST_TEST((at.last() == start));
  for (auto now = start + 1s; now <= start + 30s; now += 1s) { // a claim, and a pause until it is tried again
    work.failed(now);
    work.idle(now + 500ms);
  }
  BOOST_TEST((at.last() == start));
  work.done(start + 31s);
  BOOST_TEST((at.last() == start + 31s));
}

BOOST_AUTO_TEST_CASE(a_failure_that_nobody_repeats_is_forgotten) {
  pulse at;
  work_pulse work{&at};
  work.failed(start);
  work.idle(start + 5s);
  BOOST_TEST(!at.last().has_value());
  work.idle(start + 5'001ms);
  BOOST_TEST(at.last().has_value());
  work.ended();
  BOOST_TEST(!at.last().has_value());
}

BOOST_AUTO_TEST_CASE(what_is_told_and_never_taken_up_shows) {
  transit_watch watch;
  std::uint64_t told = 0;
  BOOST_TEST((watch.look(told, 0, start) == start));
  auto last = start;
  for (auto now = start + 1s; now <= start + 20s; now += 1s) // the poll tells it each second
    last = watch.look(++told, 0, now);
  BOOST_TEST((last == start + 1s));
  BOOST_TEST((watch.look(++told, 1, start + 21s) == start + 21s)); // one arrives
}

BOOST_AUTO_TEST_CASE(who_is_asked_rarely_blames_nobody_for_the_time_between) {
  transit_watch watch;
  watch.look(0, 0, start);
  BOOST_TEST((watch.look(7, 0, start + 3600s) == start + 3600s)); // told a moment ago, perhaps
}

BOOST_AUTO_TEST_CASE(messages_that_were_lost_with_an_actor_are_no_reason_for_alarm_once_nothing_is_due) {
  transit_watch watch;
  watch.look(0, 0, start);
  watch.look(3, 1, start + 1s); // two were in the mailbox of one that crashed
  for (auto now = start + 2s; now <= start + 60s; now += 1s) {
    const auto last = watch.look(3, 1, now);
    BOOST_TEST((now - last <= 5s));
  }
}

BOOST_AUTO_TEST_SUITE_END()
