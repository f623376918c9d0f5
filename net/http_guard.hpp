#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

/// The linear check of the raw header bytes of an HTTP/1 message, before anything else looks at them: strict RFC 9112,
/// no allocation, no state, about 1 us for a usual request. What passes here has one meaning only, so that no parser,
/// proxy or person behind it can read it in another way (request smuggling). Pure. LISTENER and SENDER call it by
/// beast_head.hpp, which has Boost.Beast read the same bytes afterwards.
namespace postrider {

/// All in bytes, except where named.
struct http_limits {
  std::size_t head_max = 32 * 1024;  ///< the whole block, start line and empty line included: 431
  std::size_t target_max = 8 * 1024; ///< 414
  std::size_t field_max = 16 * 1024; ///< one header line: 431
  std::size_t field_count_max = 100; ///< header lines: 431
};

/// Why a message is refused. For requests `status` is the answer's (400, 413, 414, 417, 431, 501, 505); for responses
/// it only tells the kind: 431 is too large (`response_too_large`), everything else is invalid (`invalid_response`).
/// The connection must close. Literals: never echo what was received.
struct http_refusal {
  int status = 0;          ///< 0: not refused
  std::string_view code{}; ///< stable kebab-case word
  std::string_view detail{};
  explicit operator bool() const noexcept { return status != 0; }
};

/// How the body ends (RFC 9112 section 6.3), once everything ambiguous is refused.
enum class body_framing : std::uint8_t {
  none,           ///< there is no body
  content_length, ///< exactly `content_length` bytes, which may be 0
  chunked,        ///< see chunked_body.hpp
  until_close,    ///< responses only: everything until the peer closes; the connection cannot be used again
};

/// What was found; every view points into the block that was given.
struct request_head {
  std::string_view method;
  std::string_view target;         ///< as sent
  std::string_view path_and_query; ///< origin form of it (`*` for `OPTIONS *`)
  std::string_view fields;         ///< `name: value\r\n` each, as sent; without the empty line
  std::string_view host;
  std::string_view content_type;    ///< value trimmed, empty where absent
  std::string_view authorization;   ///< likewise
  std::uint64_t content_length = 0; ///< of more than 64 bits: refused with 413
  body_framing framing = body_framing::none;
  bool http_1_0 = false;
  bool keep_alive = true;
  bool expects_continue = false;
};

struct response_head {
  int status = 0;               ///< 100 to 599; 101 is refused, for it is never asked for
  std::string_view fields;      ///< as in request_head
  std::string_view retry_after; ///< value trimmed, empty where absent
  std::string_view webhook_delivery;
  std::uint64_t content_length = 0;
  body_framing framing = body_framing::none; ///< none for 1xx, 204 and 304; otherwise as if the request was no HEAD
  bool http_1_0 = false;
  bool keep_alive = true; ///< false as well where the framing is `until_close`
};

/// Where the head ends, looked for as the bytes come in.
struct head_scan {
  std::size_t end = 0; ///< length of the head with its empty line; 0: not whole yet
  http_refusal
    refused{}; ///< a line that does not end in CRLF, or `head_max` is passed (then 431, or 414 if it is one line)
};
/// `from`: how much of `bytes` an earlier call has seen. Bytes that begin with an empty line give `end` = 2: a server
/// skips one such line before a request (RFC 9112 section 2.2).
head_scan find_head_end(std::string_view bytes, std::size_t from, const http_limits& limits) noexcept;

/// `block`: start line, header lines, empty line, each ended by CRLF; nothing after. `out` is whole only where nothing
/// was refused.
http_refusal guard_request(std::string_view block, const http_limits& limits, request_head& out) noexcept;
http_refusal guard_response(std::string_view block, const http_limits& limits, response_head& out) noexcept;

/// One header or trailer line without its CRLF: token, colon at once, value without control characters, no obs-fold.
bool valid_field_line(std::string_view line) noexcept;
/// RFC 9110 section 5.6.2; false for empty.
bool is_token(std::string_view text) noexcept;
/// `host[:port]` without userinfo: a name of letters, digits and `-._~`, or an address in brackets; port 0 to 65535,
/// may be empty.
bool valid_host(std::string_view text) noexcept;
/// ASCII, without regard to case.
bool equal_ignoring_case(std::string_view left, std::string_view right) noexcept;

} // namespace postrider
