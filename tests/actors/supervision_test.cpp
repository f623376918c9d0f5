#include "tests/actors/supervised.hpp"

#include <caf/send.hpp>

#include <stdexcept>
#include <utility>

using namespace postrider;
using namespace postrider::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(supervision)

BOOST_AUTO_TEST_CASE(a_crashed_delivery_is_aborted_its_rows_closed_and_it_starts_again) {
  supervised world;
  world.submit({.id = "a"});
  world.settle();
  BOOST_TEST(world.requests.running().size() == 1U);
  world.crash_delivery("b");
  BOOST_TEST(world.counts.actor_crashes.value() == 1U);
  BOOST_TEST(world.requests.running().empty()); // aborted by its end
  BOOST_TEST(world.requests.aborted() == 1U);
  BOOST_TEST(world.actor(first_path)->state == "restarting");
  BOOST_TEST(world.count(1, delivery_state::in_flight) == 2U);
  world.hangs = false;
  world.advance(3s);
  BOOST_TEST(world.counts.actor_restarts.value() == 1U);
  BOOST_TEST(world.interrupted() == 2U);
  BOOST_TEST(world.count(1, delivery_state::succeeded) == 2U);
  BOOST_TEST(world.actor(first_path)->restarts == 1U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(its_siblings_go_on_while_it_is_down) {
  supervised world;
  world.submit({.id = "a"});
  world.settle();
  world.crash_delivery("b");
  for (int i = 0; i < 5; ++i)
    world.post({.id = "c" + std::to_string(i)});
  BOOST_TEST(world.actor(first_path)->state == "restarting");
  BOOST_TEST(world.count(2, delivery_state::succeeded) == 7U);
}

BOOST_AUTO_TEST_CASE(while_it_is_down_no_credit_is_lent_and_new_events_are_committed_pending) {
  supervised world;
  world.hangs = false;
  world.post({.id = "a"});
  world.crash_delivery("b");
  BOOST_TEST((world.post({.id = "c"}) == ingest_result::accepted));
  BOOST_TEST(world.count(1, delivery_state::pending) == 1U);
  world.advance(3s);
  BOOST_TEST(world.count(1, delivery_state::succeeded) == 3U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(a_ride_committed_while_it_is_down_is_neither_lost_nor_sent_twice) {
  supervised world;
  world.hangs = false;
  world.post({.id = "warm"});
  world.submit({.id = "c"});
  world.run_actors(); // the credit is taken; the commit is on its way
  world.door.throw_at("claim");
  // DELIVERY 1 crashes now, by a hint that makes it claim.
  caf::anon_send(world.node, atom::due::value, hand(std::vector<due_hint>{{1, 1, world.wall()}}));
  world.run_actors();
  BOOST_TEST(world.counts.actor_crashes.value() == 1U);
  world.advance(5s);
  BOOST_TEST(world.count(1, delivery_state::succeeded) == 2U);
  BOOST_TEST(world.interrupted() == 0U); // it had not been sent, so nothing was cut short
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(rows_are_closed_before_the_restart_and_with_the_store_away_that_waits) {
  supervised world;
  world.submit({.id = "a"});
  world.settle();
  world.crash_delivery("b");
  world.database.set_available(false);
  world.hangs = false;
  world.advance(10s);
  BOOST_TEST(world.actor(first_path)->state == "restarting");
  BOOST_TEST(world.requests.started().size() == 3U); // the two of endpoint 2 and the first of endpoint 1
  const auto asked = world.door.calls("close_interrupted");
  BOOST_TEST(asked >= 5U);
  BOOST_TEST(asked <= 12U);
  world.database.set_available(true);
  world.advance(3s);
  BOOST_TEST(world.count(1, delivery_state::succeeded) == 2U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(a_crashed_verifier_is_503_not_404_and_is_back_soon) {
  supervised world;
  world.hangs = false;
  world.post({.id = "a"});
  world.door.throw_at("accept");
  const auto sequence = world.submit({.id = "b"});
  world.settle();
  BOOST_TEST((world.answer(sequence)->result == ingest_result::unavailable)); // a dropped ticket answers
  BOOST_TEST(world.verifiers.size() == 0U);
  BOOST_TEST(world.actor("/sources/github")->state == "restarting");
  BOOST_TEST((world.post({.id = "b"}) == ingest_result::unavailable));
  world.advance(200ms);
  BOOST_TEST((world.post({.id = "b"}) == ingest_result::accepted));
  BOOST_TEST(world.actor("/sources/github")->restarts == 1U);
  BOOST_TEST(world.admission->events() == 0);
}

BOOST_AUTO_TEST_CASE(a_crashed_supervisor_is_restarted_by_the_node_and_its_deliveries_are_closed_first) {
  supervised world;
  world.submit({.id = "a"});
  world.settle();
  BOOST_TEST(world.requests.running().size() == 1U);
  world.polls = false; // no hint: the rides have no due time, nothing but the restart finds them
  world.door.throw_at("load_tenant");
  world.bridge.configuration_changed({1});
  world.settle();
  BOOST_TEST(world.counts.actor_crashes.value() == 1U);
  BOOST_TEST(world.actor("/tenants/acme")->state == "restarting");
  BOOST_TEST(world.requests.running().empty());
  BOOST_TEST(world.verifiers.size() == 0U);
  BOOST_TEST((world.post({.id = "b"}) == ingest_result::unavailable));
  world.hangs = false;
  world.advance(3s);
  BOOST_TEST(world.actor("/tenants/acme")->restarts == 1U);
  BOOST_TEST(world.count(1, delivery_state::succeeded) == 1U);
  BOOST_TEST(world.interrupted() == 1U);
  BOOST_TEST((world.post({.id = "b"}) == ingest_result::accepted));
  BOOST_TEST(world.count(1, delivery_state::succeeded) == 2U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(drain_starts_no_crashed_delivery_again) {
  supervised world;
  world.submit({.id = "a"});
  world.settle();
  world.crash_delivery("b");
  const auto started = world.requests.started().size();
  const auto ended = world.drain();
  BOOST_TEST(*ended);
  world.hangs = false;
  world.advance(10s);
  BOOST_TEST(world.requests.started().size() == started);
}

BOOST_AUTO_TEST_CASE(a_tenant_found_while_draining_sends_nothing) {
  virtual_system world;
  world.requests.endpoint = [](const attempt_request&) { return std::optional{attempt_facts{.http_status = 204}}; };
  const auto sequence = world.submit();
  const auto ended = world.drain();
  world.advance(5s);
  BOOST_TEST(*ended);
  BOOST_TEST((world.answer(sequence)->result == ingest_result::accepted));
  BOOST_TEST(world.requests.started().empty());
  BOOST_TEST(world.count_of(delivery_state::in_flight) == 0U);
}

BOOST_AUTO_TEST_CASE(the_tree_shows_parents_before_children_with_their_state) {
  supervised world;
  world.hangs = false;
  world.post({.id = "a"});
  const auto all = world.tree();
  BOOST_REQUIRE(all.size() == 5U);
  BOOST_TEST(all[0].path == "/node/n1");
  BOOST_TEST(all[0].kind == "node");
  BOOST_TEST(all[0].state == "owner");
  BOOST_TEST(all[0].children == 1U);
  BOOST_TEST(all[1].path == "/node/n1/tenants/acme");
  BOOST_TEST(all[1].kind == "tenant_supervisor");
  BOOST_TEST(all[1].children == 3U);
  BOOST_TEST(*all[1].epoch == 5);
  std::multiset<std::string> kinds;
  for (const auto& each : all) {
    kinds.insert(each.kind);
    BOOST_TEST(each.node == "n1");
    BOOST_TEST((each.since > wall_time{}));
    BOOST_TEST(!each.transitions.empty());
  }
  BOOST_TEST(kinds.count("provider_verifier") == 1U);
  BOOST_TEST(kinds.count("delivery") == 2U);
  const auto shown = world.actor(first_path);
  BOOST_TEST(shown->state == "closed");
  BOOST_TEST(shown->delivery->window == 2U);
  BOOST_TEST(shown->delivery->last_outcomes.at(0) == "succeeded:204");
  BOOST_TEST(!world.actor("/deliveries/none").has_value());
}

BOOST_AUTO_TEST_CASE(the_credits_of_an_accept_that_crashed_its_verifier_come_back) {
  supervised world;
  world.submit({.id = "a"});
  world.settle();
  world.door.throw_at("accept");
  world.submit({.id = "b"});
  world.advance(1s);
  BOOST_TEST(world.counts.actor_crashes.value() == 1U);
  world.crash_delivery("c"); // its restart waits for every credit that is out
  BOOST_TEST(world.counts.actor_crashes.value() == 2U);
  world.hangs = false;
  world.advance(60s);
  BOOST_TEST(world.count(1, delivery_state::succeeded) == 2U);
  BOOST_TEST(!world.actor(first_path).has_value()); // at rest again, and let go
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(after_a_supervisors_restart_rows_are_closed_once_not_at_every_wake) {
  supervised world;
  world.hangs = false;
  world.post({.id = "a"});
  world.door.throw_at("load_tenant");
  world.bridge.configuration_changed({1});
  world.advance(40s); // restarted, and its DELIVERYs were let go again
  BOOST_TEST(!world.actor(first_path).has_value());
  const auto closed = world.door.calls("close_interrupted");
  BOOST_TEST(closed == 2U);
  world.post({.id = "b"});
  BOOST_TEST(world.door.calls("close_interrupted") == closed);
  BOOST_TEST(world.count(1, delivery_state::succeeded) == 2U);
}

BOOST_AUTO_TEST_CASE(a_supervisor_restarted_while_the_shard_is_in_doubt_closes_the_rows_when_it_is_owned) {
  supervised world;
  world.polls = false;
  world.submit({.id = "a"});
  world.settle();
  world.bridge.leases({});
  world.door.throw_at("load_tenant");
  world.bridge.configuration_changed({1});
  world.advance(3s);
  BOOST_TEST(world.count(1, delivery_state::in_flight) == 1U);
  world.hangs = false;
  world.own(virtual_system::fence_);
  world.advance(3s);
  BOOST_TEST(world.interrupted() == 1U);
  BOOST_TEST(world.count(1, delivery_state::succeeded) == 1U);
}

BOOST_AUTO_TEST_CASE(a_child_that_does_not_answer_is_shown_so) {
  supervised world;
  world.submit({.id = "a"});
  world.settle();
  bool fails = true; // nobody but DELIVERY asks for the time to describe itself
  world.context.wall_now = [&] {
    if (std::exchange(fails, false))
      throw std::runtime_error("no time");
    return world.wall();
  };
  const auto shown = world.actor(first_path);
  const auto other = world.actor(second_path);
  world.context.wall_now = [&] { return world.wall(); };
  BOOST_REQUIRE(shown.has_value());
  BOOST_TEST(shown->kind == "delivery");
  BOOST_TEST(shown->state == "not_answering");
  BOOST_TEST(other.has_value());
}

BOOST_AUTO_TEST_SUITE_END()
