#include "net/problem.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace postrider {

std::size_t utf8_length(std::string_view text) noexcept {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80)
    return 1;
  if (first >= 0xc2 && first <= 0xdf)
    return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef)
    return continues(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf) && continues(2) ? 3 : 0;
  if (first >= 0xf0 && first <= 0xf4)
    return continues(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf) && continues(2) && continues(3) ? 4
                                                                                                                  : 0;
  return 0;
}

bool is_plain_text(std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const auto length = utf8_length(bytes.substr(0, 4));
    if (length == 0 || static_cast<unsigned char>(bytes.front()) < 0x20 || bytes.front() == 0x7f)
      return false;
    bytes.remove_prefix(length);
  }
  return true;
}

namespace {

void append_escaped(std::string& out, char c) {
  constexpr std::string_view digits = "0123456789abcdef";
  switch (c) {
  case '"':
    out += "\\\"";
    break;
  case '\\':
    out += "\\\\";
    break;
  case '\n':
    out += "\\n";
    break;
  case '\r':
    out += "\\r";
    break;
  case '\t':
    out += "\\t";
    break;
  default:
    out += "\\u00";
    out += digits[static_cast<std::size_t>(static_cast<unsigned char>(c) >> 4)];
    out += digits[static_cast<std::size_t>(c & 15)];
  }
}

void append_member(std::string& out, std::string_view name, std::string_view text) {
  out += ",\"";
  out += name;
  out += "\":";
  append_json_string(out, text);
}

} // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const auto length = utf8_length(text.substr(i, 4));
    if (length == 0) {
      out += "\xef\xbf\xbd";
      ++i;
    } else if (length == 1 && (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f)) {
      append_escaped(out, c);
      ++i;
    } else {
      out += text.substr(i, length);
      i += length;
    }
  }
  out += '"';
}

std::string_view reason_phrase(int status) noexcept {
  struct phrase {
    int status;
    std::string_view words;
  };
  static constexpr std::array phrases{
    phrase{100, "Continue"},
    phrase{200, "OK"},
    phrase{201, "Created"},
    phrase{202, "Accepted"},
    phrase{204, "No Content"},
    phrase{304, "Not Modified"},
    phrase{400, "Bad Request"},
    phrase{401, "Unauthorized"},
    phrase{403, "Forbidden"},
    phrase{404, "Not Found"},
    phrase{405, "Method Not Allowed"},
    phrase{408, "Request Timeout"},
    phrase{409, "Conflict"},
    phrase{410, "Gone"},
    phrase{413, "Content Too Large"},
    phrase{414, "URI Too Long"},
    phrase{415, "Unsupported Media Type"},
    phrase{417, "Expectation Failed"},
    phrase{422, "Unprocessable Content"},
    phrase{429, "Too Many Requests"},
    phrase{431, "Request Header Fields Too Large"},
    phrase{500, "Internal Server Error"},
    phrase{501, "Not Implemented"},
    phrase{503, "Service Unavailable"},
    phrase{505, "HTTP Version Not Supported"},
  };
  for (const auto& one : phrases)
    if (one.status == status)
      return one.words;
  return "Unknown";
}

std::string problem_json(const problem& what, std::string_view request_id) {
  std::string out;
  out.reserve(256);
  out += R"({"type":"about:blank","code":)";
  append_json_string(out, what.code);
  append_member(out, "title", reason_phrase(what.status));
  out += ",\"status\":";
  out += std::to_string(what.status);
  append_member(out, "detail", what.detail);
  append_member(out, "instance", request_id);
  if (!what.errors.empty()) {
    out += ",\"errors\":[";
    for (std::size_t i = 0; i < what.errors.size(); ++i) {
      out += i == 0 ? R"({"pointer":)" : R"(,{"pointer":)";
      append_json_string(out, what.errors[i].pointer);
      append_member(out, "code", what.errors[i].code);
      append_member(out, "detail", what.errors[i].detail);
      out += '}';
    }
    out += ']';
  }
  out += '}';
  return out;
}

http_response problem_response(const problem& what, std::string_view request_id) {
  http_response out{what.status, "application/problem+json", problem_json(what, request_id), {}};
  if (what.retry_after)
    out.headers.emplace_back("retry-after", std::to_string(what.retry_after->count()));
  if (what.status == 401)
    out.headers.emplace_back("www-authenticate", "Bearer realm=\"postrider\"");
  return out;
}

} // namespace postrider
