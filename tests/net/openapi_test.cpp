// The contract as a listener serves it. What it says is compared with the sources by tests/lint/openapi_test.py, and
// with what the daemon answers by tests/e2e/openapi.test.mjs.
#include "core/version.hpp"
#include "net/embedded_openapi.hpp"
#include "tests/net/server_fixture.hpp"

#include <fstream>
#include <iterator>

using namespace postrider;
using namespace postrider::test;
namespace json = boost::json;

namespace {

struct openapi_fixture : server_fixture {
  http_answer get(const std::string& if_none_match) {
    raw_client client{public_address()};
    client.send("GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: " + if_none_match + "\r\n\r\n");
    return client.receive();
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(openapi)

BOOST_AUTO_TEST_CASE(the_embedded_document_is_the_file_and_tells_the_programs_version) {
  std::ifstream file{POSTRIDER_SOURCE_DIR "/docs/openapi.json", std::ios::binary};
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  BOOST_TEST((embedded_openapi() == text));
  BOOST_TEST(json::value_to<std::string>(json::parse(text).at("info").at("version")) == version());
}

BOOST_FIXTURE_TEST_CASE(it_is_served_without_a_key, openapi_fixture) {
  const auto answer = call("GET", "/openapi.json");
  BOOST_TEST(answer.status == 200);
  BOOST_TEST(answer.header("content-type") == "application/json");
  BOOST_TEST(answer.header("cache-control") == "no-cache");
  BOOST_TEST((answer.body == embedded_openapi()));
  const auto head = call("HEAD", "/openapi.json");
  BOOST_TEST(head.status == 200);
  BOOST_TEST(head.header("content-length") == std::to_string(embedded_openapi().size()));
  BOOST_TEST(call("POST", "/openapi.json").header("allow") == "GET, HEAD, OPTIONS");
  BOOST_TEST(call("GET", "/openapi.json/more").status == 404);
}

BOOST_FIXTURE_TEST_CASE(a_client_that_has_it_is_told_so, openapi_fixture) {
  const auto tag = call("GET", "/openapi.json").header("etag");
  BOOST_TEST(tag.size() == 34U);
  for (const auto& list : {tag, "W/" + tag, "\"other\" , " + tag, std::string{"*"}}) {
    const auto answer = get(list);
    BOOST_TEST(answer.status == 304, list);
    BOOST_TEST(answer.header("etag") == tag);
    BOOST_TEST(answer.header("content-length").empty());
    BOOST_TEST(answer.body.empty());
  }
  for (const std::string list : {"\"other\"", "", "W/\"other\", \"\"", "0"})
    BOOST_TEST(get(list).status == 200, list);
}

BOOST_AUTO_TEST_SUITE_END()
