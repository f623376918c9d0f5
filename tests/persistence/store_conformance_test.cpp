#include "tests/persistence/postgres_world.hpp"
#include "tests/support/conformance_steps.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace postrider::tests;

BOOST_AUTO_TEST_SUITE(postgres_store_conformance)

BOOST_DATA_TEST_CASE(postgres_store_does, conformance_cases(), which) {
  postgres_world world;
  which.run(world);
}

BOOST_AUTO_TEST_CASE(a_success_stays_in_its_row_unless_its_excerpt_is_long) {
  postgres_world world;
  const auto tenant = world.add_tenant();
  const auto fence = world.fence_of(tenant.shard);
  const auto record_with = [&](const std::string& name, const std::string& excerpt) {
    const auto made = send_and_commit(world, make_accept_item(world.now(), tenant, name, 1, fence));
    auto write = end_of_attempt(world, tenant, made.deliveries[0], 1, delivery_state::succeeded);
    write.attempt->excerpt = excerpt;
    BOOST_TEST(record(world, write).recorded);
    return "'" + to_string(made.deliveries[0].value) + "'";
  };
  const std::string short_one(64, 'x');
  const std::string long_one(65, 'y');
  const auto kept = record_with("kept", short_one);
  const auto apart = record_with("apart", long_one);
  const auto both = [&](const std::string& table, const std::string& id) {
    return world.sql("select number, duration_ms, outcome, reason, http_status, convert_from(excerpt, 'UTF8') from " +
                     table + " where delivery_id = " + id);
  };
  BOOST_TEST(both("attempt", kept).empty());
  BOOST_TEST(both("attempt", apart).size() == 1U);
  BOOST_TEST(world.sql("select from delivery where success_started_at is not null and id = " + apart).empty());
  for (const auto& [id, excerpt] : {std::pair{kept, short_one}, {apart, long_one}}) {
    const auto rows = both("delivery_attempt", id);
    BOOST_REQUIRE(rows.size() == 1U);
    std::string words;
    for (const auto& field : rows[0])
      words += field.as<std::string>() + " ";
    BOOST_TEST(words == "1 12 1 0 200 " + excerpt + " ");
  }
}

BOOST_AUTO_TEST_SUITE_END()
