// The main() of every unit and integration test program.
#define BOOST_TEST_MODULE postrider
#include <boost/test/unit_test.hpp>
