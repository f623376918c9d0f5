#include "tests/actors/delivering.hpp"

#include <map>

using namespace postrider;
using namespace postrider::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(delivery_ownership)

BOOST_AUTO_TEST_CASE(when_the_lease_is_lost_nothing_is_sent_and_a_new_fence_goes_on) {
  delivering world;
  world.status = 0;
  world.events({"a", "b", "c"});
  BOOST_TEST(world.requests.started().size() == 2U);
  world.own(0);
  world.events({"d", "e"});
  world.requests.finish(world.requests.running()[0].delivery, {.http_status = 200});
  world.advance(5s);
  BOOST_TEST(world.requests.started().size() == 2U);
  BOOST_TEST(world.in_state(delivery_state::pending) >= 2U);
  const auto shown = world.actor(delivery_path);
  BOOST_TEST((!shown || counter_of(*shown, "send_credits") == 0));
  // The next owner's sweep, and then the shard comes back.
  for (const auto& [id, row] : std::map{world.database.deliveries()})
    if (row.state == delivery_state::in_flight)
      world.database.change(id, [&](auto& each) {
        each.attempts.push_back(
          {each.attempt_count, each.updated_at, 0ms, attempt_outcome::interrupted, attempt_reason::interrupted, 0, {}});
        each.state = delivery_state::retry_wait;
        each.next_attempt_at = world.wall();
      });
  world.status = 204;
  while (!world.requests.running().empty()) { // SENDER aborts what ran without trust
    world.requests.finish(world.requests.running()[0].delivery, {.failure = attempt_reason::interrupted});
    world.settle();
  }
  world.own(virtual_system::fence_ + (1 << 20));
  world.advance(3s);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == world.database.deliveries().size());
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(a_claim_that_met_the_moment_between_two_renewals_does_not_end_the_ownership_for_ever) {
  delivering world;
  world.status = 500;
  world.events({"a"});
  world.status = 204;
  world.database.set_lease(3, 0); // the database sees it expired; nobody takes it
  world.advance(8s);              // the retry's claim was told "not owned"
  BOOST_TEST(world.requests.started().size() == 1U);
  world.database.set_lease(3, virtual_system::fence_); // renewed under the same fence: no news for NODE
  world.advance(3s);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 1U);
}

BOOST_AUTO_TEST_CASE(when_the_same_fence_comes_back_what_was_ready_is_sent_without_any_poll) {
  delivering world;
  world.polls = false;
  world.status = 0;
  world.events({"a", "b", "c", "d"});
  BOOST_TEST(world.requests.running().size() == 2U);
  world.bridge.leases({}); // the lease's connection is lost; the lease is not
  world.settle();
  world.status = 204;
  while (!world.requests.running().empty()) {
    world.requests.finish(world.requests.running()[0].delivery, {.http_status = 200});
    world.settle();
  }
  world.advance(5s);
  BOOST_TEST(world.requests.started().size() == 2U);
  world.own(virtual_system::fence_);
  world.advance(1s);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 4U);
  for (const auto& [id, row] : world.database.deliveries())
    BOOST_TEST(row.attempt_count == 1U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(a_first_attempt_that_no_actor_knows_is_shown_by_store_closed_and_goes_on) {
  delivering world;
  world.status = 500;
  world.events({"a"});
  const auto id = world.database.deliveries().begin()->first;
  world.database.change(id, [](auto& row) { // as if the word of its commit had been lost
    row.state = delivery_state::in_flight;
    row.next_attempt_at.reset();
    row.attempts.clear();
  });
  world.status = 204;
  world.advance(59s);
  world.database.expose_open_rides();
  world.advance(1s);
  BOOST_TEST(world.in_state(delivery_state::in_flight) == 1U); // it may still run
  world.advance(1s);
  world.database.expose_open_rides();
  world.advance(3s);
  const auto* row = world.database.find(id);
  BOOST_TEST((row->state == delivery_state::succeeded));
  BOOST_REQUIRE(row->attempts.size() == 2U);
  BOOST_TEST((row->attempts[0].outcome == attempt_outcome::interrupted));
  BOOST_TEST(row->attempts[1].number == 2U);
}

BOOST_AUTO_TEST_CASE(a_take_over_closes_what_was_in_flight_under_the_former_fence) {
  delivering world;
  world.status = 0;
  world.events({"a", "b", "c"});
  world.own(0);
  while (!world.requests.running().empty()) { // SENDER aborts what runs without trust
    world.requests.finish(world.requests.running()[0].delivery, {.failure = attempt_reason::interrupted});
    world.requests.run();
  }
  world.status = 204;
  world.own(virtual_system::fence_ + (1 << 20));
  world.database.sweep();
  world.advance(3s);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 3U);
  world.check_attempts();
}

BOOST_AUTO_TEST_SUITE_END()
