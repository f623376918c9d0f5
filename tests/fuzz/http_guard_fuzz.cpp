// libFuzzer: clang++ -std=c++20 -I. -fsanitize=fuzzer,address,undefined tests/fuzz/http_guard_fuzz.cpp
// net/http_guard.cpp
//            net/http_syntax.cpp net/chunked_body.cpp -o http_guard_fuzz && ./http_guard_fuzz
#include "net/chunked_body.hpp"
#include "net/http_guard.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace postrider;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

bool inside(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_requests(std::string_view bytes) {
  const http_limits limits;
  const auto whole = find_head_end(bytes, 0, limits);
  const auto half = find_head_end(bytes.substr(0, bytes.size() / 2), 0, limits);
  if (half.end == 0 && !half.refused) // seen in two pieces, the end is the same
    require(find_head_end(bytes, bytes.size() / 2, limits).end == whole.end);
  request_head head;
  const auto block = bytes.substr(0, whole.end);
  if (whole.end < 4 || guard_request(block, limits, head))
    return;
  for (const auto part : {head.method, head.target, head.fields, head.host, head.content_type})
    require(inside(part, block));
  require(head.fields.find("\r\n ") == std::string_view::npos && head.fields.find('\0') == std::string_view::npos);
  require(head.framing != body_framing::until_close);
  require(head.http_1_0 || valid_host(head.host));
}

void check_responses(std::string_view bytes) {
  response_head head;
  const auto found = find_head_end(bytes, 0, {});
  if (found.end >= 4 && !guard_response(bytes.substr(0, found.end), {}, head))
    require(head.status >= 100 && head.status <= 599);
}

void check_chunks(std::string_view bytes) {
  chunked_body at_once{{}}, by_bytes{{}};
  std::string body, same;
  const auto all = at_once.feed(bytes, body);
  require(all.consumed <= bytes.size() && body.size() <= bytes.size());
  std::size_t consumed = 0;
  chunked_body::progress step;
  while (consumed < bytes.size() && !step.whole && !step.refused) {
    step = by_bytes.feed(bytes.substr(consumed, 1), same);
    consumed += step.consumed;
  }
  require(body == same && (bytes.empty() || (step.whole == all.whole && step.refused.status == all.refused.status)));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  check_requests(bytes);
  check_responses(bytes);
  check_chunks(bytes);
  return 0;
}
