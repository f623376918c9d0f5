#include "persistence/sweeper.hpp"
#include "tests/persistence/postgres_world.hpp"
#include "tests/support/conformance_steps.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace postrider::tests;
using namespace std::chrono_literals;

namespace {

constexpr fence mine = make_fence(5, 1);
constexpr fence former = make_fence(4, 1);

/// A sweeper that believes to hold the tenant's shard; the lease is as the test sets it.
struct sweeping {
  sweeping() {
    BOOST_REQUIRE(!on.connect());
    const std::vector<shard_table::taken> taken{{{tenant.shard, 5, mine}, {}}};
    shards.take(taken, std::chrono::steady_clock::now());
    lease("-1 hour");
  }
  static session_options options_for(const std::string& url) {
    session_options out;
    out.url = url;
    out.role = "sweep test";
    out.pinned_plans = true;
    out.statements = sweeper::statements();
    out.statements.push_back(configuration_poll::statements().front());
    return out;
  }
  void lease(const std::string& runs) {
    world.sql("update shard_lease set fence = " + std::to_string(mine) + ", owner = gen_random_uuid()," +
              " expires_at = clock_timestamp() + interval '" + runs +
              "' where shard = " + std::to_string(tenant.shard));
  }
  /// A delivery in flight; `due`: SQL, its deadline, or null for one that rode.
  delivery_id in_flight(fence under, const std::string& due, wall_time at, std::size_t endpoint = 0, int state = 1) {
    const delivery_id id{make_uuid_v7(at, random_bits())};
    world.sql("insert into delivery (id, event_id, tenant_no, endpoint_no, fence, next_attempt_at, updated_at, seed,"
              " attempt_count, generation, step, shard, state, reason, last_reason, last_status) values ('" +
              to_string(id.value) + "', gen_random_uuid(), " + std::to_string(tenant.no) + ", " +
              std::to_string(tenant.endpoints.at(endpoint)) + ", " + std::to_string(under) + ", " + due +
              ", now(), 1, " + std::to_string(state == 0 ? 0 : 1) + ", 1, 0, " + std::to_string(tenant.shard) + ", " +
              std::to_string(state) + ", 0, 0, 0)");
    if (state != 0)
      world.sql("insert into tenant_counter values (" + std::to_string(tenant.no) +
                (state == 1 ? ", 1, 0, 1, 0, 0, 0, 0)" : ", 1, 0, 0, 1, 0, 0, 0)"));
    else
      world.sql("insert into tenant_counter values (" + std::to_string(tenant.no) + ", 1, 1, 0, 0, 0, 0, 0)");
    return id;
  }
  delivery_state state_of(delivery_id id) { return world.read(id)->state; }
  void check_interrupted(delivery_id id) {
    const auto row = *world.read(id);
    BOOST_TEST((row.state == delivery_state::retry_wait));
    BOOST_REQUIRE(row.attempts.size() == 1U);
    BOOST_TEST((row.attempts[0].outcome == attempt_outcome::interrupted));
  }

  postgres_world world{{.start = false}};
  conformance_tenant tenant = world.add_tenant();
  watchdog dog;
  metrics counts;
  session on{options_for(world.url()), dog, counts};
  recorded_events events;
  shard_table shards;
  open_rides rides;
  sweeper sweeps{events, counts, world.clock, shards, rides};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(sweeps, sweeping)

BOOST_AUTO_TEST_CASE(a_sweep_under_a_lease_that_has_run_out_does_not_count_as_done) {
  const auto rode = in_flight(former, "null", world.now() - 1s);
  const auto claimed = in_flight(former, "now() + interval '1 minute'", world.now() - 2s);
  BOOST_TEST(!sweeps.sweep(on));
  BOOST_TEST((state_of(rode) == delivery_state::in_flight));
  BOOST_TEST(shards.due_sweeps(std::chrono::steady_clock::now()).size() == 1U);
  lease("1 hour");
  BOOST_TEST(!sweeps.sweep(on));
  BOOST_TEST(shards.due_sweeps(std::chrono::steady_clock::now()).empty());
  for (const auto id : {rode, claimed})
    check_interrupted(id);
  BOOST_TEST(events.was_due(tenant.endpoints[0]));
  BOOST_TEST(world.counters(tenant.no) == world.counted(tenant.no), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_sweep_finds_ids_that_are_ahead_of_the_clock_and_leaves_what_is_mine) {
  lease("1 hour");
  const auto ahead = in_flight(former, "null", world.now() + 1h);
  const auto own = in_flight(mine, "null", world.now());
  BOOST_TEST(!sweeps.sweep(on));
  check_interrupted(ahead);
  BOOST_TEST((state_of(own) == delivery_state::in_flight));
}

BOOST_AUTO_TEST_CASE(what_stands_in_an_order_waits_for_its_deadline_unless_nothing_of_its_fence_can_run) {
  const auto in_order = [&](fence under) {
    const auto id = in_flight(under, "now() + interval '1 minute'", world.now() - 2s);
    world.sql("update delivery set order_no = " + std::to_string(under) + ", order_key = '', lane = 5 where id = '" +
              to_string(id.value) + "'");
    return id;
  };
  constexpr fence older = make_fence(3, 1);
  lease("1 hour");
  const auto of_former = in_order(former);
  const auto of_older = in_order(older);
  const auto parallel = in_flight(former, "now() + interval '1 minute'", world.now() - 2s);
  BOOST_TEST(!sweeps.sweep(on)); // nothing is known of the former owner
  check_interrupted(parallel);
  BOOST_TEST((state_of(of_former) == delivery_state::in_flight));
  const auto take = [&](fence closable) { // again, as a node that knows what became of it
    const std::vector<shard_table::taken> taken{{{tenant.shard, 5, mine}, {}, closable}};
    shards.take(taken, std::chrono::steady_clock::now());
    BOOST_TEST(!sweeps.sweep(on));
  };
  take(former); // not a fence that this process held
  BOOST_TEST((state_of(of_former) == delivery_state::in_flight));
  take(shard_table::any_fence);
  for (const auto id : {of_former, of_older})
    check_interrupted(id);
}

BOOST_AUTO_TEST_CASE(of_a_former_fence_of_this_process_nothing_runs_outside_of_it) {
  const auto held = [&](fence under, fence closable) {
    const std::vector<shard_table::taken> taken{{{tenant.shard, epoch_of(under), under}, {}, closable}};
    shards.take(taken, std::chrono::steady_clock::now());
    return shards.due_sweeps(std::chrono::steady_clock::now()).front().closable;
  };
  constexpr fence next = make_fence(6, 1);
  BOOST_TEST(held(next, mine) == mine);                      // the one before was this process's too
  BOOST_TEST(held(make_fence(8, 1), make_fence(7, 1)) == 0); // that one it never heard of
  BOOST_TEST(held(make_fence(9, 1), shard_table::any_fence) == shard_table::any_fence);
}

BOOST_AUTO_TEST_CASE(rides_stay_open_until_they_were_looked_for_under_a_lease_that_holds) {
  const auto rode = in_flight(mine, "null", world.now() - 2min);
  const std::vector ids{rode};
  rides.add(ids);
  BOOST_TEST(!sweeps.expose_open_rides(on));
  BOOST_TEST(rides.size() == 1U);
  BOOST_TEST(!world.read(rode)->next_attempt_at.has_value());
  lease("1 hour");
  BOOST_TEST(!sweeps.expose_open_rides(on));
  BOOST_TEST(rides.size() == 0U);
  BOOST_TEST(world.read(rode)->next_attempt_at.has_value());
}

BOOST_AUTO_TEST_CASE(a_ride_that_was_committed_after_its_event_was_refused_in_doubt_is_found_at_once) {
  const auto rode = in_flight(mine, "null", world.now());
  const auto others = in_flight(former, "null", world.now());
  const auto not_there = delivery_id{make_uuid_v7(world.now(), random_bits())};
  const auto riding = in_flight(mine, "null", world.now());
  const std::vector ids{rode, others, not_there, riding};
  const auto now = std::chrono::steady_clock::now();
  rides.add(ids);
  rides.doubt(std::span{ids}.first(3), now);
  BOOST_TEST(!sweeps.expose_doubtful_rides(on)); // no lease holds
  BOOST_TEST(!world.read(rode)->next_attempt_at.has_value());
  lease("1 hour");
  BOOST_TEST(!sweeps.expose_doubtful_rides(on));
  BOOST_TEST(world.read(rode)->next_attempt_at.has_value());
  BOOST_TEST(!world.read(others)->next_attempt_at.has_value()); // the take-over's sweep closes it
  BOOST_TEST(!world.read(riding)->next_attempt_at.has_value()); // it is sent
  BOOST_TEST(rides.doubtful(now).size() == 2U);                 // looked for again
  BOOST_TEST(rides.doubtful(now + open_rides::doubt_time).empty());
  BOOST_TEST(rides.size() == 3U); // the look each minute has them still
}

BOOST_AUTO_TEST_CASE(what_a_deleted_tenant_left_becomes_dead_and_is_not_reported_as_due) {
  lease("1 hour");
  const auto waiting = in_flight(0, "now() - interval '1 second'", world.now(), 0, 0);
  const auto backing_off = in_flight(mine, "now() + interval '10 hours'", world.now(), 1, 2);
  const auto overdue = in_flight(mine, "now() - interval '1 second'", world.now(), 1);
  const auto running = in_flight(mine, "now() + interval '1 minute'", world.now(), 1);
  const auto close = [&] { BOOST_TEST(!sweeps.close_deleted_tenants(on)); };
  close();
  BOOST_TEST((state_of(waiting) == delivery_state::pending)); // it lives
  BOOST_TEST(!sweeps.poll_due(on));
  BOOST_TEST(events.was_due(tenant.endpoints[0]));
  events.forget_due();

  world.sql("update tenant set deleted_at = clock_timestamp() where no = " + std::to_string(tenant.no));
  BOOST_TEST(!sweeps.poll_due(on));
  BOOST_TEST(!events.was_due(tenant.endpoints[0]));
  lease("-1 hour");
  close();
  BOOST_TEST((state_of(waiting) == delivery_state::pending)); // not mine to close
  lease("1 hour");
  close();
  for (const auto id : {waiting, overdue}) {
    const auto row = *world.read(id);
    BOOST_TEST((row.state == delivery_state::dead));
    BOOST_TEST((row.reason == delivery_reason::tenant_deleted));
    BOOST_TEST(row.attempts.size() == row.attempt_count);
    BOOST_TEST(!row.next_attempt_at.has_value());
  }
  BOOST_TEST((state_of(backing_off) == delivery_state::dead));
  BOOST_TEST((state_of(running) == delivery_state::in_flight)); // its request decides, until its deadline
  world.sql("update delivery set next_attempt_at = now() where state = 1");
  close();
  BOOST_TEST((state_of(running) == delivery_state::dead));
  BOOST_TEST(world.counters(tenant.no) == world.counted(tenant.no), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(endpoints_that_may_not_send_are_due_to_nobody_but_to_a_take_over) {
  lease("1 hour");
  in_flight(0, "now() - interval '1 second'", world.now(), 0, 0);
  in_flight(0, "now() - interval '1 second'", world.now(), 1, 0);
  const auto status = [&](int of_it) {
    world.sql("update endpoint set status = " + std::to_string(of_it) +
              " where no = " + std::to_string(tenant.endpoints[0]));
    events.forget_due();
  };
  for (const int waiting : {1, 2}) {
    status(waiting);
    BOOST_TEST(!sweeps.poll_due(on));
    BOOST_TEST(!events.was_due(tenant.endpoints[0]));
    BOOST_TEST(events.was_due(tenant.endpoints[1]));
  }
  BOOST_TEST(!sweeps.sweep(on)); // the first after the lease was taken
  BOOST_TEST(events.was_due(tenant.endpoints[0]));
  status(0);
  BOOST_TEST(!sweeps.poll_due(on));
  BOOST_TEST(events.was_due(tenant.endpoints[0]));
  status(2);
  world.sql("update endpoint set deleted_at = now() where no = " + std::to_string(tenant.endpoints[0]));
  BOOST_TEST(!sweeps.poll_due(on));
  BOOST_TEST(events.was_due(tenant.endpoints[0])); // what it has is closed
}

BOOST_AUTO_TEST_CASE(the_endpoints_of_a_disabled_tenant_are_due_to_nobody_but_to_a_take_over) {
  lease("1 hour");
  in_flight(0, "now() - interval '1 second'", world.now(), 0, 0);
  in_flight(0, "now() - interval '1 second'", world.now(), 1, 0);
  world.sql("update endpoint set deleted_at = now() where no = " + std::to_string(tenant.endpoints[1]));
  const auto enable = [&](const char* enabled) {
    world.sql("update tenant set enabled = " + std::string{enabled} + " where no = " + std::to_string(tenant.no));
    events.forget_due();
  };
  enable("false");
  BOOST_TEST(!sweeps.poll_due(on));
  BOOST_TEST(!events.was_due(tenant.endpoints[0]));
  BOOST_TEST(events.was_due(tenant.endpoints[1])); // deleted: what it has is closed all the same
  BOOST_TEST(!sweeps.sweep(on));                   // the first after the lease was taken
  BOOST_TEST(events.was_due(tenant.endpoints[0]));
  enable("true");
  BOOST_TEST(!sweeps.poll_due(on));
  BOOST_TEST(events.was_due(tenant.endpoints[0]));
}

BOOST_AUTO_TEST_CASE(a_change_is_seen_whatever_the_clocks_said_before) {
  configuration_poll changes{events};
  const auto other = world.add_tenant();
  BOOST_TEST(!changes.poll(on));
  // A database with a faster clock wrote that; the one that took over lags behind it.
  world.sql("update tenant set config_version = 9, updated_at = clock_timestamp() + interval '1 hour' where no = " +
            std::to_string(tenant.no));
  BOOST_TEST(!changes.poll(on));
  BOOST_TEST(events.was_changed(tenant.no));
  events.forget_changes();
  world.change_tenant(other);
  BOOST_TEST(!changes.poll(on));
  BOOST_TEST(events.was_changed(other.no));
  BOOST_TEST(!events.was_changed(tenant.no));
}

BOOST_AUTO_TEST_SUITE_END()
