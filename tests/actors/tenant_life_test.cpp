#include "tests/actors/supervised.hpp"

using namespace postrider;
using namespace postrider::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(tenant_lives)

BOOST_AUTO_TEST_CASE(an_idle_tenant_is_let_go_and_comes_back_with_the_next_request) {
  supervised world;
  world.hangs = false;
  world.post({.id = "a"});
  world.advance(11min);
  BOOST_TEST(world.tree().size() == 1U);
  BOOST_TEST(world.counts.actors_tenants.value() == 0);
  BOOST_TEST(world.counts.actors_verifiers.value() == 0);
  BOOST_TEST(world.verifiers.size() == 0U);
  BOOST_TEST((world.post({.id = "b"}) == ingest_result::accepted));
  BOOST_TEST(world.count(1, delivery_state::succeeded) == 2U);
}

BOOST_AUTO_TEST_CASE(a_tenant_under_traffic_stays_although_none_of_it_is_delivered) {
  supervised world;
  auto config = virtual_system::config_of({1}, 3);
  config.endpoints[0].event_types = {"release"};
  world.put(config);
  world.settle();
  for (int i = 0; i < 20; ++i) { // one event that matches nothing, and then its duplicates
    const auto answer = world.post({.id = "same"});
    BOOST_TEST((answer == (i == 0 ? ingest_result::accepted : ingest_result::duplicate)));
    world.advance(41s); // never at the moment of an idle check
  }
  BOOST_TEST(world.counts.actors_tenants.value() == 1);
  BOOST_TEST(world.counts.actor_crashes.value() == 0U);
  BOOST_TEST(world.counts.actors_passivated.value() == 0U);
  world.advance(11min);
  BOOST_TEST(world.counts.actors_tenants.value() == 0);
}

BOOST_AUTO_TEST_CASE(a_request_that_meets_its_tenant_leaving_is_accepted_and_keeps_it) {
  supervised world;
  world.hangs = false;
  world.post({.id = "a"});
  world.advance(5min + 1s);
  BOOST_REQUIRE(world.verifiers.size() == 0U); // withdrawn: it is about to leave
  BOOST_REQUIRE(world.actor("/tenants/acme").has_value());
  BOOST_TEST((world.post({.id = "b"}) == ingest_result::accepted));
  BOOST_TEST(world.verifiers.size() == 1U);
  world.advance(1min);
  BOOST_TEST(world.counts.actors_tenants.value() == 1);
  BOOST_TEST(world.count(1, delivery_state::succeeded) == 2U);
}

BOOST_AUTO_TEST_CASE(a_verifier_that_is_gone_withdraws_itself_not_its_successor) {
  supervised world;
  world.hangs = false;
  world.post({.id = "a"});
  BOOST_REQUIRE(world.verifiers.size() == 1U);
  world.verifiers.withdraw("acme", "github", world.node.address());
  BOOST_TEST(world.verifiers.size() == 1U);
}

BOOST_AUTO_TEST_CASE(the_deliveries_of_a_deleted_tenant_are_aborted_left_to_store_and_not_looked_for_each_second) {
  supervised world;
  world.submit({.id = "a"});
  world.settle();
  BOOST_REQUIRE(world.requests.running().size() == 1U);
  world.database.remove_tenant(1);
  world.settle();
  BOOST_TEST(world.requests.running().empty());
  BOOST_TEST(world.tree().size() == 1U);
  BOOST_TEST(world.door.calls("close_deleted") == 0U);
  for (const auto& row : world.database.deliveries_of(1)) // not closed yet, and due
    world.database.change(row.id, [&](auto& each) {
      each.state = delivery_state::retry_wait;
      each.next_attempt_at = world.wall();
    });
  const auto loads = world.door.calls("load_tenant");
  for (int second = 0; second < 30; ++second) { // as long as a poll tells of it
    world.bridge.due({{1, 1, world.wall()}});
    world.advance(1s);
  }
  BOOST_TEST(world.door.calls("load_tenant") == loads + 1);
  BOOST_TEST(world.door.calls("close_deleted") == 0U);
  world.put(virtual_system::config_of({1, 2}, 4)); // news of it: looked for at once
  world.bridge.configuration_changed({1});
  world.hangs = false;
  world.advance(3s);
  BOOST_TEST(world.count(1, delivery_state::succeeded) == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
