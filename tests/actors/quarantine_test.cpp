#include "tests/actors/supervised.hpp"

#include <caf/send.hpp>

using namespace postrider;
using namespace postrider::test;
using namespace std::chrono_literals;

namespace {

void crash_the_supervisor_too_often(supervised& world) {
  world.hangs = false;
  world.post({.id = "a"});
  for (int i = 0; i < 6; ++i) {
    world.door.throw_at("load_tenant");
    world.bridge.configuration_changed({1});
    world.settle();
    world.advance(5s);
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(quarantines)

BOOST_AUTO_TEST_CASE(one_that_keeps_crashing_is_quarantined_shown_as_such_and_freed_by_a_new_configuration) {
  supervised world;
  world.submit({.id = "a"});
  world.settle();
  world.door.throw_at("claim", 1'000); // of what was closed at each restart
  world.crash_delivery("b");
  world.advance(30s);
  BOOST_TEST(world.actor(first_path)->state == "quarantined");
  BOOST_TEST(world.actor(first_path)->restarts == 6U);
  BOOST_TEST(world.counts.actor_quarantines.value() == 1U);
  BOOST_TEST(world.counts.actor_crashes.value() == 6U); // five are forgiven
  world.door.throw_at("claim", 0);
  world.hangs = false;
  const auto started = world.requests.started().size();
  world.advance(120s);
  BOOST_TEST(world.requests.started().size() == started);
  BOOST_TEST((world.post({.id = "c"}) == ingest_result::accepted)); // the sibling and the ingest go on
  BOOST_TEST(world.count(2, delivery_state::succeeded) == 3U);
  BOOST_TEST(world.count(1, delivery_state::pending) == 1U);
  world.put(virtual_system::config_of({1, 2}, 3));
  world.advance(5s);
  BOOST_TEST(world.count(1, delivery_state::succeeded) == 3U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(a_supervisor_that_keeps_crashing_is_quarantined_and_freed_by_a_new_configuration) {
  supervised world;
  crash_the_supervisor_too_often(world);
  BOOST_TEST(world.actor("/tenants/acme")->state == "quarantined");
  BOOST_TEST((world.post({.id = "b"}) == ingest_result::unavailable));
  world.door.throw_at("load_tenant", 0);
  world.put(virtual_system::config_of({1, 2}, 3));
  world.advance(1s);
  BOOST_TEST((world.post({.id = "b"}) == ingest_result::accepted));
}

BOOST_AUTO_TEST_CASE(a_quarantine_ends_by_itself_and_nothing_of_the_endpoint_is_lost) {
  supervised world;
  world.submit({.id = "a"});
  world.settle();
  world.door.throw_at("claim", 1'000);
  world.crash_delivery("b");
  world.advance(30s);
  BOOST_REQUIRE(world.actor(first_path)->state == "quarantined");
  world.advance(5min); // still broken: one crash is enough for the next quarantine
  BOOST_TEST(world.actor(first_path)->state == "quarantined");
  BOOST_TEST(world.counts.actor_crashes.value() == 7U);
  world.door.throw_at("claim", 0);
  world.hangs = false;
  world.post({.id = "c"});
  world.advance(6min);
  BOOST_TEST(world.count(1, delivery_state::succeeded) == 3U);
  world.check_attempts();
}

// The timer of a quarantine that a configuration has ended goes off later: had it been taken for a step of another
// crash's restart, that would not have waited for the ride, and closed it before it was sent.
BOOST_AUTO_TEST_CASE(the_timer_of_an_earlier_quarantine_hurries_no_later_restart) {
  supervised world;
  world.hangs = false;
  world.post({.id = "a"});
  world.door.throw_at("claim", 1'000);
  const auto crash = [&] { // by a hint that makes it claim
    caf::anon_send(world.node, atom::due::value, hand(std::vector<due_hint>{{1, 1, world.wall()}}));
    world.run_actors();
  };
  crash();
  while (world.actor(first_path)->state != "quarantined")
    world.advance(10ms);
  const auto timer_at = world.mono() + restart_policy{}.quarantine;
  world.door.throw_at("claim", 0);
  world.put(virtual_system::config_of({1, 2}, 3));
  std::size_t events = 2;                           // the first and the last
  for (; timer_at - world.mono() > 20s; ++events) { // the tenant stays awake
    world.post({.id = "b" + std::to_string(events)});
    world.advance(10s);
  }
  world.advance(std::chrono::duration_cast<milliseconds>(timer_at - world.mono()) - 100ms);
  world.submit({.id = "c"});
  world.run_actors(); // the credit is taken; the commit is on its way
  world.door.throw_at("claim");
  const auto crashes = world.counts.actor_crashes.value();
  crash();
  BOOST_REQUIRE(world.counts.actor_crashes.value() == crashes + 1);
  world.pass(100ms); // both timers at once
  BOOST_REQUIRE((world.mono() == timer_at));
  world.database.run(); // the commit
  world.advance(5s);
  BOOST_TEST(world.count(1, delivery_state::succeeded) == events);
  BOOST_TEST(world.interrupted() == 0U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(a_quarantined_supervisor_is_tried_again_by_itself) {
  supervised world;
  crash_the_supervisor_too_often(world);
  BOOST_REQUIRE(world.actor("/tenants/acme")->state == "quarantined");
  world.advance(5min);
  BOOST_TEST((world.post({.id = "b"}) == ingest_result::accepted));
}

BOOST_AUTO_TEST_SUITE_END()
