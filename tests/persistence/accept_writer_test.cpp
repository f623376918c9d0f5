#include "persistence/accept_batch.hpp"
#include "persistence/accept_writer.hpp"
#include "persistence/outcome_writer.hpp"
#include "tests/persistence/postgres_world.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace postrider::tests;
using namespace std::chrono_literals;

namespace {

/// One accept writer whose batches the test makes up: what is pushed before `start` is one batch.
struct writing {
  writing() {
    world.sql("update shard_lease set fence = 77, owner = gen_random_uuid(), expires_at = clock_timestamp() + interval "
              "'1 hour'");
  }
  void start(milliseconds statement_timeout = 4s) {
    session_options options;
    options.url = world.url();
    options.role = "accept";
    options.pinned_plans = true;
    options.statement_timeout = options.lock_timeout = statement_timeout;
    options.statements = accept_statements();
    writer.emplace(
      accept_environment{queue, events, rides, reports, counts, *world.clock, [this] { ++partitions_asked; }}, options,
      dog, &progress);
  }
  event_id push(accept_item_ptr item, std::chrono::milliseconds patience) {
    item->deadline = std::chrono::steady_clock::now() + patience;
    const auto id = item->what->id;
    std::vector<delivery_id> riding;
    for (const auto& each : item->deliveries)
      if (each.ride)
        riding.push_back(each.id);
    rides.add(riding);
    BOOST_REQUIRE(queue.push(item));
    return id;
  }
  accept_outcome outcome_of(event_id id) {
    BOOST_REQUIRE(eventually([&] { return events.answered(id) != nullptr; }));
    return events.answered(id)->outcome;
  }

  bool waits_for_a_lock() {
    return !world
              .sql("select from pg_stat_activity where application_name = 'postrider accept'"
                   " and datname = current_database() and wait_event_type = 'Lock'")
              .empty();
  }

  postgres_world world{{.start = false}};
  conformance_tenant tenant = world.add_tenant();
  watchdog dog;
  metrics counts;
  pulse progress;
  recorded_events events;
  availability reports{events, counts};
  open_rides rides;
  std::atomic<int> partitions_asked{0};
  accept_queue queue{{}, counts, [this](std::vector<queued_accept> late) {
                       for (auto& each : late)
                         each.item->outcome = accept_outcome::unavailable;
                       publish_accepts({queue, events, rides, reports, counts, *world.clock, [] {}}, std::move(late));
                     }};
  std::optional<accept_writer> writer;
};

/// Somebody else is just inserting that item's key, and has not committed.
struct key_in_the_way {
  key_in_the_way(postgres_world& world, const accept_item& item) : connection{world.url()}, transaction{connection} {
    for (const int back : {0, 1}) // around midnight both days count
      transaction.exec("insert into dedupe values ('" + to_string(item.dedupe_key) +
                       "', gen_random_uuid(), (now() at time zone 'UTC')::date - " + std::to_string(back) + ")");
  }
  pqxx::connection connection;
  pqxx::work transaction;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(accept_writers, writing)

BOOST_AUTO_TEST_CASE(an_item_in_doubt_is_not_called_stale_while_its_old_backend_may_still_commit) {
  auto blocked = make_accept_item(world.now(), tenant, "blocked", 1, 77);
  key_in_the_way other{world, *blocked};
  const auto ride = blocked->deliveries[0].id;
  const auto id = push(std::move(blocked), 60s);
  // Its deadline has the call cut while PostgreSQL waits for the key.
  const auto hasty = push(make_accept_item(world.now(), tenant, "hasty"), 1'500ms);
  start(60s);
  BOOST_REQUIRE(eventually([&] { return waits_for_a_lock(); }));
  world.change_tenant(tenant);
  BOOST_TEST((outcome_of(hasty) == accept_outcome::unavailable));
  BOOST_TEST(counts.store_in_doubt.value() >= 2U);
  const auto batches = counts.accept_batches.value();
  BOOST_REQUIRE(
    eventually([&] { return counts.accept_batches.value() > batches + 1 || events.answered(id) != nullptr; }));
  BOOST_TEST(events.answered(id) == nullptr); // it was looked at under the new version, and not decided
  BOOST_REQUIRE(waits_for_a_lock());
  other.transaction.abort(); // now the old backend goes on and commits
  BOOST_TEST((outcome_of(id) == accept_outcome::accepted));
  BOOST_TEST(world.has_event(id));
  BOOST_TEST((world.read(ride)->state == delivery_state::in_flight));
  BOOST_TEST(events.answered(id)->deliveries[0].ride);
}

BOOST_AUTO_TEST_CASE(a_key_that_somebody_commits_meanwhile_leaves_out_its_event_alone) {
  const auto theirs = make_accept_item(world.now(), tenant, "same");
  pqxx::connection connection{world.url()};
  pqxx::work transaction{connection};
  const auto their_id = "'" + to_string(theirs->what->id.value) + "'";
  for (const int back : {0, 1}) // around midnight both days count
    transaction.exec("insert into dedupe values ('" + to_string(theirs->dedupe_key) + "', " + their_id +
                     ", (now() at time zone 'UTC')::date - " + std::to_string(back) + ")");
  transaction.exec("insert into event (id, tenant_no, source_no, type, provider_event_id, content_type, headers,"
                   " forward_headers, body) values (" +
                   their_id + ", " + std::to_string(tenant.no) + ", 1, 't', 'same', '', '', '', '')");
  const auto one = push(make_accept_item(world.now(), tenant, "one"), 30s);
  const auto same = push(make_accept_item(world.now(), tenant, "same"), 30s);
  const auto two = push(make_accept_item(world.now(), tenant, "two"), 30s);
  start();
  BOOST_REQUIRE(eventually([&] { return waits_for_a_lock(); }));
  transaction.commit();
  BOOST_TEST((outcome_of(one) == accept_outcome::accepted));
  BOOST_TEST((outcome_of(two) == accept_outcome::accepted));
  BOOST_TEST((outcome_of(same) == accept_outcome::duplicate));
  BOOST_TEST((events.answered(same)->first == theirs->what->id));
}

BOOST_AUTO_TEST_CASE(an_event_that_a_batch_has_twice_is_one) {
  const std::array ids{push(make_accept_item(world.now(), tenant, "same"), 30s),
                       push(make_accept_item(world.now(), tenant, "other"), 30s),
                       push(make_accept_item(world.now(), tenant, "same"), 30s)};
  start();
  BOOST_TEST((outcome_of(ids[1]) == accept_outcome::accepted));
  const bool first = outcome_of(ids[0]) == accept_outcome::accepted;
  const auto& duplicate = *events.answered(ids[first ? 2 : 0]);
  BOOST_TEST((outcome_of(ids[first ? 0 : 2]) == accept_outcome::accepted));
  BOOST_TEST((outcome_of(ids[first ? 2 : 0]) == accept_outcome::duplicate));
  BOOST_TEST((duplicate.first == ids[first ? 0 : 2]));
}

BOOST_AUTO_TEST_CASE(an_item_that_stays_in_doubt_is_unavailable_and_its_ride_is_still_looked_for) {
  auto blocked = make_accept_item(world.now(), tenant, "blocked", 1, 77);
  key_in_the_way other{world, *blocked};
  const auto id = push(std::move(blocked), 3s);
  push(make_accept_item(world.now(), tenant, "hasty"), 1'500ms);
  start(60s);
  BOOST_REQUIRE(eventually([&] { return waits_for_a_lock(); }));
  world.change_tenant(tenant);
  BOOST_TEST((outcome_of(id) == accept_outcome::unavailable));
  BOOST_TEST(!events.answered(id)->deliveries[0].ride);
  BOOST_TEST(rides.size() == 1U);
}

BOOST_AUTO_TEST_CASE(an_event_of_a_day_without_partitions_holds_up_no_other) {
  const auto nowhere = push(make_accept_item(world.now() + 24h * 30, tenant, "nowhere"), 3s);
  std::vector<event_id> others;
  for (int i = 0; i < 20; ++i)
    others.push_back(push(make_accept_item(world.now(), tenant, std::to_string(i)), 20s));
  start();
  for (const auto id : others)
    BOOST_TEST((outcome_of(id) == accept_outcome::accepted));
  BOOST_TEST(events.answered(nowhere) == nullptr);
  BOOST_TEST((outcome_of(nowhere) == accept_outcome::unavailable));
  BOOST_TEST(partitions_asked > 0);
}

BOOST_AUTO_TEST_CASE(a_batch_that_takes_too_long_is_divided_until_the_slow_one_is_alone) {
  world.sql("create function slow() returns trigger language plpgsql as $$ begin"
            " if new.provider_event_id = 'slow' then perform pg_sleep(60); end if; return new; end $$;"
            "create trigger slow before insert on event for each row execute function slow()");
  const auto slow = push(make_accept_item(world.now(), tenant, "slow"), 60s);
  std::vector<event_id> others;
  for (int i = 0; i < 3; ++i)
    others.push_back(push(make_accept_item(world.now(), tenant, std::to_string(i)), 60s));
  start();
  for (const auto id : others) {
    BOOST_REQUIRE(eventually([&] { return events.answered(id) != nullptr; }, 30s));
    BOOST_TEST((events.answered(id)->outcome == accept_outcome::accepted));
  }
  BOOST_TEST(events.answered(slow) == nullptr);
  world.sql("drop trigger slow on event");
  BOOST_TEST(eventually([&] { return events.answered(slow) != nullptr; }, 30s));
}

BOOST_AUTO_TEST_CASE(a_batch_ends_at_so_many_rows_whatever_its_events) {
  const auto with_deliveries = [&](std::size_t count) {
    auto item = make_accept_item(world.now(), tenant, "x");
    item->deliveries.resize(count);
    item->deadline = std::chrono::steady_clock::now() + 60s;
    return item;
  };
  for (const std::size_t count : {3'000U, 3'000U, 500U, 10'000U, 1U}) {
    auto item = with_deliveries(count);
    BOOST_REQUIRE(queue.push(item));
  }
  const auto size = [&] { return queue.take(std::chrono::steady_clock::now() + 1s).size(); };
  BOOST_TEST(size() == 1U);
  BOOST_TEST(size() == 2U);
  BOOST_TEST(size() == 1U); // more than a batch by itself
  BOOST_TEST(size() == 1U);
}

BOOST_AUTO_TEST_CASE(what_is_put_aside_comes_back_in_its_time_and_expires_like_the_rest) {
  auto item = make_accept_item(world.now(), tenant, "aside");
  const auto first = push(std::move(item), 60s);
  auto batch = queue.take(std::chrono::steady_clock::now());
  BOOST_REQUIRE(batch.size() == 1U);
  batch[0].not_before = std::chrono::steady_clock::now() + 200ms;
  queue.put_back(std::move(batch));
  BOOST_TEST(queue.take(std::chrono::steady_clock::now()).empty());
  batch = queue.take(std::chrono::steady_clock::now() + 10s);
  BOOST_REQUIRE(batch.size() == 1U);
  BOOST_TEST((batch[0].item->what->id == first));
  batch[0].not_before = std::chrono::steady_clock::now() + 1h;
  batch[0].item->deadline = std::chrono::steady_clock::now() + 10ms;
  queue.put_back(std::move(batch));
  BOOST_TEST((outcome_of(first) == accept_outcome::unavailable));
}

BOOST_AUTO_TEST_CASE(a_database_that_refuses_each_event_is_no_progress) {
  const auto poisoned = [&](const char* name) {
    auto item = make_accept_item(world.now(), tenant, name);
    auto what = std::make_shared<event>(*item->what);
    what->type = "no\xfftext";
    item->what = what;
    return item;
  };
  const std::vector bad{push(poisoned("a"), 60s), push(poisoned("b"), 60s)};
  start();
  for (const auto id : bad)
    BOOST_TEST((outcome_of(id) == accept_outcome::rejected));
  BOOST_TEST(!progress.last().has_value()); // told before the answers
  const auto good = push(make_accept_item(world.now(), tenant, "c"), 60s);
  BOOST_TEST((outcome_of(good) == accept_outcome::accepted));
  BOOST_TEST(progress.last().has_value());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(outcome_writers)

BOOST_AUTO_TEST_CASE(a_database_that_refuses_each_outcome_is_no_progress) {
  postgres_world world{{.start = false}};
  watchdog dog;
  metrics counts;
  pulse progress;
  recorded_events events;
  availability reports{events, counts};
  open_rides rides;
  record_queue queue{counts};
  session_options options;
  options.url = world.url();
  options.role = "outcome";
  options.statements = record_statements();
  const auto owner = std::make_shared<recorded_results>();
  const auto write_at = [&](wall_time started, std::uint8_t salt) {
    outcome_write write;
    write.delivery = {make_uuid_v7(world.now(), {1, 2, salt})};
    write.owner = owner;
    write.number = 1;
    write.attempt = {started, 3ms, attempt_outcome::succeeded, attempt_reason::none, 200, {}};
    return write;
  };
  const wall_time too_early{-24h * 365 * 7'000}; // before the first time that PostgreSQL knows
  queue.push({write_at(too_early, 1), write_at(too_early, 2), write_at(too_early, 3)});
  outcome_writer writer{queue, rides, reports, counts, options, dog, &progress};
  BOOST_REQUIRE(eventually([&] { return owner->count() == 3U; }));
  queue.push({write_at(too_early, 4)});
  BOOST_REQUIRE(eventually([&] { return owner->count() == 4U; })); // so the first batch is over
  BOOST_TEST(!progress.last().has_value());
  queue.push({write_at(too_early, 5), write_at(world.now(), 6)}); // one of them is committed
  BOOST_REQUIRE(eventually([&] { return owner->count() == 6U; }));
  BOOST_TEST(eventually([&] { return progress.last().has_value(); }));
}

BOOST_AUTO_TEST_CASE(a_ride_whose_outcome_the_database_refuses_is_still_looked_for) {
  postgres_world world{{.start = false}};
  watchdog dog;
  metrics counts;
  recorded_events events;
  availability reports{events, counts};
  open_rides rides;
  record_queue queue{counts};
  session_options options;
  options.url = world.url();
  options.role = "outcome";
  options.statements = record_statements();
  outcome_writer writer{queue, rides, reports, counts, options, dog};
  const auto owner = std::make_shared<recorded_results>();
  outcome_write write;
  write.delivery = {make_uuid_v7(world.now(), {1, 2, 3})};
  write.owner = owner;
  write.number = 1;
  write.attempt = {wall_time{-24h * 365 * 7'000}, 3ms, attempt_outcome::succeeded, attempt_reason::none, 200, {}};
  const std::vector riding{write.delivery};
  rides.add(riding);
  queue.push({write});
  BOOST_REQUIRE(eventually([&] { return owner->count() == 1U; })); // before the first time that PostgreSQL knows
  BOOST_TEST(!owner->of(write.delivery)->recorded);
  BOOST_TEST(rides.size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
