// What the engine writes late of deliveries that retention has ended.
#include "tests/persistence/retained.hpp"

#include "persistence/retention_sql.hpp"

using namespace postrider;
using namespace postrider::tests;
using namespace std::chrono_literals;
using std::chrono::days;

namespace {

struct retained_by_a_running_store : retained {
  retained_by_a_running_store() : retained{true} {}
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(store_retention_and_the_engine, retained_by_a_running_store)

BOOST_AUTO_TEST_CASE(the_outcome_of_a_delivery_that_expired_or_left_misses_and_says_so) {
  const auto tenant = world.add_tenant();
  const auto under = world.fence_of(tenant.shard);
  const auto expired = put(tenant, now - days{3}, delivery_state::in_flight, 0, {}, under);
  const auto gone = put(tenant, now - days{5}, delivery_state::in_flight, 0, {}, under);
  // The store's own round may be under way: then this one does nothing.
  const auto expire = [&] { return run({.days_max = 2, .plans = {}}, now).expired; };
  BOOST_TEST(world.eventually([&] { return expire() == 2; }));
  BOOST_TEST(count("delivery") == 0);
  const auto again = put(tenant, now - days{2} - 1h, delivery_state::in_flight, 0, {}, under);
  BOOST_TEST(world.eventually([&] { return expire() == 1; }));
  for (const auto& id : {expired, gone}) {
    const auto missed = record(world, end_of_attempt(world, tenant, id, 1, delivery_state::succeeded));
    BOOST_TEST(!missed.recorded);
    BOOST_TEST(!missed.found.has_value());
  }
  const auto missed = record(world, end_of_attempt(world, tenant, again, 1, delivery_state::succeeded));
  BOOST_TEST(!missed.recorded);
  BOOST_REQUIRE(missed.found.has_value());
  BOOST_TEST((missed.found->state == delivery_state::dead));
  BOOST_REQUIRE(world.read(again)->attempts.size() == 1U);
  BOOST_TEST((world.read(again)->attempts[0].outcome == attempt_outcome::interrupted));
  BOOST_TEST(counted(tenant, delivery_state::dead) == 3);
}

BOOST_AUTO_TEST_CASE(an_outcome_that_waits_for_the_expiry_of_its_row_misses_and_leaves_no_second_attempt) {
  const auto tenant = world.add_tenant();
  const auto id = put(tenant, now - days{2} - 1h, delivery_state::in_flight, 0, {}, world.fence_of(tenant.shard));
  const auto owner = std::make_shared<recorded_results>();
  {
    pqxx::connection beside{world.url()};
    pqxx::work expiring{beside};
    BOOST_REQUIRE(expiring.exec_params(std::string{expire_deliveries_sql}, "{}", 2, to_rfc3339(now)).size() == 1U);
    auto late = end_of_attempt(world, tenant, id, 1, delivery_state::retry_wait);
    late.owner = owner;
    std::vector<outcome_write> writes;
    writes.push_back(std::move(late));
    world.subject().record(std::move(writes));
    BOOST_TEST(world.eventually(
      [&] { return count("pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") > 0; }));
    expiring.commit();
  }
  BOOST_REQUIRE(world.eventually([&] { return owner->count() == 1; }));
  BOOST_TEST(!owner->of(id)->recorded);
  BOOST_REQUIRE(world.read(id)->attempts.size() == 1U);
  BOOST_TEST((world.read(id)->attempts[0].outcome == attempt_outcome::interrupted));
  BOOST_TEST(counted(tenant, delivery_state::dead) == 1);
}

BOOST_AUTO_TEST_SUITE_END()
