#pragma once

#include "net/http_guard.hpp"

#include <string_view>

/// How LISTENER and SENDER read the head of a message: the guard first, then Boost.Beast's parser over the same bytes.
/// The guard (http_guard.hpp) keeps what Beast 1.81 does not do safely: strict RFC 9112, limits, one framing only,
/// Host. What routes and SENDER then see is what Beast read: method, target, version, header lines and their values,
/// status, content length, chunked, keep-alive. Two parsers that know nothing of each other must agree on the framing
/// and on every line; a message that they read in two ways is refused, so a mistake in either one is no request
/// smuggling.
///
/// Beast reads heads only. Chunked bodies stay with chunked_body.hpp: Beast merges the trailers into the headers and
/// puts no bound on them. No container of fields is used: each value is a view into the block, so nothing is allocated,
/// and the exception that Beast's container throws at a field value of 64 KiB cannot arise. Whatever a parser may throw
/// ends here all the same.
namespace postrider {

/// As `guard_request`, and 400 `http-ambiguous` where the two differ. Keep-alive only where both read so.
http_refusal read_request_head(std::string_view block, const http_limits& limits, request_head& out) noexcept;
/// As `guard_response`; likewise.
http_refusal read_response_head(std::string_view block, const http_limits& limits, response_head& out) noexcept;

} // namespace postrider
