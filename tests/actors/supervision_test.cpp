#include "tests/support/virtual_system.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/send.hpp>

#include <set>

using namespace postrider;
using namespace postrider::test;
using namespace std::chrono_literals;

namespace {

const auto first_path = "/deliveries/" + to_string(virtual_system::id_of(1));
const auto second_path = "/deliveries/" + to_string(virtual_system::id_of(2));

/// Two endpoints; endpoint 1's attempts run until the test ends them, endpoint 2 accepts.
struct supervised : virtual_system {
  explicit supervised(engine_limits limits = {}) : virtual_system{limits} {
    put(config_of({1, 2}, 2));
    requests.endpoint = [this](const attempt_request& each) {
      return each.endpoint->no == 1 && hangs ? std::nullopt : std::optional{attempt_facts{.http_status = 204}};
    };
    settle();
  }
  [[nodiscard]] std::size_t count(endpoint_no endpoint, delivery_state state) const {
    std::size_t out = 0;
    for (const auto& row : database.deliveries_of(endpoint))
      out += row.state == state ? 1 : 0;
    return out;
  }
  /// The DELIVERY of endpoint 1 crashes in the handler that starts its next attempt.
  void crash_delivery(const std::string& id) {
    requests.throws = 1;
    submit({.id = id});
    settle();
  }
  /// Attempts 1..n of every delivery have their rows, and no request was made twice or without one.
  void check_attempts() const {
    std::set<std::pair<delivery_id, std::uint32_t>> sent;
    for (const auto& each : requests.started())
      BOOST_TEST(sent.emplace(each.delivery, each.number).second);
    for (const auto& [id, row] : database.deliveries()) {
      BOOST_REQUIRE(row.attempts.size() == row.attempt_count);
      for (std::size_t i = 0; i < row.attempts.size(); ++i)
        BOOST_TEST(row.attempts[i].number == i + 1);
    }
  }
  [[nodiscard]] std::size_t interrupted() const {
    std::size_t out = 0;
    for (const auto& [id, row] : database.deliveries())
      for (const auto& each : row.attempts)
        out += each.outcome == attempt_outcome::interrupted ? 1 : 0;
    return out;
  }

  bool hangs = true;
};

} // namespace

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

BOOST_AUTO_TEST_CASE(a_supervisor_that_keeps_crashing_is_quarantined_and_freed_by_a_new_configuration) {
  supervised world;
  world.hangs = false;
  world.post({.id = "a"});
  for (int i = 0; i < 6; ++i) {
    world.door.throw_at("load_tenant");
    world.bridge.configuration_changed({1});
    world.settle();
    world.advance(5s);
  }
  BOOST_TEST(world.actor("/tenants/acme")->state == "quarantined");
  BOOST_TEST((world.post({.id = "b"}) == ingest_result::unavailable));
  world.door.throw_at("load_tenant", 0);
  world.put(virtual_system::config_of({1, 2}, 3));
  world.advance(1s);
  BOOST_TEST((world.post({.id = "b"}) == ingest_result::accepted));
}

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

BOOST_AUTO_TEST_SUITE_END()
