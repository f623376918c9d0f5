#include "tests/persistence/retained.hpp"

using namespace postrider;
using namespace postrider::tests;
using namespace std::chrono_literals;
using std::chrono::days;

BOOST_FIXTURE_TEST_SUITE(store_retention, retained)

BOOST_AUTO_TEST_CASE(whole_days_behind_the_longest_retention_are_dropped_and_stay_counted) {
  const auto tenant = world.add_tenant();
  for (const int age : {29, 30, 31, 40})
    put(tenant, now - days{age}, delivery_state::succeeded);
  const auto done = run({}, now);
  BOOST_TEST(done.partitions == 3 * 2);
  BOOST_TEST(count("delivery") == 2);
  BOOST_TEST(count("event") == 2);
  BOOST_TEST(count("attempt") == 2);
  BOOST_TEST(counted(tenant, delivery_state::succeeded) == 4);
  BOOST_TEST(run({}, now).partitions == 0);
  BOOST_TEST(count("pg_class where relkind = 'r' and relname ~ '^(event|delivery|attempt)_'") == 3 * (5 + 2));
}

BOOST_AUTO_TEST_CASE(a_live_delivery_that_was_kept_long_enough_is_dead_and_expired) {
  const auto tenant = world.add_tenant();
  const auto old = put(tenant, now - days{30} - 1h, delivery_state::retry_wait);
  const auto young = put(tenant, now - days{30} + 1h, delivery_state::pending);
  BOOST_TEST(run({}, now).expired == 1);
  const auto row = world.read(old);
  BOOST_REQUIRE(row.has_value());
  BOOST_TEST((row->state == delivery_state::dead));
  BOOST_TEST((row->reason == delivery_reason::expired));
  BOOST_TEST(!row->next_attempt_at.has_value());
  BOOST_TEST((world.read(young)->state == delivery_state::pending));
  BOOST_TEST(counted(tenant, delivery_state::dead) == 1);
  BOOST_TEST(world.counters(tenant.no) == world.counted(tenant.no), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_is_live_in_a_partition_that_goes_is_expired_first) {
  const auto tenant = world.add_tenant();
  for (const auto state : {delivery_state::pending, delivery_state::in_flight, delivery_state::retry_wait})
    put(tenant, now - days{31}, state);
  const auto done = run({}, now);
  BOOST_TEST(done.expired == 3);
  BOOST_TEST(done.partitions == 3);
  BOOST_TEST(count("delivery") == 0);
  BOOST_TEST(counted(tenant, delivery_state::dead) == 3);
}

BOOST_AUTO_TEST_CASE(a_delivery_whose_request_runs_ends_first) {
  const auto tenant = world.add_tenant();
  const auto id = put(tenant, now - days{30} - 1h, delivery_state::in_flight);
  world.sql("update delivery set next_attempt_at = '" + to_rfc3339(now + 10s) + "'");
  BOOST_TEST(run({}, now).expired == 0);
  BOOST_TEST((world.read(id)->state == delivery_state::in_flight));
  BOOST_TEST(run({}, now + 11s).expired == 1);
}

BOOST_AUTO_TEST_CASE(an_attempt_that_is_open_when_its_delivery_expires_has_its_row_as_interrupted) {
  const auto tenant = world.add_tenant();
  const auto id = put(tenant, now - days{30} - 1h, delivery_state::in_flight);
  const auto waits = put(tenant, now - days{30} - 1h, delivery_state::retry_wait);
  world.sql("insert into attempt values ('" + to_string(id.value) + "', 1, '" + to_rfc3339(now - days{1}) +
            "', 5, 2, 1, 503, null)");
  world.sql("update delivery set attempt_count = 2, updated_at = '" + to_rfc3339(now - 1min) +
            "', next_attempt_at = '" + to_rfc3339(now - 30s) + "' where id = '" + to_string(id.value) + "'");
  BOOST_TEST(run({}, now).expired == 2);
  const auto row = world.read(id);
  BOOST_REQUIRE(row.has_value());
  BOOST_TEST((row->state == delivery_state::dead));
  BOOST_REQUIRE(row->attempts.size() == 2U);
  const auto& open = row->attempts[1];
  BOOST_TEST(open.number == 2U);
  BOOST_TEST((open.outcome == attempt_outcome::interrupted));
  BOOST_TEST((open.reason == attempt_reason::interrupted));
  const auto told =
    world.sql("select last_reason, last_status, started_at = '" + to_rfc3339(now - 1min) +
              "', duration_ms from delivery join attempt on delivery_id = id and number = 2 where id = '" +
              to_string(id.value) + "'");
  BOOST_TEST(told[0][0].as<int>() == static_cast<int>(attempt_reason::interrupted));
  BOOST_TEST(told[0][1].as<int>() == 0);
  BOOST_TEST(told[0][2].as<bool>());
  BOOST_TEST(told[0][3].as<int>() == 60'000);
  BOOST_TEST(world.read(waits)->attempts.empty()); // nothing of it was open
  BOOST_TEST(counted(tenant, delivery_state::dead) == 2);
  BOOST_TEST(world.counters(tenant.no) == world.counted(tenant.no), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_outcome_that_is_being_written_goes_before_the_expiry) {
  const auto tenant = world.add_tenant();
  const auto id = put(tenant, now - days{30} - 1h, delivery_state::in_flight);
  pqxx::connection owner{world.url()};
  pqxx::work writing{owner};
  writing.exec("update delivery set state = 3, next_attempt_at = null where id = '" + to_string(id.value) + "'");
  BOOST_TEST(run({}, now).expired == 0);
  writing.commit();
  BOOST_TEST(run({}, now).expired == 0);
  BOOST_TEST((world.read(id)->state == delivery_state::succeeded));
  BOOST_TEST(world.read(id)->attempts.empty());
}

BOOST_AUTO_TEST_CASE(attempts_can_be_written_for_as_long_as_their_deliveries_can) {
  const auto tenant = world.add_tenant();
  put(tenant, now - days{31}, delivery_state::succeeded);
  const auto day =
    world.sql("select to_char('" + to_rfc3339(now - days{31}) + "'::timestamptz at time zone 'UTC', 'YYYYMMDD')")[0][0]
      .as<std::string>();
  const auto attached = [&](const std::string& table) {
    return count("pg_inherits where not inhdetachpending and inhrelid = to_regclass('" + table + "_" + day + "')") == 1;
  };
  auto impatient = options_for(world.url());
  impatient.statement_timeout = 1s;
  session cut_short{impatient, dog, counts};
  BOOST_REQUIRE(!cut_short.connect());
  {
    pqxx::connection reader{world.url()};
    pqxx::work reading{reader};
    reading.exec("select from delivery_" + day);
    BOOST_TEST(retain(cut_short, {}, now).has_value());
    BOOST_TEST(!attached("delivery")); // half done
    BOOST_TEST(attached("attempt"));
    BOOST_TEST(attached("event"));
  }
  BOOST_TEST(run({}, now).partitions == 3);
}

BOOST_AUTO_TEST_CASE(an_alert_comes_a_day_before_and_goes_with_its_cause) {
  const auto tenant = world.add_tenant();
  const auto id = put(tenant, now - days{29} - 1h, delivery_state::retry_wait);
  put(tenant, now - days{29} - 2h, delivery_state::pending);
  put(tenant, now - days{28} - 1h, delivery_state::retry_wait, 1); // another endpoint, not yet
  BOOST_TEST(run({}, now - 2h).alerts == 0);
  const auto done = run({}, now);
  BOOST_TEST(done.alerts == 1);
  BOOST_TEST(done.expired == 0);
  const auto alert = world.sql("select tenant_no, endpoint_no, kind, state, count, id from alert");
  BOOST_REQUIRE(alert.size() == 1U);
  BOOST_TEST(alert[0][0].as<std::int64_t>() == tenant.no);
  BOOST_TEST(alert[0][1].as<std::int64_t>() == tenant.endpoints[0]);
  BOOST_TEST(alert[0][2].as<std::string>() == "deliveries_expire");
  BOOST_TEST(alert[0][3].as<int>() == 0);
  BOOST_TEST(alert[0][4].as<int>() == 2);
  BOOST_TEST((time_of(*parse_uuid(alert[0][5].as<std::string>())) == now));
  world.sql("update delivery set state = 3, next_attempt_at = null where id = '" + to_string(id.value) + "'");
  BOOST_TEST(run({}, now).alerts == 0);
  BOOST_TEST(world.sql("select count from alert")[0][0].as<int>() == 1);
  BOOST_TEST(run({}, now + days{1}).alerts == 1); // the other endpoint's; the first one's has become dead
  run({}, now + days{1});
  BOOST_TEST(
    world.sql("select state from alert where endpoint_no = " + std::to_string(tenant.endpoints[0]))[0][0].as<int>() ==
    2);
}

BOOST_AUTO_TEST_CASE(a_shorter_plan_has_its_rows_deleted_in_batches_and_touches_nobody_else) {
  const auto brief = world.add_tenant();
  const auto lasting = world.add_tenant();
  set_quota(brief, "brief", "{}");
  retention_policy policy;
  policy.plans["brief"].retention_days = 7;
  for (const auto& tenant : {brief, lasting})
    for (const auto state : {delivery_state::succeeded, delivery_state::dead, delivery_state::retry_wait})
      for (const int age : {6, 8, 9})
        put(tenant, now - days{age}, state);
  const auto done = run(policy, now);
  BOOST_TEST(done.expired == 2);
  BOOST_TEST(done.deliveries == 6);
  BOOST_TEST(done.events == 6);
  BOOST_TEST(done.partitions == 0);
  for (const std::string table : {"event", "delivery"}) {
    BOOST_TEST(count(table + " where tenant_no = " + std::to_string(brief.no)) == 3);
    BOOST_TEST(count(table + " where tenant_no = " + std::to_string(lasting.no)) == 9);
  }
  BOOST_TEST(count("attempt") == 2 + 6);
  BOOST_TEST(counted(brief, delivery_state::succeeded) == 3);
  BOOST_TEST(counted(brief, delivery_state::dead) == 5);
  BOOST_TEST(counted(brief, delivery_state::retry_wait) == 1);
  BOOST_TEST(counted(lasting, delivery_state::retry_wait) == 3);
}

BOOST_AUTO_TEST_CASE(more_than_one_batch_is_deleted_in_one_round) {
  const auto tenant = world.add_tenant();
  world.add_tenant();
  set_quota(tenant, "", R"({"retention_days": 2})");
  make_partitions(now - days{3});
  world.sql("insert into event select " + id_at(now - days{3}) + ", " + std::to_string(tenant.no) +
            ", 1, null, 'push', 'x', '', '', '', 'body', null from generate_series(1, 5000)");
  world.sql("insert into delivery select " + id_at(now - days{3}) + ", " + id_at(now - days{3}) + ", " +
            std::to_string(tenant.no) + ", " + std::to_string(tenant.endpoints[0]) +
            ", 0, null, now(), 0, 0, 1, 0, 1, 3, 0, 0, 0 from generate_series(1, 4500)");
  const auto done = run({}, now);
  BOOST_TEST(done.deliveries == 4'500);
  BOOST_TEST(done.events == 5'000);
}

BOOST_AUTO_TEST_CASE(the_tenants_own_quota_goes_before_its_plans_and_neither_beyond_the_nodes) {
  const auto own = world.add_tenant();
  const auto planned = world.add_tenant();
  const auto unknown = world.add_tenant();
  const auto greedy = world.add_tenant();
  set_quota(own, "week", R"({"retention_days": 20})");
  set_quota(planned, "week", "{}");
  set_quota(unknown, "no-such-plan", "{}");
  set_quota(greedy, "", R"({"retention_days": 3650})");
  retention_policy policy;
  policy.plans["week"].retention_days = 7;
  policy.plans["empty"] = {};
  for (const auto& tenant : {own, planned, unknown, greedy})
    for (const int age : {10, 25, 31})
      put(tenant, now - days{age}, delivery_state::succeeded);
  run(policy, now);
  const auto left = [&](const conformance_tenant& tenant) {
    return count("delivery where tenant_no = " + std::to_string(tenant.no));
  };
  BOOST_TEST(left(own) == 1);
  BOOST_TEST(left(planned) == 0);
  BOOST_TEST(left(unknown) == 2);
  BOOST_TEST(left(greedy) == 2);
}

BOOST_AUTO_TEST_CASE(where_all_keep_less_than_the_node_allows_partitions_go_earlier) {
  const auto tenant = world.add_tenant();
  set_quota(tenant, "", R"({"retention_days": 5})");
  for (const int age : {5, 6, 7})
    put(tenant, now - days{age}, delivery_state::succeeded);
  BOOST_TEST(run({}, now).partitions == 6);
  BOOST_TEST(count("delivery") == 1);
}

BOOST_AUTO_TEST_CASE(a_delivery_just_after_midnight_leaves_with_its_event_of_the_day_before) {
  const auto tenant = world.add_tenant();
  const auto midnight = std::chrono::floor<days>(now) - days{30};
  make_partitions(midnight);
  put(tenant, midnight - 1s, delivery_state::succeeded, 0, midnight + 20s);
  put(tenant, midnight + 1s, delivery_state::succeeded);
  run({}, now);
  BOOST_TEST(count("delivery") == 1);
  BOOST_TEST(count("event") == 1);
  BOOST_TEST(count("attempt") == 1);
  BOOST_TEST(count("delivery d where not exists (select from event where id = d.event_id)") == 0);
  BOOST_TEST(counted(tenant, delivery_state::succeeded) == 2);
}

BOOST_AUTO_TEST_CASE(a_round_that_was_cut_short_is_finished_by_the_next_and_nothing_live_is_lost_from_the_accounts) {
  const auto tenant = world.add_tenant();
  put(tenant, now - days{35}, delivery_state::pending);
  put(tenant, now - days{36}, delivery_state::retry_wait);
  const auto name = [&](int age) {
    return world
      .sql("select 'delivery_' || to_char('" + to_rfc3339(now - days{age}) +
           "'::timestamptz at time zone 'UTC', 'YYYYMMDD')")[0][0]
      .as<std::string>();
  };
  world.sql("alter table delivery detach partition " + name(35)); // and then the process died
  {
    pqxx::connection reader{world.url()};
    pqxx::work reading{reader};
    reading.exec("select from " + name(36));
    pqxx::connection beside{world.url()};
    pqxx::nontransaction detaching{beside};
    detaching.exec("set lock_timeout = 200");
    BOOST_CHECK_THROW(detaching.exec("alter table delivery detach partition " + name(36) + " concurrently"),
                      pqxx::sql_error);
  }
  BOOST_REQUIRE(count("pg_inherits where inhdetachpending") == 1);
  BOOST_TEST(run({}, now).partitions == 6);
  BOOST_TEST(counted(tenant, delivery_state::dead) == 2);
  BOOST_TEST(counted(tenant, delivery_state::pending) == 0);
  BOOST_TEST(count("pg_class where relkind = 'r' and relname ~ '^(event|delivery|attempt)_'") == 3 * 5);
}

BOOST_AUTO_TEST_CASE(one_node_at_a_time) {
  const auto tenant = world.add_tenant();
  put(tenant, now - days{40}, delivery_state::succeeded);
  world.sql("select pg_advisory_lock(hashtextextended('postrider retention', 0))");
  BOOST_TEST(run({}, now).partitions == 0);
  world.sql("select pg_advisory_unlock(hashtextextended('postrider retention', 0))");
  BOOST_TEST(run({}, now).partitions == 3);
}

BOOST_AUTO_TEST_CASE(on_a_clock_moved_day_by_day_rows_are_warned_of_expire_and_leave_and_the_accounts_hold) {
  const auto tenant = world.add_tenant();
  put(tenant, now, delivery_state::succeeded);
  const auto live = put(tenant, now, delivery_state::retry_wait);
  std::int64_t alerts = 0;
  for (int day = 0; day <= 33; ++day) {
    const auto done = run({}, now + days{day} + 1h);
    alerts += done.alerts;
    BOOST_TEST_CONTEXT("day " << day) {
      BOOST_TEST(done.alerts == (day == 29 ? 1 : 0));
      BOOST_TEST(done.expired == (day == 30 ? 1 : 0));
      BOOST_TEST(count("delivery") == (day <= 30 ? 2 : 0));
      BOOST_TEST(counted(tenant, delivery_state::succeeded) == 1);
      BOOST_TEST(counted(tenant, delivery_state::dead) == (day >= 30 ? 1 : 0));
    }
  }
  BOOST_TEST(alerts == 1);
  BOOST_TEST(!world.read(live).has_value());
}

BOOST_AUTO_TEST_CASE(without_a_time_the_databases_clock_decides) {
  const auto tenant = world.add_tenant();
  put(tenant, world.now() - days{32}, delivery_state::succeeded);
  put(tenant, world.now() - days{28}, delivery_state::succeeded);
  const auto failure = retain(on, {});
  BOOST_TEST(!failure, (failure ? failure->detail : ""));
  BOOST_TEST(count("delivery") == 1);
}

BOOST_AUTO_TEST_SUITE_END()
