#include "tests/persistence/postgres_world.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace postrider::tests;

BOOST_AUTO_TEST_SUITE(endpoint_changes)

BOOST_AUTO_TEST_CASE(disabling_tells_what_the_endpoint_was_before) {
  postgres_world world;
  const auto tenant = world.add_tenant();
  world.sql("update endpoint set status = 1 where no = " + std::to_string(tenant.endpoints[1]));
  for (const auto endpoint : tenant.endpoints)
    world.subject().disable_endpoint(tenant.no, endpoint, "gone");
  const auto former = [&](endpoint_no endpoint) {
    const auto rows = world.sql("select from_state from transition where kind = 'endpoint' and subject_no = " +
                                std::to_string(endpoint));
    return rows.empty() ? std::string{} : rows[0][0].as<std::string>();
  };
  BOOST_TEST(world.eventually([&] { return former(tenant.endpoints[0]) == "active"; }));
  BOOST_TEST(world.eventually([&] { return former(tenant.endpoints[1]) == "paused"; }));
}

BOOST_AUTO_TEST_SUITE_END()
