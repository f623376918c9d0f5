#include "tests/persistence/postgres_world.hpp"

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

BOOST_AUTO_TEST_SUITE_END()
