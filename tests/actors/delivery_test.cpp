#include "tests/actors/delivering.hpp"

using namespace postrider;
using namespace postrider::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(deliveries)

BOOST_AUTO_TEST_CASE(a_failed_delivery_is_tried_again_on_its_schedule_by_the_actors_own_timer) {
  delivering world;
  world.polls = false;
  world.status = 500;
  world.events({"d-1"});
  BOOST_TEST(world.in_state(delivery_state::retry_wait) == 1U);
  world.status = 204;
  world.advance(3s);
  BOOST_TEST(world.requests.started().size() == 1U);
  world.advance(4s); // 5 s and at most a quarter more
  BOOST_TEST(world.requests.started().size() == 2U);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 1U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(no_more_run_at_once_than_the_window_allows) {
  delivering world;
  world.status = 0;
  world.events({"a", "b", "c", "d", "e"});
  BOOST_TEST(world.requests.running().size() == 2U);
  while (!world.requests.running().empty()) {
    world.requests.finish(world.requests.running()[0].delivery, {.http_status = 200});
    world.settle();
    BOOST_TEST(world.requests.running().size() <= 2U);
    world.advance(1s);
  }
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 5U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(an_open_breaker_is_stored_shown_and_survives_the_actor) {
  delivering world;
  auto config = virtual_system::config_of({1}, 2);
  config.endpoints[0].breaker.failures = 1;
  config.endpoints[0].breaker.cool_down = 60s;
  config.endpoints[0].max_in_flight = 1;
  world.put(config);
  world.status = 500;
  world.events({"a", "b", "c"});
  BOOST_TEST(world.requests.started().size() == 1U);
  const auto shown = world.actor(delivery_path);
  BOOST_TEST(shown->delivery->breaker_state == "open");
  BOOST_TEST(shown->delivery->next_probe_at.has_value());
  BOOST_TEST(counter_of(*shown, "send_credits") == 0);
  BOOST_TEST(world.in_state(delivery_state::pending) == 2U);
  world.door.throw_at("claim"); // the next claim, by the timer, crashes it
  world.status = 204;
  world.advance(40s);
  BOOST_TEST(world.requests.started().size() == 1U); // open: nothing but the poll's hints came
  world.advance(60s);
  BOOST_TEST(world.counts.actor_crashes.value() == 1U);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 3U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(a_410_disables_the_endpoint_in_the_database) {
  delivering world;
  world.status = 410;
  world.events({"a"});
  BOOST_TEST(world.in_state(delivery_state::dead) == 1U);
  BOOST_REQUIRE(world.database.disabled().size() == 1U);
  BOOST_TEST(world.database.disabled()[0].second == "endpoint_gone");
  world.events({"b"});
  BOOST_TEST(world.requests.started().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_refused_attempt_is_uncounted_and_sent_later) {
  delivering world;
  world.requests.refuses = true;
  world.events({"a"});
  BOOST_TEST(world.in_state(delivery_state::pending) == 1U);
  BOOST_TEST(world.database.deliveries().begin()->second.attempt_count == 0U);
  world.requests.refuses = false;
  world.advance(2s);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 1U);
  BOOST_TEST(world.database.deliveries().begin()->second.attempt_count == 1U);
}

BOOST_AUTO_TEST_CASE(an_idle_delivery_is_passivated_and_woken_by_a_due_hint) {
  delivering world;
  auto config = virtual_system::config_of({1}, 2);
  config.endpoints[0].retry.schedule = {100s};
  config.endpoints[0].retry.jitter = 0;
  world.put(config);
  world.status = 500;
  world.events({"a"});
  world.advance(29s);
  BOOST_TEST(world.actor(delivery_path).has_value());
  world.advance(3s);
  BOOST_TEST(!world.actor(delivery_path).has_value());
  BOOST_TEST(world.counts.actors_passivated.value() == 1U);
  BOOST_TEST(world.counts.actors_deliveries.value() == 0);
  world.status = 204;
  world.advance(67s);
  BOOST_TEST(world.requests.started().size() == 1U);
  world.advance(5s);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 1U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(passivation_is_refused_when_something_was_routed_meanwhile) {
  delivering world;
  world.events({"a"});
  world.advance(29'990ms);
  world.status = 0;
  world.submit({.id = "b"});
  world.run_actors();
  world.database.run(); // committed: the supervisor has it in its mailbox, no credit is out any more
  world.pass(10ms);     // and at this moment DELIVERY has been idle for long enough
  world.settle();
  BOOST_TEST(world.counts.actors_passivated.value() == 0U);
  BOOST_REQUIRE(world.requests.running().size() == 1U); // else it went with the actor
  world.requests.finish(world.requests.running()[0].delivery, {.http_status = 200});
  world.settle();
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 2U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(with_a_credit_out_for_a_commit_that_is_not_done_it_stays) {
  delivering world;
  world.events({"a"});
  world.advance(29'990ms);
  world.submit({.id = "b"});
  world.run_actors(); // the credit is taken, the commit is not done
  BOOST_TEST(world.admission->events() == 1);
  world.pass(20ms);
  world.run_actors(); // idle for long enough, while STORE has done nothing yet
  BOOST_TEST(world.counts.actors_passivated.value() == 0U);
  world.settle();
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 2U);
  BOOST_TEST(world.requests.started().back().number == 1U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(a_breaker_that_opens_while_the_store_is_away_is_stored_when_it_is_back) {
  delivering world;
  auto config = virtual_system::config_of({1}, 2);
  config.endpoints[0].breaker.failures = 1;
  config.endpoints[0].breaker.cool_down = 120s;
  config.endpoints[0].breaker.jitter = 0;
  world.put(config);
  world.status = 0;
  world.events({"a"});
  world.database.set_available(false);
  world.requests.finish(world.requests.running().at(0).delivery, {.http_status = 500});
  world.advance(5s);
  world.database.set_available(true);
  world.settle();
  world.status = 204;
  world.door.throw_at("record"); // DELIVERY crashes, and its successor restores what was stored
  world.submit({.id = "b"});
  world.advance(10s);
  const auto shown = world.actor(delivery_path);
  BOOST_REQUIRE(shown.has_value());
  BOOST_TEST(shown->delivery->breaker_state == "open");
  BOOST_TEST(world.requests.started().size() == 1U);
}

BOOST_AUTO_TEST_CASE(with_the_store_away_at_the_restore_it_is_tried_again_until_it_answers) {
  delivering world;
  world.events({"a"});
  world.advance(31s); // passivated
  BOOST_TEST(!world.actor(delivery_path).has_value());
  world.polls = false;
  const auto sequence = world.submit({.id = "b"});
  world.run_actors();
  world.database.run(); // committed; DELIVERY is woken
  world.database.set_available(false);
  world.advance(10s);
  BOOST_TEST((world.answer(sequence)->result == ingest_result::accepted));
  BOOST_TEST(world.actor(delivery_path)->state == "restoring");
  const auto loads = world.door.calls("load_runtime");
  BOOST_TEST(loads >= 5U);
  BOOST_TEST(loads <= 14U); // one each second
  world.database.set_available(true);
  world.advance(2s);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 2U);
}

BOOST_AUTO_TEST_CASE(with_the_store_away_outcomes_wait_and_nothing_is_sent_twice) {
  delivering world;
  world.status = 0;
  world.events({"a"});
  world.database.set_available(false);
  world.requests.finish(world.requests.running()[0].delivery, {.http_status = 200});
  world.advance(30s);
  BOOST_TEST(world.in_state(delivery_state::in_flight) == 1U);
  world.database.set_available(true);
  world.advance(2s);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 1U);
  BOOST_TEST(world.requests.started().size() == 1U);
}

BOOST_AUTO_TEST_CASE(the_deliveries_of_a_deleted_endpoint_end_as_dead) {
  delivering world;
  world.status = 500;
  world.events({"a", "b"});
  world.put(virtual_system::config_of({2}, 2));
  world.advance(10s);
  for (const auto& row : world.database.deliveries_of(1)) {
    BOOST_TEST((row.state == delivery_state::dead));
    BOOST_TEST((row.reason == delivery_reason::endpoint_deleted));
  }
  BOOST_TEST(!world.actor(delivery_path).has_value());
}

BOOST_AUTO_TEST_CASE(a_paused_endpoint_keeps_its_deliveries_and_sends_them_when_it_is_resumed) {
  delivering world;
  world.status = 0;
  world.events({"a", "b", "c"});
  auto config = virtual_system::config_of({1}, 2);
  config.endpoints[0].status = endpoint_status::paused;
  world.put(config);
  world.settle();
  BOOST_TEST(world.actor(delivery_path)->state == "paused");
  BOOST_TEST(world.actor(delivery_path)->delivery->breaker_state == "closed");
  world.status = 204;
  world.requests.finish(world.requests.running()[0].delivery, {.http_status = 200});
  world.requests.finish(world.requests.running()[0].delivery, {.http_status = 200});
  world.advance(60s);
  BOOST_TEST(world.requests.started().size() == 2U);
  BOOST_TEST(world.in_state(delivery_state::pending) == 1U);
  world.put(virtual_system::config_of({1}, 3));
  world.advance(3s);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 3U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(drain_waits_for_what_runs_releases_the_rest_and_starts_nothing) {
  delivering world;
  world.events({"warm"});
  world.status = 0;
  world.events({"a", "b", "c", "d"});
  BOOST_TEST(world.requests.running().size() == 2U);
  const auto ended = world.drain();
  BOOST_TEST(!*ended);
  BOOST_TEST(world.in_state(delivery_state::pending) == 2U);
  BOOST_TEST(world.actor("/tenants/acme")->state == "draining");
  world.advance(5s);
  BOOST_TEST(world.requests.started().size() == 3U);
  world.requests.finish(world.requests.running()[0].delivery, {.http_status = 200});
  world.settle();
  BOOST_TEST(!*ended);
  world.requests.finish(world.requests.running()[0].delivery, {.http_status = 200});
  world.settle();
  BOOST_TEST(*ended);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 3U);
  BOOST_TEST(world.in_state(delivery_state::in_flight) == 0U);
  world.events({"late"}); // still accepted, not sent
  world.advance(5s);
  BOOST_TEST(world.requests.started().size() == 3U);
  world.check_attempts();
}

BOOST_AUTO_TEST_SUITE_END()
