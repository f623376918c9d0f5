#pragma once

#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>

namespace postrider::fuzz {

/// A parser under test: takes any bytes and aborts where one of its promises does not hold.
struct target {
  std::string_view name;
  void (*run)(std::string_view input);
  std::string_view alphabet;                 ///< characters that lead deep into the parser
  std::span<const std::string_view> samples; ///< good inputs to start from
};

/// The parsers of core: rfc3339, retry_after, base64, uuid, event_type.
std::span<const target> core_targets();
/// The parsers of net: http_request, http_response, chunked_body, response_reader.
std::span<const target> http_targets();

/// Aborts, which both a test and libFuzzer notice, where a promise is broken.
inline void require(bool promise, const char* what) {
  if (promise)
    return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

} // namespace postrider::fuzz
