#include "tests/actors/supervised.hpp"

#include <caf/send.hpp>

using namespace postrider;
using namespace postrider::test;
using namespace std::chrono_literals;

namespace {

struct restarting : supervised {
  /// The supervisor crashes in the handler that loads its configuration; it waits for its restart then.
  void crash_supervisor() {
    door.throw_at("load_tenant");
    bridge.configuration_changed({1});
    settle();
    BOOST_REQUIRE(actor("/tenants/acme")->state == "restarting");
  }
  /// Changed by another node, and this one's poll has not seen it yet.
  void put_unseen(tenant_config config) {
    bridge.disconnect();
    put(std::move(config));
    settle();
    bridge.connect(node);
  }
  [[nodiscard]] std::size_t started(endpoint_no endpoint) const {
    std::size_t out = 0;
    for (const auto& each : requests.started())
      out += each.endpoint->no == endpoint ? 1 : 0;
    return out;
  }
  /// One delivery of endpoint 2 becomes another endpoint's, pending and due.
  void hand_over_to(endpoint_no endpoint) {
    database.change(database.deliveries_of(2).at(0).id, [&](auto& row) {
      row.endpoint = endpoint;
      row.state = delivery_state::pending;
      row.attempt_count = 0;
      row.attempts.clear();
      row.next_attempt_at = wall();
    });
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(restart_configurations)

BOOST_AUTO_TEST_CASE(what_was_changed_while_a_supervisor_waits_for_its_restart_counts_from_the_restart_on) {
  restarting world;
  world.submit({.id = "a"});
  world.settle();
  BOOST_REQUIRE(world.started(1) == 1U);
  world.crash_supervisor();
  auto config = virtual_system::config_of({1, 2}, 3);
  config.endpoints[0].status = endpoint_status::paused;
  config.endpoints[1].url = "https://moved.example/hook";
  world.put(config);
  world.hangs = false;
  world.advance(3s);
  BOOST_TEST(world.actor("/tenants/acme")->state == "owner");
  BOOST_TEST(world.actor("/tenants/acme")->restarts == 1U);
  BOOST_TEST((world.post({.id = "b"}) == ingest_result::accepted));
  BOOST_TEST(world.started(1) == 1U);
  BOOST_TEST(world.count(1, delivery_state::retry_wait) == 1U); // closed as interrupted, and it waits
  BOOST_TEST(world.requests.started().back().endpoint->url == "https://moved.example/hook");
  world.put(virtual_system::config_of({1, 2}, 4));
  world.advance(3s);
  BOOST_TEST(world.count(1, delivery_state::succeeded) == 2U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(a_change_that_nobody_told_of_counts_after_a_quarantine_too) {
  restarting world;
  world.hangs = false;
  world.post({.id = "a"});
  for (int i = 0; i < 6; ++i) {
    world.door.throw_at("load_tenant");
    world.bridge.configuration_changed({1});
    world.advance(5s);
  }
  BOOST_REQUIRE(world.actor("/tenants/acme")->state == "quarantined");
  auto config = virtual_system::config_of({1, 2}, 3);
  config.endpoints[0].url = "https://moved.example/hook";
  world.put_unseen(config);
  world.advance(5min);
  BOOST_TEST((world.post({.id = "b"}) == ingest_result::accepted));
  BOOST_TEST(world.started(1) == 2U);
  for (const auto& each : world.requests.started())
    if (each.endpoint->no == 1)
      BOOST_TEST((each.endpoint->url == "https://moved.example/hook") == (each.what->provider_event_id == "b"));
}

BOOST_AUTO_TEST_CASE(a_change_while_the_look_up_for_a_restart_runs_is_loaded_by_the_new_supervisor) {
  restarting world;
  world.hangs = false;
  world.post({.id = "a"});
  world.crash_supervisor();
  world.pass(200ms);
  world.run_actors(); // the look-up is asked
  world.bridge.configuration_changed({1});
  world.run_actors();
  world.database.run(); // answered, and as old as it may be
  auto config = virtual_system::config_of({1, 2}, 3);
  config.endpoints[1].url = "https://moved.example/hook";
  world.put_unseen(config);
  BOOST_TEST((world.post({.id = "b"}) == ingest_result::accepted));
  BOOST_TEST(world.requests.started().back().endpoint->url == "https://moved.example/hook");
}

BOOST_AUTO_TEST_CASE(with_the_store_away_a_restart_waits_for_the_configuration) {
  restarting world;
  world.submit({.id = "a"});
  world.settle();
  world.crash_supervisor();
  world.database.set_available(false);
  world.hangs = false;
  const auto asked = world.door.calls("load_tenant");
  world.advance(10s);
  BOOST_TEST(world.actor("/tenants/acme")->state == "restarting");
  BOOST_TEST((world.post({.id = "b"}) == ingest_result::unavailable));
  BOOST_TEST(world.door.calls("load_tenant") > asked + 10);
  BOOST_TEST(world.door.calls("load_tenant") < asked + 30);
  world.database.set_available(true);
  world.advance(3s);
  BOOST_TEST(world.count(1, delivery_state::succeeded) == 1U);
  BOOST_TEST(world.counts.actor_restarts.value() == 3U); // the supervisor once, and its two DELIVERYs
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(a_tenant_that_is_deleted_while_its_supervisor_waits_is_forgotten) {
  restarting world;
  world.hangs = false;
  world.post({.id = "a"});
  world.crash_supervisor();
  world.database.remove_tenant(1);
  world.advance(1s);
  BOOST_TEST(world.tree().size() == 1U);
  BOOST_TEST((world.post({.id = "b"}) == ingest_result::unknown));
}

BOOST_AUTO_TEST_CASE(what_is_due_for_an_endpoint_that_is_newer_than_the_plan_is_sent_not_closed) {
  restarting world;
  world.hangs = false;
  world.post({.id = "a"});
  world.put_unseen(virtual_system::config_of({1, 2, 3}, 3));
  world.hand_over_to(3);
  world.advance(3s);
  BOOST_TEST(world.door.calls("close_deleted") == 1U); // it asked, and was told otherwise
  BOOST_TEST(world.count(3, delivery_state::succeeded) == 1U);
}

BOOST_AUTO_TEST_CASE(what_is_due_for_an_endpoint_that_is_newer_than_a_crashed_supervisor_is_sent) {
  restarting world;
  world.hangs = false;
  world.post({.id = "a"});
  world.crash_supervisor();
  world.put_unseen(virtual_system::config_of({1, 2, 3}, 3));
  world.hand_over_to(3);
  world.advance(3s);
  BOOST_TEST(world.door.calls("close_deleted") == 0U);
  BOOST_TEST(world.count(3, delivery_state::succeeded) == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
