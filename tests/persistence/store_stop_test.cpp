#include "persistence/session_worker.hpp"
#include "tests/persistence/postgres_world.hpp"

#include <boost/test/unit_test.hpp>

#include <future>

using namespace postrider;
using namespace postrider::tests;
using namespace std::chrono_literals;

namespace {

session_options options_for(const std::string& url) {
  session_options out;
  out.url = url;
  out.role = "worker test";
  out.statement_timeout = 0ms; // none
  out.call_deadline = 10min;
  return out;
}

session_work running(std::string sql) {
  return [sql = std::move(sql)](session& on) -> std::optional<session_failure> {
    const auto done = on.call([&](pqxx::connection_base& connection) { pqxx::nontransaction{connection}.exec(sql); });
    return done ? std::nullopt : std::optional{done.error()};
  };
}

} // namespace

BOOST_AUTO_TEST_SUITE(store_stop)

BOOST_AUTO_TEST_CASE(a_database_that_refuses_writes_does_not_hold_the_end) {
  postgres_world world;
  const auto tenant = world.add_tenant();
  const auto under = world.fence_of(tenant.shard);
  auto item = make_accept_item(world.now(), tenant, "one", 1, under);
  const auto id = item->what->id;
  const auto ride = item->deliveries[0].id;
  BOOST_REQUIRE(world.subject().accept(item));
  BOOST_REQUIRE(world.eventually([&] { return world.events().answered(id) != nullptr; }));
  world.sql("create function full_disk() returns trigger language plpgsql as $$ begin"
            " raise exception 'no space left' using errcode = '53100'; end $$;"
            "create trigger full_disk before update or insert on delivery for each row execute function full_disk()");
  outcome_write write;
  write.delivery = ride;
  write.under = under;
  write.owner = std::make_shared<recorded_results>();
  write.number = 1;
  write.attempt = {world.now(), 3ms, attempt_outcome::succeeded, attempt_reason::none, 200, {}};
  world.subject().record({write});
  auto refused = make_accept_item(world.now(), tenant, "refused");
  refused->deadline = std::chrono::steady_clock::now() + 10min;
  const auto refused_id = refused->what->id;
  BOOST_REQUIRE(world.subject().accept(refused));
  auto stopped = std::async(std::launch::async, [&] { world.real().stop(500ms); });
  BOOST_REQUIRE((stopped.wait_for(20s) == std::future_status::ready));
  BOOST_TEST((world.events().answered(refused_id)->outcome == accept_outcome::unavailable));
  BOOST_TEST((world.read(ride)->state == delivery_state::in_flight)); // the next owner closes it
  BOOST_TEST(world.sql("select count(*) from shard_lease where owner is null")[0][0].as<int>() == shard_count);
}

BOOST_AUTO_TEST_CASE(a_call_that_runs_for_long_is_cut_at_the_end) {
  watchdog dog;
  metrics counts;
  const auto url = postgres_fixture::instance().fresh_database();
  session_worker worker{options_for(url), dog, counts};
  worker.every(1h, "sleep", running("select pg_sleep(600)"));
  worker.start();
  pqxx::connection beside{url};
  BOOST_REQUIRE(eventually([&] {
    return !pqxx::nontransaction{beside}
              .exec("select from pg_stat_activity where query like '%sleep(600)' and state = 'active'"
                    " and pid <> pg_backend_pid() and datname = current_database()")
              .empty();
  }));
  auto stopped = std::async(std::launch::async, [&] { worker.stop(0ms); });
  BOOST_REQUIRE((stopped.wait_for(20s) == std::future_status::ready));
  BOOST_TEST(counts.store_call_timeouts.value() == 1U);
}

BOOST_AUTO_TEST_CASE(kept_work_that_fails_holds_up_nothing_else_and_keeps_its_order) {
  watchdog dog;
  metrics counts;
  session_worker worker{options_for(postgres_fixture::instance().fresh_database()), dog, counts};
  std::atomic<int> tries{0}, others{0};
  std::atomic<bool> healed{false};
  std::mutex mutex;
  std::vector<int> order;
  const auto note = [&](int number) {
    const std::lock_guard lock{mutex};
    order.push_back(number);
    return std::nullopt;
  };
  worker.start();
  worker.post({.work = [&](session&) -> std::optional<session_failure> {
                 ++tries;
                 if (!healed)
                   return session_failure{session_failure::kind::busy, "55P03", "not now"};
                 return note(1);
               },
               .keep = true});
  worker.post({.work = [&](session&) -> std::optional<session_failure> { return note(2); }, .keep = true});
  BOOST_REQUIRE(eventually([&] { return tries > 0; }));
  for (int i = 0; i < 10; ++i)
    worker.post({.work = [&](session&) -> std::optional<session_failure> {
      ++others;
      return std::nullopt;
    }});
  BOOST_TEST(eventually([&] { return others == 10; }));
  BOOST_TEST(eventually([&] { return tries > 2; }));
  healed = true;
  BOOST_TEST(eventually([&] {
    const std::lock_guard lock{mutex};
    return order == std::vector<int>{1, 2};
  }));
  worker.stop(0ms);
}

BOOST_AUTO_TEST_SUITE_END()
