#include "net/beast_head.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <utility>

using namespace postrider;

namespace {

const std::string post = "POST /in/acme/github?x=1 HTTP/1.1\r\nHost: example.com\r\n";

/// The bytes that the views of the head read last point into.
std::string kept;

http_refusal read(std::string block, request_head& out, http_limits limits = {}) {
  kept = std::move(block);
  return read_request_head(kept, limits, out);
}
http_refusal read(std::string block, response_head& out) {
  kept = std::move(block);
  return read_response_head(kept, {}, out);
}

} // namespace

BOOST_AUTO_TEST_SUITE(beast_head)

BOOST_AUTO_TEST_CASE(a_request_is_what_both_parsers_read) {
  request_head head;
  const auto block = post + "content-type: \ta/b \r\nAuthorization: Bearer prk_x\r\nExpect: 100-continue\r\n"
                            "X-Empty:\r\nX-Spaces: \t \r\nConnection: , close,, x\r\nContent-Length: 12\r\n\r\n";
  BOOST_REQUIRE(!read(block, head));
  BOOST_TEST(head.method == "POST");
  BOOST_TEST(head.target == "/in/acme/github?x=1");
  BOOST_TEST(head.path_and_query == head.target);
  BOOST_TEST(head.host == "example.com");
  BOOST_TEST(head.content_type == "a/b");
  BOOST_TEST(head.authorization == "Bearer prk_x");
  BOOST_TEST(head.content_length == 12u);
  BOOST_TEST((head.framing == body_framing::content_length));
  BOOST_TEST(head.expects_continue);
  BOOST_TEST(!head.keep_alive);
  BOOST_TEST(!head.http_1_0);
}

BOOST_AUTO_TEST_CASE(a_response_is_what_both_parsers_read) {
  response_head head;
  BOOST_REQUIRE(!read("HTTP/1.1 429 Too Many\r\nRetry-After: 120\r\nWEBHOOK-delivery: disable\r\n"
                      "Transfer-Encoding: chunked\r\n\r\n",
                      head));
  BOOST_TEST(head.status == 429);
  BOOST_TEST(head.retry_after == "120");
  BOOST_TEST(head.webhook_delivery == "disable");
  BOOST_TEST((head.framing == body_framing::chunked));
  BOOST_TEST(head.keep_alive);
}

BOOST_AUTO_TEST_CASE(a_status_line_without_its_last_space_is_taken) {
  response_head head;
  BOOST_REQUIRE(!read("HTTP/1.1 204\r\nConnection: close\r\n\r\n", head));
  BOOST_TEST(head.status == 204);
  BOOST_TEST(!head.keep_alive);
}

BOOST_AUTO_TEST_CASE(what_beast_alone_would_take_is_refused_by_the_guard) {
  request_head head;
  BOOST_TEST(read(post + "Transfer-Encoding: xchunked\r\n\r\n", head).status == 501);
  BOOST_TEST(read(post + "X: a\r\n folded\r\n\r\n", head).status == 400);
  BOOST_TEST(read(post + "Content-Length: 5, 5\r\n\r\n", head).status == 400);
  BOOST_TEST(read(post + "Host: other\r\n\r\n", head).status == 400);
}

BOOST_AUTO_TEST_CASE(keep_alive_holds_only_where_both_read_so) {
  request_head head;
  BOOST_REQUIRE(!read(post + "Proxy-Connection: close\r\n\r\n", head)); // Beast obeys it, the guard does not know it
  BOOST_TEST(!head.keep_alive);
}

BOOST_AUTO_TEST_CASE(a_field_value_of_64_KiB_throws_nowhere) {
  const std::string value(80 * 1024, 'x');
  const http_limits wide{
    .head_max = 128 * 1024, .target_max = 8 * 1024, .field_max = 128 * 1024, .field_count_max = 10};
  request_head head;
  BOOST_TEST(!read(post + "X: " + value + "\r\n\r\n", head, wide));
  BOOST_TEST(!read(post + "Authorization: " + value + "\r\n\r\n", head, wide));
  BOOST_TEST(head.authorization.size() == value.size());
}

BOOST_AUTO_TEST_SUITE_END()
