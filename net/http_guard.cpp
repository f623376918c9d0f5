#include "net/http_guard.hpp"

#include "net/http_syntax.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace postrider {

using namespace http_syntax;

namespace {

constexpr http_refusal malformed(std::string_view detail) noexcept {
  return {400, "http-malformed", detail};
}
constexpr http_refusal head_too_large(std::string_view detail) noexcept {
  return {431, "header-too-large", detail};
}
constexpr http_refusal target_too_long() noexcept {
  return {414, "uri-too-long", "the request target is too long"};
}

/// What the header lines say, before it is judged as a whole.
struct field_findings {
  std::size_t count = 0;
  unsigned hosts = 0;
  unsigned lengths = 0;
  unsigned codings = 0;
  bool only_chunked = true;      ///< every Transfer-Encoding is exactly `chunked`
  bool only_100_continue = true; ///< every Expect is exactly `100-continue`
  bool expects = false;
  bool close = false;
  bool keep_alive = false;
  std::uint64_t content_length = 0;
  std::string_view host, content_type, authorization, retry_after, webhook_delivery;
};

/// Digits only.
http_refusal parse_length(std::string_view text, std::uint64_t& out) noexcept {
  constexpr auto most = std::numeric_limits<std::uint64_t>::max();
  bool too_large = false;
  out = 0;
  for (const char c : text) {
    if (c < '0' || c > '9')
      return malformed("Content-Length is no number");
    const auto digit = static_cast<std::uint64_t>(c - '0');
    too_large |= out > (most - digit) / 10;
    out = out * 10 + digit;
  }
  if (text.empty())
    return malformed("Content-Length is no number");
  return too_large ? http_refusal{413, "body-too-large", "Content-Length is beyond any body"} : http_refusal{};
}

/// `Connection` is a list of tokens; empty members are allowed (RFC 9110 section 5.6.1).
bool read_connection(std::string_view value, field_findings& out) noexcept {
  while (!value.empty()) {
    const auto comma = value.find(',');
    const auto option = trimmed(value.substr(0, comma));
    value = comma == std::string_view::npos ? std::string_view{} : value.substr(comma + 1);
    if (option.empty())
      continue;
    if (!is_token(option))
      return false;
    out.close |= equal_ignoring_case(option, "close");
    out.keep_alive |= equal_ignoring_case(option, "keep-alive");
  }
  return true;
}

http_refusal note_field(std::string_view name, std::string_view value, field_findings& out) noexcept {
  const auto named = [name](std::string_view wanted) { return equal_ignoring_case(name, wanted); };
  switch (name.size()) {
  case 4:
    if (named("host")) {
      ++out.hosts;
      out.host = value;
    }
    break;
  case 6:
    if (named("expect")) {
      out.expects = true;
      out.only_100_continue &= equal_ignoring_case(value, "100-continue");
    }
    break;
  case 10:
    if (named("connection") && !read_connection(value, out))
      return malformed("Connection is no list of tokens");
    break;
  case 11:
    if (named("retry-after"))
      out.retry_after = value;
    break;
  case 12:
    if (named("content-type") && out.content_type.empty())
      out.content_type = value;
    break;
  case 13:
    if (named("authorization") && out.authorization.empty())
      out.authorization = value;
    break;
  case 14:
    if (named("content-length")) {
      if (++out.lengths > 1)
        return malformed("more than one Content-Length");
      return parse_length(value, out.content_length);
    }
    break;
  case 16:
    if (named("webhook-delivery"))
      out.webhook_delivery = value;
    if (named("proxy-connection")) { // means nothing here, but Beast reads it as it reads Connection
      field_findings ignored;
      if (!read_connection(value, ignored))
        return malformed("Proxy-Connection is no list of tokens");
    }
    break;
  case 17:
    if (named("transfer-encoding")) {
      if (++out.codings > 1)
        return malformed("more than one Transfer-Encoding");
      out.only_chunked = equal_ignoring_case(value, "chunked");
    }
    break;
  default:
    break;
  }
  return {};
}

/// `lines`: `name: value\r\n` each.
http_refusal read_fields(std::string_view lines, const http_limits& limits, field_findings& out) noexcept {
  const char* at = lines.data();
  const char* const end = at + lines.size();
  while (at != end) {
    if (++out.count > limits.field_count_max)
      return head_too_large("too many header fields");
    const char* const name = at;
    while (at != end && is(*at, token))
      ++at;
    if (at == name)
      return *name == ' ' || *name == '\t' ? malformed("a header line is folded") : malformed("a header has no name");
    if (at == end || *at != ':')
      return malformed("a header name is followed by something else than a colon");
    const char* const value = ++at;
    while (at != end && is(*at, field))
      ++at;
    if (end - at < 2 || at[0] != '\r' || at[1] != '\n')
      return malformed("a header value holds a control character");
    if (static_cast<std::size_t>(at - name) > limits.field_max)
      return head_too_large("a header field is too large");
    const std::string_view name_text{name, static_cast<std::size_t>(value - 1 - name)};
    if (const auto refused = note_field(name_text, trimmed({value, static_cast<std::size_t>(at - value)}), out))
      return refused;
    at += 2;
  }
  return {};
}

/// Splits the block: `line` without its CRLF, `fields` without the empty line.
bool split_block(std::string_view block, std::string_view& line, std::string_view& fields) noexcept {
  if (block.size() < 4 || !block.ends_with("\r\n\r\n"))
    return false;
  const auto line_end = block.find("\r\n");
  line = block.substr(0, line_end);
  fields = block.substr(line_end + 2, block.size() - line_end - 4);
  return true;
}

/// `HTTP/` digit `.` digit.
bool is_version(std::string_view text) noexcept {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return text.size() == 8 && text.starts_with("HTTP/") && digit(text[5]) && text[6] == '.' && digit(text[7]);
}

bool valid_path_and_query(std::string_view text) noexcept {
  auto allowed = path;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '?')
      allowed = query;
    if (!is(c, allowed))
      return false;
    if (c == '%' && (i + 2 >= text.size() || !is(text[i + 1], hex) || !is(text[i + 2], hex)))
      return false;
  }
  return true;
}

/// The four forms of RFC 9112 section 3.2; `authority` is set for the absolute form.
http_refusal read_target(request_head& out, std::string_view& authority) noexcept {
  const auto target = out.target;
  if (out.method == "CONNECT")
    return {501, "method-unsupported", "this server is no proxy"};
  if (target == "*") {
    out.path_and_query = target;
    return out.method == "OPTIONS" ? http_refusal{} : malformed("the target * is for OPTIONS alone");
  }
  if (target.starts_with('/')) {
    out.path_and_query = target;
  } else {
    const auto scheme = target.find("://");
    if (scheme == std::string_view::npos || (!equal_ignoring_case(target.substr(0, scheme), "http") &&
                                             !equal_ignoring_case(target.substr(0, scheme), "https")))
      return malformed("the request target has no form that HTTP knows");
    const auto rest = target.substr(scheme + 3);
    const auto authority_end = std::min(rest.find_first_of("/?"), rest.size());
    authority = rest.substr(0, authority_end);
    out.path_and_query = authority_end == rest.size() ? std::string_view{"/"} : rest.substr(authority_end);
    if (!valid_host(authority))
      return malformed("the request target names no valid host");
  }
  return valid_path_and_query(out.path_and_query) ? http_refusal{}
                                                  : malformed("the request target holds a character that it must not");
}

http_refusal read_request_line(std::string_view line, const http_limits& limits, request_head& out,
                               std::string_view& authority) noexcept {
  const auto method_end = line.find(' ');
  if (method_end == std::string_view::npos || !is_token(line.substr(0, method_end)))
    return malformed("the request line has no method");
  out.method = line.substr(0, method_end);
  const auto target_end = line.find(' ', method_end + 1);
  if (target_end == std::string_view::npos) // HTTP/0.9, or a line that is only long
    return line.size() - method_end > limits.target_max ? target_too_long()
                                                        : malformed("the request line has no version");
  out.target = line.substr(method_end + 1, target_end - method_end - 1);
  if (out.target.size() > limits.target_max)
    return target_too_long();
  const auto version = line.substr(target_end + 1);
  if (!is_version(version))
    return malformed("the request line does not end in an HTTP version");
  if (version != "HTTP/1.1" && version != "HTTP/1.0")
    return {505, "http-version-unsupported", "only HTTP/1.0 and HTTP/1.1 are spoken here"};
  out.http_1_0 = version == "HTTP/1.0";
  return read_target(out, authority);
}

http_refusal judge_host(const field_findings& found, const request_head& head, std::string_view authority) noexcept {
  if (found.hosts > 1)
    return malformed("more than one Host");
  if (found.hosts == 0)
    return head.http_1_0 ? http_refusal{} : malformed("Host is missing");
  if (!valid_host(found.host))
    return malformed("Host is not valid");
  if (!authority.empty() && !equal_ignoring_case(authority, found.host))
    return malformed("Host and the request target differ");
  return {};
}

/// RFC 9112 section 6: one way only to say how long the body is.
http_refusal judge_request_body(const field_findings& found, request_head& out) noexcept {
  if (found.codings > 0) {
    if (found.lengths > 0)
      return malformed("both Content-Length and Transfer-Encoding");
    if (out.http_1_0)
      return malformed("Transfer-Encoding in an HTTP/1.0 request");
    if (!found.only_chunked)
      return {501, "transfer-coding-unsupported", "the only Transfer-Encoding taken is chunked"};
    out.framing = body_framing::chunked;
  } else if (found.lengths > 0) {
    out.framing = body_framing::content_length;
    out.content_length = found.content_length;
  }
  if (found.expects && !found.only_100_continue)
    return {417, "expectation-failed", "the only Expect taken is 100-continue"};
  out.expects_continue = found.expects && !out.http_1_0; // RFC 9110 section 10.1.1: ignored in HTTP/1.0
  return {};
}

bool stays_open(const field_findings& found, bool http_1_0) noexcept {
  return !found.close && (!http_1_0 || found.keep_alive);
}

http_refusal read_status_line(std::string_view line, response_head& out) noexcept {
  const auto version = line.substr(0, std::min<std::size_t>(8, line.size()));
  if (version != "HTTP/1.1" && version != "HTTP/1.0")
    return malformed("the status line does not begin with HTTP/1.0 or HTTP/1.1");
  out.http_1_0 = version == "HTTP/1.0";
  // Many servers leave out the space before an empty reason phrase.
  if (line.size() < 12 || line[8] != ' ' || (line.size() > 12 && line[12] != ' '))
    return malformed("the status line has no status");
  for (const char c : line.substr(9, 3)) {
    if (c < '0' || c > '9')
      return malformed("the status is no number");
    out.status = out.status * 10 + (c - '0');
  }
  if (out.status < 100 || out.status > 599 || out.status == 101)
    return malformed("the status is not one that can be");
  for (const char c : line.substr(12))
    if (!is(c, field))
      return malformed("the reason phrase holds a control character");
  return {};
}

http_refusal judge_response_body(const field_findings& found, response_head& out) noexcept {
  if (found.codings > 0 && (found.lengths > 0 || out.http_1_0 || !found.only_chunked))
    return malformed("the response's body has no clear end");
  if (out.status < 200 || out.status == 204) {
    if (found.codings > 0 || found.content_length > 0)
      return malformed("a body where there must be none");
    return {};
  }
  out.content_length = found.content_length;
  if (out.status == 304)
    return {};
  out.framing = found.codings > 0   ? body_framing::chunked
                : found.lengths > 0 ? body_framing::content_length
                                    : body_framing::until_close;
  out.keep_alive &= out.framing != body_framing::until_close;
  return {};
}

} // namespace

head_scan find_head_end(std::string_view bytes, std::size_t from, const http_limits& limits) noexcept {
  std::size_t at = from;
  while (at < bytes.size()) {
    const auto* const found = static_cast<const char*>(std::memchr(bytes.data() + at, '\n', bytes.size() - at));
    if (found == nullptr)
      break;
    at = static_cast<std::size_t>(found - bytes.data());
    if (at == 0 || bytes[at - 1] != '\r')
      return {0, malformed("a line does not end in CRLF")};
    if (at == 1 || bytes[at - 2] == '\n') {
      if (at + 1 > limits.head_max)
        break;
      return {at + 1, {}};
    }
    ++at;
  }
  // The longest request line that could still be within its limit has a method and a version beside its target.
  constexpr std::size_t beside_target = 64;
  const auto first_line = std::min(bytes.find('\n'), bytes.size());
  if (first_line > limits.target_max + beside_target)
    return {0, target_too_long()};
  if (bytes.size() >= limits.head_max)
    return {0, head_too_large("the header block is too large")};
  return {};
}

http_refusal guard_request(std::string_view block, const http_limits& limits, request_head& out) noexcept {
  out = {};
  std::string_view line, authority;
  if (block.size() > limits.head_max)
    return head_too_large("the header block is too large");
  if (!split_block(block, line, out.fields))
    return malformed("the header block is not whole");
  if (const auto refused = read_request_line(line, limits, out, authority))
    return refused;
  field_findings found;
  if (const auto refused = read_fields(out.fields, limits, found))
    return refused;
  if (const auto refused = judge_host(found, out, authority))
    return refused;
  out.host = found.host;
  out.content_type = found.content_type;
  out.authorization = found.authorization;
  out.keep_alive = stays_open(found, out.http_1_0);
  return judge_request_body(found, out);
}

http_refusal guard_response(std::string_view block, const http_limits& limits, response_head& out) noexcept {
  out = {};
  std::string_view line;
  if (block.size() > limits.head_max)
    return head_too_large("the header block is too large");
  if (!split_block(block, line, out.fields))
    return malformed("the header block is not whole");
  if (const auto refused = read_status_line(line, out))
    return refused;
  field_findings found;
  if (const auto refused = read_fields(out.fields, limits, found))
    return refused;
  out.retry_after = found.retry_after;
  out.webhook_delivery = found.webhook_delivery;
  out.keep_alive = stays_open(found, out.http_1_0);
  return judge_response_body(found, out);
}

} // namespace postrider
