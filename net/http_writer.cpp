#include "net/http_writer.hpp"

#include "net/problem.hpp"

#include <array>
#include <charconv>
#include <cstddef>
#include <span>

namespace postrider {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::string_view opening = R"({"event_id":")";

constexpr std::string_view closing(ingest_result result) noexcept {
  return result == ingest_result::duplicate ? R"(","duplicate":true})" : R"(","duplicate":false})";
}

void append_number(std::string& out, std::uint64_t value) {
  std::array<char, 20> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  out.append(text.data(), end);
}

/// As `to_string` does, without a string of its own.
void append_id(std::string& out, const event_id& id) {
  out += event_tag::prefix;
  for (std::size_t i = 0; i < id.value.bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      out.push_back('-');
    out.push_back(hex_digits[static_cast<std::size_t>(id.value.bytes[i] >> 4)]);
    out.push_back(hex_digits[static_cast<std::size_t>(id.value.bytes[i] & 15)]);
  }
}

void append_common_headers(std::string& out, const answer_frame& frame) {
  out += "date: ";
  out += frame.date;
  out += "\r\nx-request-id: ";
  out += frame.request_id;
  out += frame.close ? "\r\nconnection: close\r\n" : "\r\n";
}

void append_header_text(std::string& out, std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f)
      out += c;
}

problem problem_of(const ingest_answer& what) {
  constexpr std::chrono::seconds pause{2};
  switch (what.result) {
  case ingest_result::rejected:
    return {401, std::string{what.code}, "the request could not be verified"};
  case ingest_result::unknown:
    return {404, "source-unknown", "there is no such source"};
  case ingest_result::rate_limited:
    return {429, "rate-limited", "the tenant takes in no more a second; send it again later", {}, what.retry_after};
  case ingest_result::backlog_full:
    return {429, "backlog-full", "too many of the tenant's deliveries wait; send it again later", {}, what.retry_after};
  case ingest_result::overloaded:
    return {503, "overloaded", "too many requests are waiting; sending it again is safe", {}, pause};
  case ingest_result::method:
    return {405, "method-not-allowed", "the source takes no requests of this method"};
  case ingest_result::accepted:
  case ingest_result::duplicate:
  case ingest_result::handshake:
  case ingest_result::unavailable:
    break;
  }
  return {503, "store-unavailable", "not known to be accepted; sending it again is safe", {}, pause};
}

// What is said back may be a text of the request: no browser shall take it for a page.
http_response as_provider_wants(const fixed_answer& what) {
  return {what.status, what.content_type, what.body, {{"x-content-type-options", "nosniff"}}};
}

} // namespace

request_id_text to_request_id(std::uint64_t id) noexcept {
  request_id_text out{};
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = hex_digits[(id >> (60 - 4 * i)) & 15];
  return out;
}

void write_response(std::string& out, const http_response& response, const answer_frame& frame) {
  out += "HTTP/1.1 ";
  append_number(out, static_cast<std::uint64_t>(response.status));
  out += ' ';
  out += reason_phrase(response.status);
  out += "\r\n";
  append_common_headers(out, frame);
  for (const auto& [name, value] : response.headers) {
    append_header_text(out, name);
    out += ": ";
    append_header_text(out, value);
    out += "\r\n";
  }
  // RFC 9110 section 8.6: no content-length either; that of a 304 would be the document's.
  const bool without_body = response.status == 204 || response.status == 304;
  if (!without_body) {
    if (!response.content_type.empty() && !response.body.empty()) {
      out += "content-type: ";
      append_header_text(out, response.content_type);
      out += "\r\n";
    }
    out += "content-length: ";
    append_number(out, response.body.size());
    out += "\r\n";
  }
  out += "\r\n";
  if (!without_body && !frame.head_only)
    out += response.body;
}

http_response ingest_response(const ingest_answer& what, std::string_view request_id) {
  if (what.response && what.result != ingest_result::method)
    return as_provider_wants(*what.response);
  if (what.result == ingest_result::accepted || what.result == ingest_result::duplicate) {
    std::string body{opening};
    append_id(body, what.id);
    return {200, "application/json", body.append(closing(what.result)), {}};
  }
  auto response = problem_response(problem_of(what), request_id);
  if (what.result == ingest_result::method)
    response.headers.emplace_back("allow", what.response ? what.response->body : "POST");
  for (auto& [name, value] : response.headers) // the caller is a provider: it has a signature to bring, no API key
    if (name == "www-authenticate")
      value = "Signature";
  return response;
}

void write_ingest_answer(std::string& out, const ingest_answer& what, const answer_frame& frame) {
  const bool good = what.result == ingest_result::accepted || what.result == ingest_result::duplicate;
  if (what.response || !good)
    return write_response(out, ingest_response(what, frame.request_id), frame);
  const auto rest = closing(what.result);
  out += "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
  append_number(out, opening.size() + event_tag::prefix.size() + 36 + rest.size());
  out += "\r\n";
  append_common_headers(out, frame);
  out += "\r\n";
  if (frame.head_only)
    return;
  out += opening;
  append_id(out, what.id);
  out += rest;
}

} // namespace postrider
