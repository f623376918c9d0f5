#include "net/json_document.hpp"

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <limits>

using namespace postrider;

BOOST_AUTO_TEST_SUITE(json_documents)

BOOST_AUTO_TEST_CASE(numbers_are_written_as_people_write_them) {
  const boost::json::value all{0.25, 0.5, 1.5, 100.0, -2, 18446744073709551615U, 0.1, 12.75, 1e300};
  BOOST_TEST(json_document(all) == "[0.25,0.5,1.5,100,-2,18446744073709551615,0.1,12.75,1e+300]");
  BOOST_TEST(json_document(std::numeric_limits<double>::infinity()) == "null");
}

BOOST_AUTO_TEST_CASE(every_document_reads_as_what_it_was) {
  for (const auto* text :
       {R"({"a":{},"b":[],"c":[null,true,false,{"d":"\"\\\n\u0001\u00e9"}],"":""})", "[]", "{}", "\"x\"", "7"}) {
    const auto document = boost::json::parse(text);
    BOOST_TEST((boost::json::parse(json_document(document)) == document), text);
  }
}

BOOST_AUTO_TEST_SUITE_END()
