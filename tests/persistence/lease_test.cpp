#include "persistence/random_id.hpp"
#include "tests/persistence/postgres_world.hpp"

#include <boost/test/unit_test.hpp>

#include <future>

using namespace postrider;
using namespace postrider::tests;
using namespace std::chrono_literals;

namespace {

std::string quoted(const uuid& id) {
  return "'" + to_string(id) + "'";
}

/// A database as a process of node n1 left it: leases that run for another hour, a ride and a claimed delivery in
/// flight.
struct abandoned_database {
  abandoned_database() {
    tenant = before.add_tenant();
    fence_before = before.fence_of(tenant.shard);
    auto item = make_accept_item(before.now(), tenant, "ride", 1, fence_before);
    const auto id = item->what->id;
    BOOST_REQUIRE(before.subject().accept(item));
    BOOST_REQUIRE(before.eventually([&] { return before.events().answered(id) != nullptr; }));
    ride = before.events().answered(id)->deliveries[0].id;
    claimed = before.events().answered(id)->deliveries[1].id;
    std::atomic<bool> done{false};
    before.subject().claim(
      {tenant.no, tenant.endpoints[1], tenant.shard, fence_before, before.now() + 1s, before.now() + 1min, 10, {}},
      [&](claim_result) { done = true; });
    BOOST_REQUIRE(before.eventually([&] { return done.load(); }));
    before.real().stop(5s);
    // As if it had not released them.
    before.sql("update shard_lease set owner = " + quoted(former) +
               ", expires_at = clock_timestamp() + interval '1 hour'");
    before.sql("update node set incarnation = " + quoted(former) + ", state = 0");
  }
  postgres_world before;
  conformance_tenant tenant;
  fence fence_before = 0;
  delivery_id ride, claimed;
  const uuid former = random_id(wall_time{1s});
};

} // namespace

BOOST_AUTO_TEST_SUITE(leases)

BOOST_AUTO_TEST_CASE(a_single_node_takes_all_shards_and_keeps_them) {
  postgres_world world{{.lease_ttl = 2'000ms}};
  BOOST_TEST(world.trust->holds(boottime_ns()));
  const auto first = world.sql("select max(renewed_at)::text from shard_lease")[0][0].as<std::string>();
  BOOST_TEST(world.eventually(
    [&] { return world.sql("select min(renewed_at)::text from shard_lease")[0][0].as<std::string>() > first; }));
  BOOST_TEST(world.sql("select count(*) from shard_lease where epoch = 1 and fence >> 20 = 1")[0][0].as<int>() ==
             shard_count);
  BOOST_TEST(world.events().held().size() == static_cast<std::size_t>(shard_count));
  BOOST_TEST(world.sql("select count(*) from node where name = 'n1' and state = 0")[0][0].as<int>() == 1);
}

BOOST_AUTO_TEST_CASE(a_second_live_process_of_the_same_node_is_refused) {
  postgres_world first;
  postgres_world second{{.url = first.url(), .start = false}};
  const auto started = second.start();
  BOOST_REQUIRE(!started.has_value());
  BOOST_TEST(started.error().status == 409);
  BOOST_TEST(started.error().code == "node-name-taken");
  BOOST_TEST(first.events().held().size() == static_cast<std::size_t>(shard_count));
}

BOOST_AUTO_TEST_CASE(a_second_node_gets_no_shard_while_the_first_lives_and_all_when_it_leaves) {
  postgres_world first;
  postgres_world second{{.node = "n2", .lease_ttl = 2'000ms, .url = first.url(), .start = false}};
  BOOST_REQUIRE(second.start().has_value());
  BOOST_TEST(second.events().held().empty());
  first.real().stop(5s);
  BOOST_TEST(second.eventually([&] { return second.events().held().size() == shard_count; }));
}

BOOST_AUTO_TEST_CASE(a_restarted_node_takes_its_shards_at_once_and_closes_what_was_in_flight) {
  abandoned_database left;
  postgres_world world{{.url = left.before.url()}}; // waits for all shards: their leases would run for an hour
  BOOST_TEST(world.fence_of(left.tenant.shard) != left.fence_before);
  for (const auto id : {left.ride, left.claimed}) {
    BOOST_REQUIRE(world.eventually([&] { return world.read(id)->state == delivery_state::retry_wait; }));
    const auto row = *world.read(id);
    BOOST_TEST(row.step == 0U);
    BOOST_TEST(row.attempt_count == 1U);
    BOOST_REQUIRE(row.attempts.size() == 1U);
    BOOST_TEST((row.attempts[0].outcome == attempt_outcome::interrupted));
    BOOST_TEST(row.attempts[0].number == 1U);
  }
  for (const auto endpoint : left.tenant.endpoints)
    BOOST_TEST(world.eventually([&] { return world.events().was_due(endpoint); }));
  BOOST_TEST(world.counters(left.tenant.no) == world.counted(left.tenant.no), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_former_process_that_hangs_is_ended) {
  abandoned_database left;
  pqxx::connection hanging{left.before.url()};
  pqxx::nontransaction{hanging}.exec("select pg_advisory_lock(incarnation_lock(" + quoted(left.former) + "))");
  postgres_world world{{.url = left.before.url(), .start = false}};
  BOOST_REQUIRE(world.start().has_value());
  BOOST_TEST(world.wait_until_ready());
}

BOOST_AUTO_TEST_CASE(losing_the_lease_connection_ends_trust_at_once_and_is_made_good) {
  postgres_world world;
  const auto under = world.fence_of(3);
  const auto reports = world.events().lease_reports();
  const auto backends = world.backends("lease");
  BOOST_REQUIRE(backends.size() == 1U);
  postgres_fixture::instance().kill_backend(backends[0]);
  // Told twice: nothing is held, and, under the same fences, everything again.
  BOOST_REQUIRE(world.eventually(
    [&] { return world.events().lease_reports() >= reports + 2 && world.events().held().size() == shard_count; }));
  BOOST_TEST(world.fence_of(3) == under);
  BOOST_TEST(world.trust->holds(boottime_ns()));
}

BOOST_AUTO_TEST_CASE(a_shard_that_another_node_took_is_dropped) {
  postgres_world world{{.lease_ttl = 2'000ms}};
  world.lose_lease(7);
  BOOST_TEST(world.eventually([&] { return world.events().held().size() == shard_count - 1; }));
  BOOST_TEST(world.fence_of(7) == 0);
}

BOOST_AUTO_TEST_CASE(nothing_counts_as_closed_under_a_lease_that_is_another_nodes) {
  postgres_world world;
  const auto tenant = world.add_tenant();
  const auto under = world.fence_of(tenant.shard);
  auto item = make_accept_item(world.now(), tenant, "one", 1, under);
  const auto id = item->what->id;
  BOOST_REQUIRE(world.subject().accept(item));
  BOOST_REQUIRE(world.eventually([&] { return world.events().answered(id) != nullptr; }));
  world.lose_lease(tenant.shard);
  std::promise<std::optional<std::size_t>> interrupted;
  world.subject().close_interrupted(tenant.no, tenant.endpoints[0], tenant.shard, under, {},
                                    [&](std::optional<std::size_t> closed) { interrupted.set_value(closed); });
  BOOST_TEST(!interrupted.get_future().get().has_value());
  std::promise<deleted_closing> deleted;
  world.delete_endpoint(tenant, 0);
  world.subject().close_deleted(tenant.no, tenant.endpoints[0], tenant.shard, under,
                                [&](deleted_closing came_of) { deleted.set_value(came_of); });
  BOOST_TEST((deleted.get_future().get() == deleted_closing::unavailable));
}

BOOST_AUTO_TEST_CASE(stopping_commits_what_was_accepted_and_releases_the_leases) {
  postgres_world world;
  const auto tenant = world.add_tenant();
  constexpr std::size_t count = 1'000;
  for (std::size_t i = 0; i < count; ++i) {
    auto item = make_accept_item(world.now(), tenant, std::to_string(i));
    BOOST_REQUIRE(world.subject().accept(item));
  }
  world.real().drain();
  world.real().close_accepting(20s);
  BOOST_TEST(world.events().answered_count() == count);
  auto late = make_accept_item(world.now(), tenant, "late");
  BOOST_TEST(!world.subject().accept(late));
  world.real().stop(5s);
  BOOST_TEST(world.sql("select count(*) from event")[0][0].as<std::size_t>() == count);
  BOOST_TEST(world.sql("select count(*) from shard_lease where owner is null")[0][0].as<int>() == shard_count);
  BOOST_TEST(world.sql("select state from node")[0][0].as<int>() == 2);
  BOOST_TEST(!world.trust->holds(boottime_ns()));
}

BOOST_AUTO_TEST_SUITE_END()
