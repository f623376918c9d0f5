#include "tests/actors/delivering.hpp"

using namespace postrider;
using namespace postrider::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(lanes_of_deliveries)

BOOST_AUTO_TEST_CASE(a_delivery_is_accepted_in_the_lane_of_its_endpoint_and_fails_into_the_retries) {
  delivering world;
  auto config = virtual_system::config_of({1}, 2);
  config.endpoints[0].priority = delivery_priority::low;
  world.put(config);
  world.events({"a"});
  BOOST_TEST((world.database.deliveries().begin()->second.lane == delivery_lane::live_low));
  world.status = 500;
  world.events({"b"});
  for (const auto& [id, row] : world.database.deliveries())
    BOOST_TEST((row.lane == (row.state == delivery_state::succeeded ? delivery_lane::live_low : delivery_lane::retry)));
  BOOST_TEST(world.in_state(delivery_state::retry_wait) == 1U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(a_claim_says_how_much_its_tenant_wants_of_the_endpoint) {
  for (const auto priority : {delivery_priority::high, delivery_priority::low}) {
    delivering world;
    auto config = virtual_system::config_of({1}, 2);
    config.endpoints[0].priority = priority;
    world.put(config);
    world.status = 500;
    world.events({"a"});
    const auto before = world.database.claim_calls();
    world.advance(20s); // past its backoff
    BOOST_TEST(world.database.claim_calls() > before);
    BOOST_TEST((world.database.last_claims_priority() == priority));
  }
}

BOOST_AUTO_TEST_CASE(replays_wait_behind_what_comes_in_and_are_shown_by_lane) {
  delivering world;
  auto config = virtual_system::config_of({1}, 2);
  config.endpoints[0].max_in_flight = 4;
  world.put(config);
  std::vector<std::string> names;
  for (int i = 0; i < 40; ++i)
    names.push_back("old-" + std::to_string(i));
  world.events(names);
  BOOST_REQUIRE(world.in_state(delivery_state::succeeded) == 40U);
  for (const auto& [id, row] : std::map{world.database.deliveries()})
    world.database.change(id, [&](auto& each) {
      each.state = delivery_state::pending;
      each.lane = delivery_lane::replay;
      each.next_attempt_at = world.database.now();
    });
  world.status = 0;
  world.advance(2s);                                 // the due poll
  BOOST_TEST(world.requests.running().size() == 2U); // half of the window
  BOOST_TEST(counter_of(*world.actor(delivery_path), "ready_replay") > 0);
  const auto before = world.requests.started().size();
  world.events({"new-1", "new-2"});
  BOOST_TEST(world.requests.running().size() == 4U);
  BOOST_REQUIRE(world.requests.started().size() == before + 2);
  world.status = 204;
  while (!world.requests.running().empty()) {
    world.requests.finish(world.requests.running()[0].delivery, {.http_status = 204});
    world.settle();
  }
  world.advance(5s);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 42U);
}

BOOST_AUTO_TEST_SUITE_END()
