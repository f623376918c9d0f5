#include "net/http_guard.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace postrider;

namespace {

/// Status of the refusal of a request with these header lines (each ended by CRLF) behind `line`; 0: taken.
int status_of(const std::string& line, const std::string& fields, request_head* out = nullptr) {
  const auto block = line + "\r\n" + fields + "\r\n";
  request_head head;
  const auto refused = guard_request(block, {}, head);
  if (out != nullptr)
    *out = head;
  return refused.status;
}

const std::string post = "POST /in/acme/github HTTP/1.1";
const std::string host = "Host: example.com\r\n";

struct framing_case {
  std::string fields;
  int status;
};

struct line_case {
  std::string line;
  int status;
};

bool taken_response(const std::string& text, response_head* out = nullptr) {
  response_head head;
  const std::string block{text};
  const auto refused = guard_response(block, {}, head);
  if (out != nullptr)
    *out = head;
  return !refused;
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_guard)

BOOST_AUTO_TEST_CASE(a_usual_request_is_taken_with_all_that_it_says) {
  const std::string block =
    "POST /in/acme/github?a=1 HTTP/1.1\r\nHost: example.com:8080\r\nContent-Type: application/json \r\n"
    "Content-Length: 12\r\nAuthorization: Bearer x\r\nX-Any:\tvalue\t\r\n\r\n";
  request_head head;
  BOOST_TEST(!guard_request(block, {}, head));
  BOOST_TEST(head.method == "POST");
  BOOST_TEST(head.path_and_query == "/in/acme/github?a=1");
  BOOST_TEST(head.host == "example.com:8080");
  BOOST_TEST(head.content_type == "application/json");
  BOOST_TEST(head.authorization == "Bearer x");
  BOOST_TEST((head.framing == body_framing::content_length));
  BOOST_TEST(head.content_length == 12u);
  BOOST_TEST(head.keep_alive);
  BOOST_TEST(head.fields.starts_with("Host: "));
  BOOST_TEST(head.fields.ends_with("X-Any:\tvalue\t\r\n"));
}

BOOST_AUTO_TEST_CASE(every_ambiguous_framing_is_refused) {
  const std::vector<framing_case> cases{
    {"Content-Length: 5\r\nContent-Length: 5\r\n", 400},
    {"Content-Length: 5\r\nContent-Length: 6\r\n", 400},
    {"Content-Length: 5, 5\r\n", 400},
    {"Content-Length: +5\r\n", 400},
    {"Content-Length: -5\r\n", 400},
    {"Content-Length: 0x5\r\n", 400},
    {"Content-Length: 5 5\r\n", 400},
    {"Content-Length: 5a\r\n", 400},
    {"Content-Length:\r\n", 400},
    {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400},
    {"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400},
    {"Transfer-Encoding: chunked\r\ncontent-length: 0\r\n", 400},
    {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400},
    {"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", 400},
    {"Transfer-Encoding: xchunked\r\n", 501},
    {"Transfer-Encoding: gzip, chunked\r\n", 501},
    {"Transfer-Encoding: chunked, identity\r\n", 501},
    {"Transfer-Encoding: identity\r\n", 501},
    {"Transfer-Encoding: chunked;q=1\r\n", 501},
    {"Transfer-Encoding: \"chunked\"\r\n", 501},
    {"Transfer-Encoding:\r\n", 501},
    {"Transfer-Encoding: \x0b"
     "chunked\r\n",
     400},
    {"Transfer-Encoding : chunked\r\n", 400},
    {"Transfer-Encoding\t: chunked\r\n", 400},
    {" Transfer-Encoding: chunked\r\n", 400},
    {"X: a\r\n Transfer-Encoding: chunked\r\n", 400},
    {"X: a\r\n\tb\r\n", 400},
    {"X: a\rTransfer-Encoding: chunked\r\n", 400},
    {"X: a\nTransfer-Encoding: chunked\r\n", 400},
    {std::string{"X: a\0b\r\n", 8}, 400},
    {"X: a\x7f\r\n", 400},
    {": nameless\r\n", 400},
    {"no colon\r\n", 400},
    {"X(y): a\r\n", 400},
    {"\x80name: a\r\n", 400},
    {"Transfer-Encoding: CHUNKED\r\n", 0},
    {"Transfer-Encoding: \t chunked \t\r\n", 0},
    {"Content-Length: 007\r\n", 0},
    {"X: caf\xc3\xa9\r\n", 0},
    {"X:\r\n", 0},
  };
  for (const auto& one : cases)
    BOOST_TEST(status_of(post, host + one.fields) == one.status, "for " << one.fields);
}

BOOST_AUTO_TEST_CASE(transfer_encoding_on_http_1_0_is_refused) {
  BOOST_TEST(status_of("POST / HTTP/1.0", host + "Transfer-Encoding: chunked\r\n") == 400);
}

BOOST_AUTO_TEST_CASE(a_length_beyond_64_bits_is_too_large) {
  request_head head;
  BOOST_TEST(status_of(post, host + "Content-Length: 18446744073709551615\r\n", &head) == 0);
  BOOST_TEST(head.content_length == UINT64_MAX);
  BOOST_TEST(status_of(post, host + "Content-Length: 18446744073709551616\r\n") == 413);
  BOOST_TEST(status_of(post, host + "Content-Length: 99999999999999999999999\r\n") == 413);
}

BOOST_AUTO_TEST_CASE(request_lines_have_one_form) {
  const std::vector<line_case> cases{
    {"GET / HTTP/1.1", 0},
    {"GET /%41?x=[1]|{2} HTTP/1.1", 0},
    {"OPTIONS * HTTP/1.1", 0},
    {"GET http://example.com/x HTTP/1.1", 0},
    {"GET HTTPS://EXAMPLE.com HTTP/1.1", 0},
    {"GET http://other.com/x HTTP/1.1", 400},
    {"GET http://user@example.com/ HTTP/1.1", 400},
    {"GET ftp://example.com/ HTTP/1.1", 400},
    {"GET * HTTP/1.1", 400},
    {"GET example.com HTTP/1.1", 400},
    {"CONNECT example.com:443 HTTP/1.1", 501},
    {"GET  / HTTP/1.1", 400},
    {"GET /  HTTP/1.1", 400},
    {" GET / HTTP/1.1", 400},
    {"GET / HTTP/1.1 ", 400},
    {"GET\t/ HTTP/1.1", 400},
    {"GET /", 400},
    {"GET", 400},
    {"", 400},
    {"G@T / HTTP/1.1", 400},
    {"GET /a#b HTTP/1.1", 400},
    {"GET /a\\b HTTP/1.1", 400},
    {"GET /\x01 HTTP/1.1", 400},
    {"GET /\xc3\xa9 HTTP/1.1", 400},
    {"GET /%4 HTTP/1.1", 400},
    {"GET /%zz HTTP/1.1", 400},
    {"GET / http/1.1", 400},
    {"GET / HTTP/1.10", 400},
    {"GET / HTTP/1", 400},
    {"GET / HTTP/1.2", 505},
    {"GET / HTTP/0.9", 505},
    {"PRI * HTTP/2.0", 505},
    {"GET /" + std::string(9'000, 'a') + " HTTP/1.1", 414},
  };
  for (const auto& one : cases)
    BOOST_TEST(status_of(one.line, host) == one.status, "for " << one.line.substr(0, 60));
}

BOOST_AUTO_TEST_CASE(exactly_one_valid_host_is_needed) {
  const std::vector<framing_case> cases{
    {"", 400},
    {"Host:\r\n", 400},
    {"Host: a\r\nHost: a\r\n", 400},
    {"Host: a\r\nhost: b\r\n", 400},
    {"Host: a b\r\n", 400},
    {"Host: a,b\r\n", 400},
    {"Host: user@a\r\n", 400},
    {"Host: a/b\r\n", 400},
    {"Host: a:99999\r\n", 400},
    {"Host: a:8x\r\n", 400},
    {"Host: [::1\r\n", 400},
    {"Host: [g::1]\r\n", 400},
    {"Host: [::1]x\r\n", 400},
    {"Host: [::1]:8080\r\n", 0},
    {"Host: a:\r\n", 0},
    {"Host: 127.0.0.1:65535\r\n", 0},
  };
  for (const auto& one : cases)
    BOOST_TEST(status_of("GET / HTTP/1.1", one.fields) == one.status, "for " << one.fields);
  BOOST_TEST(status_of("GET / HTTP/1.0", "") == 0);
}

BOOST_AUTO_TEST_CASE(expectations_other_than_100_continue_are_refused) {
  request_head head;
  BOOST_TEST(status_of(post, host + "Expect: 100-Continue\r\n", &head) == 0);
  BOOST_TEST(head.expects_continue);
  BOOST_TEST(status_of(post, host + "Expect: 200-ok\r\n") == 417);
  BOOST_TEST(status_of(post, host + "Expect: 100-continue\r\nExpect: x\r\n") == 417);
  BOOST_TEST(status_of("POST / HTTP/1.0", host + "Expect: 100-continue\r\n", &head) == 0);
  BOOST_TEST(!head.expects_continue);
}

BOOST_AUTO_TEST_CASE(connection_says_whether_it_stays_open) {
  const auto keep_alive = [](const std::string& version, const std::string& fields) {
    request_head head;
    BOOST_TEST(status_of("GET / " + version, host + fields, &head) == 0);
    return head.keep_alive;
  };
  BOOST_TEST(keep_alive("HTTP/1.1", ""));
  BOOST_TEST(!keep_alive("HTTP/1.1", "Connection: close\r\n"));
  BOOST_TEST(!keep_alive("HTTP/1.1", "Connection: x, ,Close\r\n"));
  BOOST_TEST(!keep_alive("HTTP/1.0", ""));
  BOOST_TEST(keep_alive("HTTP/1.0", "Connection: Keep-Alive\r\n"));
  BOOST_TEST(status_of("GET / HTTP/1.1", host + "Connection: a b\r\n") == 400);
}

BOOST_AUTO_TEST_CASE(sizes_and_counts_are_bounded) {
  std::string many;
  for (int i = 0; i < 100; ++i)
    many += "X: y\r\n";
  BOOST_TEST(status_of("GET / HTTP/1.1", host + many) == 431);
  BOOST_TEST(status_of("GET / HTTP/1.1", host + "X: " + std::string(17'000, 'a') + "\r\n") == 431);
  http_limits small;
  small.head_max = 20;
  request_head head;
  BOOST_TEST(guard_request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", small, head).status == 431);
}

BOOST_AUTO_TEST_CASE(the_end_of_a_head_is_found_however_the_bytes_come) {
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
  const http_limits limits;
  for (std::size_t seen = 0; seen + 4 < text.size(); ++seen) {
    const auto first = find_head_end(std::string_view{text}.substr(0, seen), 0, limits);
    BOOST_TEST(!first.refused);
    const auto end = first.end != 0 ? first.end : find_head_end(text, seen, limits).end;
    BOOST_TEST(end == text.size() - 4);
  }
  BOOST_TEST(find_head_end("\r\nGET", 0, limits).end == 2u);
  BOOST_TEST(find_head_end("GET / HTTP/1.1\n", 0, limits).refused.status == 400);
  BOOST_TEST(find_head_end("\nGET", 0, limits).refused.status == 400);
  BOOST_TEST(find_head_end(std::string(9'000, 'a'), 0, limits).refused.status == 414);
  BOOST_TEST(find_head_end("GET / HTTP/1.1\r\n" + std::string(40'000, 'a'), 0, limits).refused.status == 431);
}

BOOST_AUTO_TEST_CASE(responses_have_one_meaning) {
  const std::vector<std::string> refused{
    "HTTP/2 200 OK\r\n\r\n",
    "HTTP/1.1 20 OK\r\n\r\n",
    "HTTP/1.1 2000 OK\r\n\r\n",
    "HTTP/1.1 600 Odd\r\n\r\n",
    "HTTP/1.1 099 Odd\r\n\r\n",
    "HTTP/1.1 101 Switching\r\n\r\n",
    "HTTP/1.1  200 OK\r\n\r\n",
    "HTTP/1.1 2x0 OK\r\n\r\n",
    "ICY 200 OK\r\n\r\n",
    "HTTP/1.1 200 O\x01K\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
  };
  for (const auto& one : refused)
    BOOST_TEST(!taken_response(one), "for " << one);
}

BOOST_AUTO_TEST_CASE(a_response_says_how_its_body_ends) {
  response_head head;
  BOOST_TEST(taken_response("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nRetry-After: 7 \r\n\r\n", &head));
  BOOST_TEST((head.framing == body_framing::content_length && head.content_length == 3 && head.keep_alive));
  BOOST_TEST(taken_response("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n", &head));
  BOOST_TEST((head.framing == body_framing::chunked && !head.keep_alive));
  BOOST_TEST(taken_response("HTTP/1.1 500 Oh no\r\n\r\n", &head));
  BOOST_TEST((head.framing == body_framing::until_close && !head.keep_alive && head.status == 500));
  BOOST_TEST(taken_response("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", &head));
  BOOST_TEST((head.framing == body_framing::none && head.keep_alive));
  BOOST_TEST(taken_response("HTTP/1.1 100 Continue\r\n\r\n", &head));
  BOOST_TEST((head.framing == body_framing::none));
}

BOOST_AUTO_TEST_SUITE_END()
