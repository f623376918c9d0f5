#include "persistence/accept_batch.hpp"
#include "persistence/maintenance.hpp"
#include "persistence/open_rides.hpp"
#include "persistence/shard_table.hpp"
#include "tests/persistence/postgres_world.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace postrider::tests;
using namespace std::chrono_literals;

namespace {

struct maintained {
  maintained() { BOOST_REQUIRE(!on.connect()); }
  static session_options options_for(const std::string& url) {
    session_options out;
    out.url = url;
    out.role = "maintenance test";
    out.pinned_plans = true;
    out.statements = accept_statements();
    return out;
  }
  postgres_world world{{.start = false}};
  watchdog dog;
  metrics counts;
  session on{options_for(world.url()), dog, counts};
};

std::vector<queued_accept> batch_of(postgres_world& world, const conformance_tenant& tenant, int first, int count) {
  std::vector<queued_accept> out;
  for (int i = first; i < first + count; ++i)
    out.push_back({make_accept_item(world.now(), tenant, std::to_string(i)), 1'000, false});
  return out;
}

delivery_id id_at(wall_time at) {
  return {make_uuid_v7(at, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})};
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(store_maintenance, maintained)

BOOST_AUTO_TEST_CASE(partitions_of_the_days_ahead_are_created_where_they_are_missing) {
  const auto partitions = [&] {
    return world
      .sql("select count(*) from pg_inherits where inhparent in ('event'::regclass, 'delivery'::regclass, "
           "'attempt'::regclass,"
           " 'dedupe'::regclass)")[0][0]
      .as<int>();
  };
  BOOST_TEST(partitions() == 4 * 5);
  for (const auto* parent : {"event", "delivery", "attempt", "dedupe"})
    world.sql("do $$ begin execute format('drop table " + std::string{parent} +
              "_%s', to_char((clock_timestamp() at time zone 'UTC')::date + 2, 'YYYYMMDD')); end $$");
  BOOST_TEST(partitions() == 4 * 4);
  BOOST_TEST(!ensure_partitions(on));
  BOOST_TEST(partitions() == 4 * 5);
  BOOST_TEST(!ensure_partitions(on));
  BOOST_TEST(partitions() == 4 * 5);
}

BOOST_AUTO_TEST_CASE(a_store_that_starts_creates_the_partition_it_writes_into) {
  const auto tenant = world.add_tenant();
  world.sql("do $$ begin execute format('drop table delivery_%s', to_char((clock_timestamp() at time zone "
            "'UTC')::date, 'YYYYMMDD'));"
            " end $$");
  BOOST_REQUIRE(world.start().has_value());
  BOOST_REQUIRE(world.wait_until_ready());
  auto item = make_accept_item(world.now(), tenant, "one");
  const auto id = item->what->id;
  BOOST_REQUIRE(world.subject().accept(item));
  BOOST_REQUIRE(world.eventually([&] { return world.events().answered(id) != nullptr; }));
  BOOST_TEST((world.events().answered(id)->outcome == accept_outcome::accepted));
}

BOOST_AUTO_TEST_CASE(folding_the_counters_changes_no_sum) {
  const auto tenant = world.add_tenant();
  world.sql("insert into tenant_counter select " + std::to_string(tenant.no) +
            ", 3, 1, 1, 1, 0, 0, 0 from generate_series(1, 200)");
  const auto before = world.counters(tenant.no);
  BOOST_TEST(!fold_counters(on));
  BOOST_TEST(world.counters(tenant.no) == before, boost::test_tools::per_element());
  BOOST_TEST(world.sql("select count(*) from tenant_counter")[0][0].as<int>() == 1);
}

BOOST_AUTO_TEST_CASE(dedupe_tables_past_the_window_are_dropped) {
  world.sql("select create_partitions_of((clock_timestamp() at time zone 'UTC')::date - 20)");
  world.sql("select create_partitions_of((clock_timestamp() at time zone 'UTC')::date - 8)");
  BOOST_TEST(!drop_expired(on));
  BOOST_TEST(world.sql("select count(*) from pg_inherits where inhparent = 'dedupe'::regclass")[0][0].as<int>() == 6);
  BOOST_TEST(world.sql("select count(*) from pg_inherits where inhparent = 'event'::regclass")[0][0].as<int>() ==
             7); // not its business
}

BOOST_AUTO_TEST_CASE(a_detachment_that_was_cut_short_is_finished) {
  for (const int day : {20, 21})
    world.sql("select create_partitions_of((clock_timestamp() at time zone 'UTC')::date - " + std::to_string(day) +
              ")");
  const auto old =
    world.sql("select 'dedupe_' || to_char((clock_timestamp() at time zone 'UTC')::date - 20, 'YYYYMMDD')")[0][0]
      .as<std::string>();
  {
    pqxx::connection reader{world.url()};
    pqxx::work reading{reader};
    reading.exec("select from " + old); // the second phase waits for it
    pqxx::connection beside{world.url()};
    pqxx::nontransaction detaching{beside};
    detaching.exec("set lock_timeout = 200");
    BOOST_CHECK_THROW(detaching.exec("alter table dedupe detach partition " + old + " concurrently"), pqxx::sql_error);
  }
  BOOST_REQUIRE(world.sql("select count(*) from pg_inherits where inhdetachpending")[0][0].as<int>() == 1);
  // One that was detached and not dropped.
  world.sql("create table dedupe_20010101 (like dedupe)");
  const auto failure = drop_expired(on);
  BOOST_TEST(!failure, (failure ? failure->detail : ""));
  BOOST_TEST(
    world.sql("select count(*) from pg_class where relkind = 'r' and relname like 'dedupe_2%'")[0][0].as<int>() == 5);
  BOOST_TEST(world.sql("show lock_timeout")[0][0].as<std::string>() == "0"); // of the connection beside it: untouched
  const auto timeout = on.call([](pqxx::connection_base& connection) {
    return pqxx::nontransaction{connection}.exec1("show lock_timeout")[0].as<std::string>();
  });
  BOOST_TEST(timeout.value() == "2s");
}

BOOST_AUTO_TEST_CASE(past_days_are_frozen_once) {
  world.sql("select create_partitions_of((clock_timestamp() at time zone 'UTC')::date - 3)");
  world.sql(
    "insert into dedupe select gen_random_uuid(), gen_random_uuid(), (clock_timestamp() at time zone 'UTC')::date - 3"
    " from generate_series(1, 100)");
  const auto frozen = [&] {
    return world
      .sql("select count(*) from pg_stat_user_tables where relname like 'dedupe_%' and last_vacuum is not null")[0][0]
      .as<int>();
  };
  BOOST_TEST(world.eventually([&] { return !freeze_past_days(on) && frozen() == 1; }));
}

BOOST_AUTO_TEST_CASE(around_midnight_a_key_is_taken_in_both_days) {
  const auto tenant = world.add_tenant();
  const auto first = batch_of(world, tenant, 0, 10);
  const auto wrote = write_accepts(on, first, true);
  BOOST_REQUIRE(wrote.has_value());
  BOOST_TEST(wrote->events == 10U);
  BOOST_TEST(world.sql("select count(*), count(distinct day), count(distinct key) from dedupe")[0][0].as<int>() == 20);
  // Again in either way of writing: five of them are duplicates, and are found to be.
  for (const bool midnight : {true, false}) {
    const auto again = batch_of(world, tenant, midnight ? 5 : 10, 10);
    const auto more = write_accepts(on, again, midnight);
    BOOST_REQUIRE(more.has_value());
    if (!midnight && more->events == 0)
      continue; // the test runs in the first minute of a day
    BOOST_TEST(more->events == 5U);
    const auto found = find_accepts(on, again);
    BOOST_REQUIRE(found.has_value());
    for (std::size_t i = 0; i < 5; ++i) {
      BOOST_REQUIRE(!found->events[i].empty());
      BOOST_TEST((found->events[i][0] != again[i].item->what->id));
      BOOST_TEST(found->version_current[i]);
    }
    for (std::size_t i = 5; i < 10; ++i)
      BOOST_TEST((found->events[i].at(0) == again[i].item->what->id));
  }
}

BOOST_AUTO_TEST_CASE(a_key_of_an_earlier_day_within_the_window_is_a_duplicate) {
  const auto tenant = world.add_tenant();
  const auto first = batch_of(world, tenant, 0, 2);
  BOOST_REQUIRE(write_accepts(on, first, true).has_value());
  world.sql("select create_partitions_of((clock_timestamp() at time zone 'UTC')::date - 6)");
  world.sql("delete from dedupe where day = (clock_timestamp() at time zone 'UTC')::date");
  world.sql("update dedupe set day = (clock_timestamp() at time zone 'UTC')::date - 6"
            " where event_id = '" +
            to_string(first[0].item->what->id.value) + "'");
  const auto again = batch_of(world, tenant, 0, 3);
  const auto wrote = write_accepts(on, again, false);
  BOOST_REQUIRE(wrote.has_value());
  if (!find_accepts(on, again)->first_minute_of_day)
    BOOST_TEST(wrote->events == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(store_bookkeeping)

BOOST_AUTO_TEST_CASE(the_low_water_is_below_every_open_ride) {
  const wall_time now{1'000h};
  open_rides rides;
  BOOST_TEST((rides.low_water(now, 30s) == least_uuid_v7(now - 30s)));
  const std::vector old{id_at(now - 90s)}, young{id_at(now - 1s)};
  rides.add(old);
  rides.add(young);
  rides.add(young); // twice is once
  BOOST_TEST(rides.size() == 2U);
  BOOST_TEST((rides.low_water(now, 30s) <= old[0].value));
  rides.remove(old);
  BOOST_TEST((rides.low_water(now, 30s) == least_uuid_v7(now - 30s)));
  rides.remove(old); // not there: nothing
  BOOST_TEST((rides.oldest(now) <= now - 1s));
  rides.forget_before(now);
  BOOST_TEST(rides.size() == 0U);
  BOOST_TEST((rides.oldest(now) == now));
}

BOOST_AUTO_TEST_CASE(a_taken_shard_is_swept_three_times_before_its_low_water_moves) {
  const mono_time now{1'000h};
  shard_table shards;
  const std::vector<shard_table::taken> taken{{{4, 2, make_fence(2, 9)}, {}}};
  shards.take(taken, now);
  BOOST_TEST(shards.held().size() == 1U);
  BOOST_TEST(shards.missing().size() == static_cast<std::size_t>(shard_count - 1));
  for (const auto at : {0s, 10s, 70s}) {
    BOOST_TEST(!shards.settled(4));
    BOOST_TEST((at == 0s || shards.due_sweeps(now + at - 1s).empty()));
    const auto due = shards.due_sweeps(now + at);
    BOOST_REQUIRE(due.size() == 1U);
    shards.swept(due[0]);
    shards.swept(due[0]); // the same round counts once
  }
  BOOST_TEST(shards.settled(4));
  BOOST_TEST(shards.due_sweeps(now + 1h).empty());
  shards.drop(std::vector<shard_no>{4});
  BOOST_TEST(shards.held().empty());
  BOOST_TEST(!shards.settled(4));
}

BOOST_AUTO_TEST_SUITE_END()
