#include "daemon/console_output.hpp"

#include <boost/test/unit_test.hpp>

#include <sstream>

using namespace postrider;

BOOST_AUTO_TEST_SUITE(daemon_console_output)

BOOST_AUTO_TEST_CASE(columns_are_as_wide_as_their_longest_cell) {
  std::ostringstream out;
  print_table(out, {"ID", "NAME"}, {{"key_1", "żółw"}, {"k", "x\ny"}});
  BOOST_TEST(out.str() == "ID     NAME\nkey_1  żółw\nk      x?y\n");
}

BOOST_AUTO_TEST_CASE(a_listing_without_rows_is_its_head) {
  std::ostringstream out;
  print_table(out, {"ID", "NAME"}, {});
  BOOST_TEST(out.str() == "ID  NAME\n");
}

BOOST_AUTO_TEST_SUITE_END()
