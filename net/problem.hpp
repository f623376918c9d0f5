#pragma once

#include "core/result.hpp"
#include "net/http_message.hpp"

#include <string>
#include <string_view>

/// RFC 9457 `application/problem+json`, the form of every error on every listener (api.md, "Management API").
namespace postrider {

/// `{"type":"about:blank","code","title","status","detail","instance","errors"?}`; `instance` is the request's id.
std::string problem_json(const problem& what, std::string_view request_id);

/// With `retry-after` where the problem says so, and `www-authenticate` for 401 outside of ingest.
http_response problem_response(const problem& what, std::string_view request_id);

/// `Not Found`; the words of RFC 9110 section 15.
std::string_view reason_phrase(int status) noexcept;

/// The length of the UTF-8 sequence that `text`, which is not empty, begins with, or 0 (RFC 3629: no overlong forms, no
/// surrogates).
std::size_t utf8_length(std::string_view text) noexcept;

/// UTF-8 without control characters: what a name, a slug, an id or a key could be. Anything else is in no database, and
/// shall not reach one.
bool is_plain_text(std::string_view bytes) noexcept;

/// `text` as a JSON string with its quotes. Bytes that are no UTF-8 become U+FFFD, so that the document always is.
void append_json_string(std::string& out, std::string_view text);

} // namespace postrider
