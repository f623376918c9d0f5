#include "tests/persistence/postgres_world.hpp"

#include <boost/test/unit_test.hpp>

#include <future>
#include <thread>

using namespace postrider;
using namespace postrider::tests;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(store_crash)

BOOST_AUTO_TEST_CASE(a_server_that_crashes_under_load_loses_nothing_that_was_answered) {
  postgres_fixture server{{}};
  postgres_world world{{.server = &server}};
  const auto tenant = world.add_tenant();
  const auto under = world.fence_of(tenant.shard);
  std::vector<event_id> events;
  for (const auto mode : {postgres_fixture::restart_mode::immediate, postgres_fixture::restart_mode::kill}) {
    std::atomic<bool> back{false};
    std::thread crash{[&] {
      server.restart(mode);
      back = true;
    }};
    std::size_t after = 0;
    while (after < 200) {
      auto item = make_accept_item(world.now(), tenant, std::to_string(events.size()), 1, under);
      item->deadline = std::chrono::steady_clock::now() + 60s;
      const auto id = item->what->id;
      if (world.subject().accept(item)) {
        events.push_back(id);
        after += back ? 1U : 0U;
      }
      std::this_thread::yield();
    }
    crash.join();
    BOOST_REQUIRE(tests::eventually([&] { return world.events().answered_count() == events.size(); }, 60s));
    BOOST_REQUIRE(tests::eventually(
      [&] { return world.events().available() && world.events().held().size() == shard_count; }, 60s));
    world.reconnect();
  }
  for (const auto id : events)
    BOOST_REQUIRE((world.events().answered(id)->outcome == accept_outcome::accepted));
  BOOST_TEST(world.sql("select count(*) from event")[0][0].as<std::size_t>() == events.size());
  BOOST_TEST(world.sql("select count(*) from dedupe")[0][0].as<std::size_t>() == events.size());
  BOOST_TEST(world.sql("select count(*) from delivery")[0][0].as<std::size_t>() == 2 * events.size());
  BOOST_TEST(world.counters(tenant.no) == world.counted(tenant.no), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(two_stores_that_race_for_the_same_events_make_each_of_them_once) {
  postgres_world first;
  postgres_world second{{.node = "n2", .url = first.url(), .start = false}};
  BOOST_REQUIRE(second.start().has_value());
  BOOST_REQUIRE(second.eventually([&] { return second.events().available(); }));
  const auto tenant = first.add_tenant();
  constexpr int count = 400;
  std::array<std::vector<event_id>, 2> sent;
  std::array<postgres_world*, 2> stores{&first, &second};
  const auto send_all = [&](std::size_t to) {
    for (int i = 0; i < count; ++i) {
      auto item = make_accept_item(first.now(), tenant, std::to_string(to == 0 ? i : count - 1 - i));
      item->deadline = std::chrono::steady_clock::now() + 60s;
      sent[to].push_back(item->what->id);
      if (!stores[to]->subject().accept(item))
        sent[to].pop_back();
    }
  };
  std::thread beside{[&] { send_all(1); }};
  send_all(0);
  beside.join();
  std::size_t accepted = 0;
  for (std::size_t to = 0; to < 2; ++to) {
    BOOST_REQUIRE(sent[to].size() == static_cast<std::size_t>(count));
    BOOST_REQUIRE(tests::eventually([&] { return stores[to]->events().answered_count() == sent[to].size(); }, 60s));
  }
  for (std::size_t to = 0; to < 2; ++to) {
    for (std::size_t i = 0; i < sent[to].size(); ++i) {
      const auto& mine = *stores[to]->events().answered(sent[to][i]);
      const auto& other = *stores[1 - to]->events().answered(sent[1 - to][count - 1 - i]);
      if (mine.outcome == accept_outcome::accepted) {
        ++accepted;
        BOOST_TEST((other.outcome == accept_outcome::duplicate));
        BOOST_TEST((other.first == sent[to][i]));
      } else {
        BOOST_TEST((mine.outcome == accept_outcome::duplicate));
      }
    }
  }
  BOOST_TEST(accepted == static_cast<std::size_t>(count));
  BOOST_TEST(first.sql("select count(*) from event")[0][0].as<int>() == count);
}

BOOST_AUTO_TEST_CASE(a_server_that_takes_connections_and_no_writes_is_not_usable) {
  postgres_world world;
  const auto database = world.sql("select current_database()")[0][0].as<std::string>();
  world.sql("alter database " + database + " set default_transaction_read_only = on");
  for (const auto& role : {"accept", "outcome"})
    for (const auto pid : world.backends(role))
      postgres_fixture::instance().kill_backend(pid);
  const auto tenant = world.add_tenant();
  auto item = make_accept_item(world.now(), tenant, "one");
  const auto id = item->what->id;
  item->deadline = std::chrono::steady_clock::now() + 60s;
  BOOST_REQUIRE(world.subject().accept(item));
  BOOST_REQUIRE(world.eventually([&] { return !world.events().available(); }));
  const auto outages = world.events().outages();
  // Tried again and again, and not called usable in between.
  const auto reconnects = world.counts->store_reconnects.value();
  BOOST_REQUIRE(world.eventually([&] { return world.counts->store_reconnects.value() > reconnects + 2; }));
  BOOST_TEST(!world.events().available());
  BOOST_TEST(world.events().outages() == outages);
  world.sql("set default_transaction_read_only = off");
  world.sql("alter database " + database + " set default_transaction_read_only = off");
  BOOST_TEST(world.eventually([&] { return world.events().available(); }));
  BOOST_REQUIRE(world.eventually([&] { return world.events().answered(id) != nullptr; }));
  BOOST_TEST((world.events().answered(id)->outcome == accept_outcome::accepted));
}

BOOST_AUTO_TEST_CASE(a_claim_takes_no_more_bytes_than_it_may_and_at_least_one_delivery) {
  postgres_world world;
  const auto tenant = world.add_tenant();
  for (int i = 0; i < 5; ++i) {
    auto item = make_accept_item(world.now(), tenant, std::to_string(i));
    auto what = std::make_shared<event>(*item->what);
    what->body.assign(i == 0 ? 6'000'000 : 1'500'000, static_cast<char>('a' + i));
    item->what = what;
    BOOST_REQUIRE(world.subject().accept(item));
    BOOST_REQUIRE(world.eventually([&] { return world.events().answered(what->id) != nullptr; }));
  }
  std::vector<std::size_t> counts;
  for (std::size_t left = 5; left > 0 && counts.size() < 10;) {
    std::promise<claim_result> answer;
    world.subject().claim({tenant.no,
                           tenant.endpoints[0],
                           tenant.shard,
                           world.fence_of(tenant.shard),
                           world.now() + 1s,
                           world.now() + 1min,
                           256,
                           {}},
                          [&](claim_result result) { answer.set_value(std::move(result)); });
    const auto result = answer.get_future().get();
    BOOST_REQUIRE(!result.claimed.empty());
    left -= result.claimed.size();
    BOOST_TEST(result.next_due.has_value() == (left > 0));
    counts.push_back(result.claimed.size());
  }
  const std::vector<std::size_t> expected{1, 2, 2};
  BOOST_TEST(counts == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
