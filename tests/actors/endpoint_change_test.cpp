#include "tests/actors/delivering.hpp"

using namespace postrider;
using namespace postrider::test;
using namespace std::chrono_literals;

namespace {

/// One endpoint whose configuration the test changes; the poll sees a change at once.
struct changing : delivering {
  changing() { settle(); }

  template <class Change>
  void change(Change how) {
    ++config.version;
    how(config.endpoints[0]);
    put(config);
    settle();
  }
  void become(endpoint_status wanted) {
    change([wanted](endpoint_config& endpoint) { endpoint.status = wanted; });
  }
  [[nodiscard]] std::size_t attempts() const {
    std::size_t out = 0;
    for (const auto& [id, row] : database.deliveries())
      out += row.attempt_count;
    return out;
  }

  tenant_config config = config_of({1});
};

} // namespace

BOOST_AUTO_TEST_SUITE(changed_endpoints)

BOOST_AUTO_TEST_CASE(what_a_disabled_endpoint_has_waits_without_burning_attempts_and_goes_on_at_once) {
  changing world;
  world.status = 500;
  world.events({"a", "b"});
  BOOST_TEST(world.in_state(delivery_state::retry_wait) == 2U);
  world.become(endpoint_status::disabled);
  world.status = 204;
  world.events({"c"}); // matches nothing
  world.advance(60min);
  BOOST_TEST(world.requests.started().size() == 2U);
  BOOST_TEST(world.attempts() == 2U);
  BOOST_TEST(world.database.deliveries().size() == 2U);
  BOOST_TEST(!world.actor(delivery_path).has_value()); // it costs nothing while it waits
  world.become(endpoint_status::active);               // not even its tenant is in memory: the due poll finds it
  world.advance(1s);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 2U);
  BOOST_TEST(world.attempts() == 4U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(an_endpoint_whose_delivery_has_left_goes_on_at_once_where_the_tenant_is_known) {
  changing world;
  world.status = 500;
  world.events({"a"});
  world.become(endpoint_status::disabled);
  world.advance(45s);
  BOOST_REQUIRE(!world.actor(delivery_path).has_value());
  world.status = 204;
  world.polls = false;
  world.become(endpoint_status::active); // at this moment, not at the next poll
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 1U);
}

BOOST_AUTO_TEST_CASE(an_endpoint_that_is_resumed_while_its_delivery_asks_to_leave_goes_on_at_once) {
  changing world;
  world.become(endpoint_status::paused);
  world.submit({.id = "a"});
  world.settle();
  world.polls = false;
  world.advance(29'990ms);
  BOOST_REQUIRE(world.actor(delivery_path).has_value());
  ++world.config.version;
  world.config.endpoints[0].status = endpoint_status::active;
  world.put(world.config);
  world.database.run();
  world.run_actors();
  world.database.run(); // the supervisor has the configuration in its mailbox
  world.pass(10ms);     // and at this moment DELIVERY has been idle for long enough
  world.settle();
  world.advance(1s);
  BOOST_TEST(world.counts.actors_passivated.value() == 0U);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 1U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(what_comes_in_while_an_endpoint_is_paused_is_sent_when_that_ends) {
  changing world;
  world.become(endpoint_status::paused);
  world.events({"a", "b", "c"});
  world.advance(5s);
  BOOST_TEST(world.in_state(delivery_state::pending) == 3U);
  BOOST_TEST(world.attempts() == 0U);
  world.polls = false;
  world.become(endpoint_status::active); // its DELIVERY is there still
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 3U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(a_pause_lets_what_is_under_way_end_and_takes_the_rest_back_uncounted) {
  changing world;
  world.status = 0;
  world.events({"a", "b", "c", "d", "e"});
  BOOST_REQUIRE(world.requests.running().size() == 2U);
  world.become(endpoint_status::paused);
  BOOST_TEST(world.attempts() == 2U);
  BOOST_TEST(world.in_state(delivery_state::pending) == 3U);
  world.requests.finish(world.requests.running()[0].delivery, {.http_status = 200});
  world.requests.finish(world.requests.running()[0].delivery, {.http_status = 500});
  world.advance(60min);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 1U);
  BOOST_TEST(world.in_state(delivery_state::retry_wait) == 1U);
  BOOST_TEST(world.requests.started().size() == 2U);
  world.status = 204;
  world.become(endpoint_status::active);
  world.advance(1s);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 5U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(what_a_former_owner_had_in_flight_at_a_paused_endpoint_is_closed_not_sent) {
  changing world;
  world.status = 500;
  world.events({"a"});
  BOOST_REQUIRE(world.in_state(delivery_state::retry_wait) == 1U);
  world.become(endpoint_status::paused);
  world.own(0);
  world.settle();
  const auto id = world.database.deliveries().begin()->first;
  world.database.change(id, [&](auto& row) { // a claim of somebody else, whose time is over
    row.state = delivery_state::in_flight;
    row.under = 1;
    row.attempt_count = 2;
    row.next_attempt_at = world.wall() - 1s;
  });
  world.own(virtual_system::fence_ + (1 << 20));
  world.settle();
  world.bridge.due({{1, 1, world.wall() - 1s}}); // as a take-over reports it
  world.settle();
  world.advance(5s);
  BOOST_TEST(world.in_state(delivery_state::retry_wait) == 1U);
  BOOST_TEST(world.database.deliveries().begin()->second.attempts.size() == 2U);
  BOOST_TEST(world.requests.started().size() == 1U);
}

BOOST_AUTO_TEST_CASE(attempts_not_yet_started_go_to_the_new_url_with_the_new_timeout) {
  changing world;
  world.status = 0;
  world.events({"a", "b", "c"});
  BOOST_REQUIRE(world.requests.running().size() == 2U);
  world.change([](endpoint_config& endpoint) {
    endpoint.url = "https://moved.example/hook";
    endpoint.timeout = 1'234ms;
  });
  world.status = 204;
  world.requests.finish(world.requests.running()[0].delivery, {.http_status = 500});
  world.settle();
  BOOST_REQUIRE(world.requests.started().size() == 3U); // c, in the place that became free
  world.advance(7s);
  BOOST_REQUIRE(world.requests.started().size() == 4U); // the one that failed, again
  for (const auto& each : world.requests.started()) {
    const bool moved = each.endpoint->url == "https://moved.example/hook";
    BOOST_TEST(moved == (&each - &world.requests.started()[0] >= 2));
    BOOST_TEST((each.endpoint->timeout == 1'234ms) == moved);
  }
}

BOOST_AUTO_TEST_CASE(a_smaller_window_counts_from_the_next_attempt_on) {
  changing world;
  world.change([](endpoint_config& endpoint) { endpoint.max_in_flight = 4; });
  world.status = 0;
  world.events({"a", "b", "c", "d", "e", "f"});
  BOOST_REQUIRE(world.requests.running().size() == 4U);
  world.change([](endpoint_config& endpoint) { endpoint.max_in_flight = 1; });
  for (std::size_t left = 4; left > 1; --left) {
    BOOST_TEST(world.requests.running().size() == left);
    world.requests.finish(world.requests.running()[0].delivery, {.http_status = 200});
    world.settle();
  }
  BOOST_TEST(world.requests.running().size() == 1U);
  while (!world.requests.running().empty()) {
    world.requests.finish(world.requests.running()[0].delivery, {.http_status = 200});
    world.advance(1s);
    BOOST_TEST(world.requests.running().size() <= 1U);
  }
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 6U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(a_schedule_that_was_changed_counts_for_the_next_failure) {
  changing world;
  world.status = 500;
  world.change([](endpoint_config& endpoint) {
    endpoint.retry.schedule = {10s, 10s, 10s};
    endpoint.retry.jitter = 0;
  });
  world.events({"a"});
  world.change([](endpoint_config& endpoint) { endpoint.retry.schedule = {10s}; });
  world.advance(11s);
  BOOST_TEST(world.requests.started().size() == 2U);
  BOOST_TEST(world.in_state(delivery_state::dead) == 1U); // one delay: two attempts
}

// Else a byte might leave after its delivery is dead.
BOOST_AUTO_TEST_CASE(the_rows_of_a_deleted_endpoint_are_closed_when_nothing_of_it_runs_any_more) {
  changing world;
  world.status = 0;
  world.events({"a"});
  BOOST_REQUIRE(world.requests.running().size() == 1U);
  ++world.config.version;
  world.config.endpoints.clear();
  world.put(world.config);
  world.polls = false;
  for (int i = 0; i < 5; ++i) { // all but SENDER
    world.database.run();
    world.run_actors();
  }
  BOOST_TEST(world.counts.actors_deliveries.value() == 0);
  BOOST_TEST(world.door.calls("close_deleted") == 0U);
  BOOST_TEST(world.requests.running().size() == 1U);
  world.settle();
  BOOST_TEST(world.door.calls("close_deleted") == 1U);
  BOOST_TEST(world.requests.running().empty());
  BOOST_TEST(world.in_state(delivery_state::dead) == 1U);
  world.check_attempts();
}

BOOST_AUTO_TEST_SUITE_END()
