#include "persistence/session.hpp"
#include "tests/persistence/postgres_world.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/test/unit_test.hpp>

#include <set>

using namespace postrider;
using namespace postrider::tests;
using namespace std::chrono_literals;

namespace {

outcome_write success_of(const planned_delivery& ride, const std::shared_ptr<recorded_results>& owner, wall_time now) {
  outcome_write out;
  out.delivery = ride.id;
  out.under = ride.under;
  out.owner = owner;
  out.number = 1;
  out.attempt = {now, 3ms, attempt_outcome::succeeded, attempt_reason::none, 200, {}};
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(store_faults)

BOOST_AUTO_TEST_CASE(connections_lost_at_any_moment_neither_lose_nor_repeat_anything) {
  postgres_world world;
  const auto tenant = world.add_tenant();
  const auto under = world.fence_of(tenant.shard);
  const auto owner = std::make_shared<recorded_results>();
  constexpr std::size_t count = 3'000;
  std::vector<event_id> events;
  std::set<event_id> recorded;
  std::size_t written = 0;
  const auto record_answered = [&] {
    std::vector<outcome_write> writes;
    for (const auto id : events) {
      const auto* answer = world.events().answered(id);
      if (answer == nullptr || !recorded.insert(id).second)
        continue;
      for (const auto& each : answer->deliveries)
        if (each.ride)
          writes.push_back(success_of(each, owner, world.now()));
    }
    written += writes.size();
    world.subject().record(std::move(writes));
  };
  for (std::size_t i = 0; i < count; ++i) {
    auto item = make_accept_item(world.now(), tenant, std::to_string(i), 1, under);
    item->deadline = std::chrono::steady_clock::now() + 60s;
    events.push_back(item->what->id);
    BOOST_REQUIRE(world.subject().accept(item));
    if (i % 100 == 50)
      for (const auto& role : {"accept", "outcome"})
        for (const auto pid : world.backends(role))
          postgres_fixture::instance().kill_backend(pid);
    if (i % 20 == 0)
      record_answered();
  }
  BOOST_REQUIRE(tests::eventually([&] { return world.events().answered_count() == count; }, 60s));
  record_answered();
  BOOST_REQUIRE(tests::eventually([&] { return owner->count() == written; }, 60s));

  for (const auto id : events)
    BOOST_REQUIRE((world.events().answered(id)->outcome == accept_outcome::accepted));
  BOOST_TEST(world.sql("select count(*) from event")[0][0].as<std::size_t>() == count);
  BOOST_TEST(world.sql("select count(*) from dedupe")[0][0].as<std::size_t>() == count);
  BOOST_TEST(world.sql("select count(*) from delivery")[0][0].as<std::size_t>() == 2 * count);
  BOOST_TEST(world.sql("select count(*) from delivery_attempt")[0][0].as<std::size_t>() == written);
  // A ride that was reported as one is one, and a delivery that was not is waiting for its claim.
  BOOST_TEST(world.sql("select count(*) from delivery where state = 3 and attempt_count = 1")[0][0].as<std::size_t>() ==
             written);
  BOOST_TEST(world.sql("select count(*) from delivery where state = 0 and attempt_count = 0")[0][0].as<std::size_t>() ==
             2 * count - written);
  for (const auto id : events)
    for (const auto& each : world.events().answered(id)->deliveries)
      if (each.ride)
        BOOST_REQUIRE(owner->of(each.id)->recorded);
  BOOST_TEST(world.counters(tenant.no) == world.counted(tenant.no), boost::test_tools::per_element());
  BOOST_TEST(world.counts->store_reconnects.value() > 0U);
  BOOST_TEST(world.counts->store_in_doubt.value() > 0U);
}

BOOST_AUTO_TEST_CASE(a_database_that_is_away_costs_events_their_deadline_and_outcomes_nothing) {
  postgres_fixture server{{}};
  postgres_world world{{.server = &server}};
  const auto tenant = world.add_tenant();
  const auto under = world.fence_of(tenant.shard);
  auto item = make_accept_item(world.now(), tenant, "before", 1, under);
  const auto before = item->what->id;
  BOOST_REQUIRE(world.subject().accept(item));
  BOOST_REQUIRE(world.eventually([&] { return world.events().answered(before) != nullptr; }));

  server.stop();
  BOOST_REQUIRE(world.eventually([&] { return !world.events().available() && world.events().held().empty(); }));
  BOOST_TEST(!world.trust->holds(boottime_ns()));
  item = make_accept_item(world.now(), tenant, "meanwhile");
  item->deadline = std::chrono::steady_clock::now() + 300ms;
  const auto meanwhile = item->what->id;
  BOOST_REQUIRE(world.subject().accept(item));
  BOOST_REQUIRE(world.eventually([&] { return world.events().answered(meanwhile) != nullptr; }));
  BOOST_TEST((world.events().answered(meanwhile)->outcome == accept_outcome::unavailable));

  const auto owner = std::make_shared<recorded_results>();
  world.subject().record({success_of(world.events().answered(before)->deliveries[0], owner, world.now())});
  std::atomic<bool> refused{false};
  world.subject().claim({}, [&](claim_result result) { refused = !result.available; });
  BOOST_TEST(world.eventually([&] { return refused.load(); }));
  BOOST_TEST(owner->count() == 0U);

  server.start();
  BOOST_REQUIRE(world.eventually([&] { return world.events().available(); }));
  BOOST_REQUIRE(world.eventually([&] { return owner->count() == 1U; }));
  BOOST_TEST(owner->of(world.events().answered(before)->deliveries[0].id)->recorded);
  BOOST_REQUIRE(world.eventually([&] { return world.events().held().size() == shard_count; }));
  BOOST_TEST(world.fence_of(tenant.shard) == under); // nobody else took it meanwhile
}

BOOST_AUTO_TEST_CASE(a_database_that_never_answers_holds_no_event_past_its_deadline) {
  postgres_fixture server{{}};
  postgres_world world{{.server = &server}};
  const auto tenant = world.add_tenant();
  server.freeze();
  std::vector<event_id> events;
  for (int i = 0; i < 20; ++i) {
    auto item = make_accept_item(world.now(), tenant, std::to_string(i), 1, world.fence_of(tenant.shard));
    item->deadline = std::chrono::steady_clock::now() + 500ms;
    events.push_back(item->what->id);
    BOOST_REQUIRE(world.subject().accept(item));
  }
  BOOST_TEST(world.eventually([&] { return world.events().answered_count() == events.size(); }));
  for (const auto id : events)
    BOOST_TEST((world.events().answered(id)->outcome == accept_outcome::unavailable));
  BOOST_TEST(world.eventually([&] { return world.counts->store_call_timeouts.value() > 0; }));
  BOOST_TEST(world.eventually([&] { return !world.events().available(); }));
  server.thaw();
  BOOST_REQUIRE(world.eventually([&] { return world.events().available(); }));
  auto item = make_accept_item(world.now(), tenant, "after");
  const auto after = item->what->id;
  BOOST_REQUIRE(world.subject().accept(item));
  BOOST_REQUIRE(world.eventually([&] { return world.events().answered(after) != nullptr; }));
  BOOST_TEST((world.events().answered(after)->outcome == accept_outcome::accepted));
}

BOOST_AUTO_TEST_CASE(the_watchdog_ends_a_call_that_is_past_its_deadline) {
  watchdog dog;
  metrics counts;
  session_options options;
  options.url = postgres_fixture::instance().fresh_database();
  options.role = "watched";
  options.call_deadline = 200ms;
  session on{options, dog, counts};
  BOOST_REQUIRE(!on.connect());
  const auto slept =
    on.call([](pqxx::connection_base& connection) { pqxx::nontransaction{connection}.exec("select pg_sleep(4)"); });
  BOOST_REQUIRE(!slept.has_value());
  BOOST_TEST((slept.error().what == session_failure::kind::lost));
  BOOST_TEST(!on.connected());
  BOOST_TEST(counts.store_call_timeouts.value() == 1U);
  BOOST_TEST(!on.connect());
  BOOST_TEST(on.connected());
}

BOOST_AUTO_TEST_CASE(a_server_that_accepts_and_says_nothing_fails_to_connect_in_time) {
  boost::asio::io_context io;
  boost::asio::ip::tcp::acceptor silent{io, {boost::asio::ip::address_v4::loopback(), 0}};
  watchdog dog;
  metrics counts;
  session_options options;
  options.url =
    "postgresql://nobody@127.0.0.1:" + std::to_string(silent.local_endpoint().port()) + "/none?sslmode=disable";
  options.role = "silent";
  options.connect_timeout = 2s;
  session on{options, dog, counts};
  const auto failure = on.connect();
  BOOST_REQUIRE(failure.has_value());
  BOOST_TEST((failure->what == session_failure::kind::lost));
}

BOOST_AUTO_TEST_CASE(what_a_failure_means_is_told_apart) {
  watchdog dog;
  metrics counts;
  session_options options;
  options.url = postgres_fixture::instance().fresh_database();
  options.role = "classes";
  options.statement_timeout = 100ms;
  session on{options, dog, counts};
  BOOST_REQUIRE(!on.connect());
  const auto fails = [&](const std::string& sql) {
    const auto done = on.call([&](pqxx::connection_base& connection) { pqxx::nontransaction{connection}.exec(sql); });
    BOOST_REQUIRE(!done.has_value());
    return done.error();
  };
  using enum session_failure::kind;
  BOOST_TEST((fails("select 1/0").what == rejected));
  BOOST_TEST(fails("select 1/0").sqlstate == "22012");
  BOOST_TEST((fails("insert into cluster_setting (name) values ('x')").what == rejected));
  BOOST_TEST((fails("select pg_sleep(2)").what == busy));
  BOOST_TEST((fails("select from no_such_table").what == mistake));
  // A day without its partition is not the row's fault.
  BOOST_TEST((fails("insert into dedupe values (gen_random_uuid(), gen_random_uuid(), '2001-01-01')").what == busy));
  BOOST_TEST((fails("select pg_terminate_backend(pg_backend_pid())").what == lost));
  BOOST_TEST(!on.connected());
}

BOOST_AUTO_TEST_CASE(a_full_queue_leaves_the_event_with_its_caller) {
  postgres_fixture server{{}};
  postgres_world world{{.server = &server}};
  const auto tenant = world.add_tenant();
  server.stop();
  BOOST_REQUIRE(world.eventually([&] { return !world.events().available(); }));
  std::size_t taken = 0;
  for (int i = 0; i < 5'000; ++i) {
    auto item = make_accept_item(world.now(), tenant, std::to_string(i));
    item->deadline = std::chrono::steady_clock::now() + 60s;
    if (!world.subject().accept(item)) {
      BOOST_TEST(item != nullptr);
      break;
    }
    ++taken;
  }
  BOOST_TEST(taken == 3'277U); // four fifths of the queue: others find room
  // Ending the store answers every one of them.
  world.real().close_accepting(0ms);
  BOOST_TEST(world.events().answered_count() == taken);
}

BOOST_AUTO_TEST_SUITE_END()
