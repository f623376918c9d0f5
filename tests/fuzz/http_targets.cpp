#include "net/beast_head.hpp"
#include "net/chunked_body.hpp"
#include "net/http_guard.hpp"
#include "net/response_reader.hpp"
#include "tests/fuzz/targets.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

namespace postrider::fuzz {
namespace {

bool inside(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void http_request(std::string_view bytes) {
  const http_limits limits;
  const auto whole = find_head_end(bytes, 0, limits);
  const auto half = find_head_end(bytes.substr(0, bytes.size() / 2), 0, limits);
  if (half.end == 0 && !half.refused)
    require(find_head_end(bytes, bytes.size() / 2, limits).end == whole.end, "seen in two pieces, the end is the same");
  request_head head;
  const auto block = bytes.substr(0, whole.end);
  if (whole.end < 4 || guard_request(block, limits, head))
    return;
  for (const auto part : {head.method, head.target, head.fields, head.host, head.content_type})
    require(inside(part, block), "a head is made of views of its own bytes");
  require(head.fields.find("\r\n ") == std::string_view::npos, "no folded line passes");
  require(head.fields.find('\0') == std::string_view::npos, "no NUL passes");
  require(head.framing != body_framing::until_close, "no request is framed by the close");
  require(head.http_1_0 || valid_host(head.host), "HTTP/1.1 names a host");
  request_head twice;
  require(!read_request_head(block, limits, twice), "what passes the guard, Beast reads in the same way");
  require(twice.framing == head.framing && twice.content_length == head.content_length && twice.method == head.method &&
            twice.target == head.target && twice.fields == head.fields && twice.host == head.host &&
            twice.content_type == head.content_type && twice.authorization == head.authorization &&
            twice.keep_alive <= head.keep_alive,
          "guard and Beast find the same");
}

void http_response(std::string_view bytes) {
  response_head head;
  const auto found = find_head_end(bytes, 0, {});
  const auto block = bytes.substr(0, found.end);
  if (found.end < 4 || guard_response(block, {}, head))
    return;
  require(head.status >= 100 && head.status <= 599, "a status is one of five classes");
  response_head twice;
  require(!read_response_head(block, {}, twice), "what passes the guard, Beast reads in the same way");
  require(twice.status == head.status && twice.framing == head.framing && twice.content_length == head.content_length &&
            twice.retry_after == head.retry_after && twice.webhook_delivery == head.webhook_delivery &&
            twice.keep_alive <= head.keep_alive,
          "guard and Beast find the same");
}

void chunks(std::string_view bytes) {
  chunked_body at_once{{}};
  chunked_body by_bytes{{}};
  std::string body;
  std::string same;
  const auto all = at_once.feed(bytes, body);
  require(all.consumed <= bytes.size() && body.size() <= bytes.size(), "a body is no longer than what carried it");
  std::size_t consumed = 0;
  chunked_body::progress step;
  while (consumed < bytes.size() && !step.whole && !step.refused) {
    step = by_bytes.feed(bytes.substr(consumed, 1), same);
    consumed += step.consumed;
  }
  require(body == same, "byte by byte, the body is the same");
  require(bytes.empty() || (step.whole == all.whole && step.refused.status == all.refused.status),
          "byte by byte, the end is the same");
}

struct reading {
  response_reader::state state = response_reader::state::more;
  attempt_facts facts;
  std::string excerpt;
  bool reusable = false;
};

/// What a reader makes of `bytes` in pieces of at most `piece`, and of the close after them.
reading read(std::string_view bytes, std::size_t piece) {
  response_reader reader;
  reader.begin({});
  auto state = response_reader::state::more;
  while (state == response_reader::state::more && !bytes.empty()) {
    const auto space = reader.space();
    require(!space.empty(), "who wants more has room for it");
    const auto count = std::min({space.size(), piece, bytes.size()});
    std::copy_n(bytes.data(), count, space.data());
    bytes.remove_prefix(count);
    state = reader.received(count);
  }
  if (state == response_reader::state::more)
    state = reader.closed();
  require(state != response_reader::state::more, "a close ends the response");
  return {state, reader.facts(wall_time{}), reader.take_excerpt(), reader.reusable()};
}

void response(std::string_view bytes) {
  const auto at_once = read(bytes, bytes.size());
  const auto by_bytes = read(bytes, 1);
  require(at_once.state == by_bytes.state && at_once.facts.http_status == by_bytes.facts.http_status,
          "byte by byte, the response is the same");
  require(at_once.excerpt == by_bytes.excerpt, "byte by byte, the excerpt is the same");
  require(at_once.excerpt.size() <= response_reader::excerpt_max, "an excerpt has its limit");
  require(at_once.state != response_reader::state::failed || !at_once.reusable,
          "a failed connection is not used again");
}

constexpr std::string_view token_alphabet = "aZ09 \t\r\n:;,=/-.%\"HTTP/1.";
constexpr std::array<std::string_view, 4> request_samples{
  "POST /in/a/b HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}",
  "POST / HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n0\r\n\r\n",
  "PUT http://h/ HTTP/1.1\r\nHost: h\r\nConnection: close, x\r\nProxy-Connection: keep-alive\r\nUpgrade: \th2c "
  "\r\n\r\n",
  "GET /x?y=%20 HTTP/1.0\r\n\r\n"};
constexpr std::array<std::string_view, 6> response_samples{
  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=5\r\n\r\nok",
  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\nRetry-After: 120\r\nTransfer-Encoding: "
  "chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
  "HTTP/1.0 410 Gone\r\n\r\nuntil the end",
  "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
  "HTTP/1.1 200\r\nContent-Length: 0\r\nWebhook-Delivery: disable\r\n\r\n",
  "HTTP/1.1 304 Same\r\nTransfer-Encoding: chunked\r\n\r\n"};
constexpr std::array<std::string_view, 2> chunk_samples{"3\r\nabc\r\n0\r\n\r\n",
                                                        "a;x=\"y\"\r\n0123456789\r\n1\r\nz\r\n0\r\nT: v\r\n\r\n"};

constexpr std::array<target, 4> targets{{
  {"http_request", http_request, token_alphabet, request_samples},
  {"http_response", http_response, token_alphabet, response_samples},
  {"chunked_body", chunks, "0123456789abcdefAF;=\"\r\n ", chunk_samples},
  {"response_reader", response, token_alphabet, response_samples},
}};

} // namespace

std::span<const target> http_targets() {
  return targets;
}

} // namespace postrider::fuzz
