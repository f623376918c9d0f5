#include "net/response_reader.hpp"

#include "core/header_block.hpp"
#include "net/beast_head.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

namespace postrider {
namespace {

constexpr http_limits response_limits{.head_max = response_reader::head_max,
                                      .target_max = response_reader::head_max,
                                      .field_max = response_reader::head_max,
                                      .field_count_max = 100};

/// RFC 9112 allows a value of any length; one that is longer than this is neither a number nor a date.
constexpr std::size_t retry_after_max = 64;

std::optional<std::chrono::seconds> parse_keep_alive_timeout(std::string_view fields) {
  const auto header = find_header(fields, "keep-alive");
  constexpr std::string_view key = "timeout=";
  const auto at = header.value.find(key);
  if (!header.found || at == std::string_view::npos)
    return std::nullopt;
  const auto digits = header.value.substr(at + key.size());
  std::uint32_t value = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec != std::errc{})
    return std::nullopt;
  return std::chrono::seconds{value};
}

} // namespace

void response_reader::begin(std::vector<char> storage) {
  *this = response_reader{};
  buffer_ = std::move(storage);
  if (buffer_.size() < buffer_first)
    buffer_.resize(buffer_first);
}

std::vector<char> response_reader::release() noexcept {
  std::string{}.swap(decoded_); // an idle connection keeps neither; `= {}` would keep its memory
  return std::exchange(buffer_, {});
}

std::span<char> response_reader::space() noexcept {
  return std::span{buffer_}.subspan(end_);
}

response_reader::state response_reader::received(std::size_t count) {
  if (state_ != state::more || count == 0)
    return state_;
  started_ = true;
  end_ += count;
  if (!in_body_ && read_heads() != state::more)
    return state_;
  if (in_body_ && read_body() != state::more)
    return state_;
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (begin_ > 0) { // part of a head behind a 1xx
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= std::exchange(begin_, 0);
  }
  if (end_ == buffer_.size()) // a large head: one longer than head_max was refused above
    buffer_.resize(std::min(buffer_.size() * 2, head_max + 1));
  return state_;
}

response_reader::state response_reader::closed() {
  if (state_ != state::more)
    return state_;
  if (in_body_ && framing_ == body_framing::until_close)
    return end(false);
  return fail(attempt_reason::reset);
}

response_reader::state response_reader::read_heads() {
  while (!in_body_ && state_ == state::more && begin_ < end_) {
    constexpr std::string_view protocol = "HTTP/1.";
    if (!protocol.starts_with(unread().substr(0, protocol.size()))) // not HTTP at all: do not wait for more of it
      return fail(attempt_reason::invalid_response);
    const auto scan = find_head_end(unread(), scanned_, response_limits);
    if (scan.refused)
      return refuse(scan.refused);
    scanned_ = scan.end == 0 ? end_ - begin_ : 0;
    if (scan.end == 0)
      return state_;
    head_complete(scan.end);
  }
  return state_;
}

response_reader::state response_reader::head_complete(std::size_t size) {
  response_head head;
  if (const auto refused = read_response_head(unread().substr(0, size), response_limits, head))
    return refuse(refused);
  if (head.status < 200) {
    begin_ += size;
    return ++interims_ > interim_max ? fail(attempt_reason::invalid_response) : state_;
  }
  status_ = head.status;
  framing_ = head.framing;
  remaining_ = head.content_length;
  keep_alive_ = head.keep_alive && !head.http_1_0;
  asks_disable_ = equal_ignoring_case(head.webhook_delivery, "disable");
  asks_abort_ = equal_ignoring_case(head.webhook_delivery, "abort-message");
  if (head.retry_after.size() <= retry_after_max)
    retry_after_ = head.retry_after;
  if (keep_alive_)
    keep_alive_timeout_ = parse_keep_alive_timeout(head.fields);
  begin_ += size; // the views of `head` stay readable: the buffer has not moved
  if (framing_ == body_framing::none || (framing_ == body_framing::content_length && remaining_ == 0))
    return end(true);
  if (framing_ == body_framing::chunked)
    chunks_.emplace(chunked_body::limits{.body_max = body_max, .trailers_max = trailers_max, .cut_off = true});
  in_body_ = true;
  return state_;
}

response_reader::state response_reader::read_body() {
  if (framing_ == body_framing::chunked)
    return read_chunked();
  auto bytes = unread();
  if (framing_ == body_framing::content_length)
    bytes = bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), remaining_)));
  take_body(bytes);
  begin_ += bytes.size();
  if (framing_ == body_framing::content_length) {
    remaining_ -= bytes.size();
    if (remaining_ == 0)
      return end(true);
  }
  return body_size_ >= body_max ? end(false) : state_;
}

response_reader::state response_reader::read_chunked() {
  if (begin_ == end_)
    return state_;
  decoded_.clear();
  const auto progress = chunks_->feed(unread(), decoded_);
  take_body(decoded_);
  begin_ += progress.consumed;
  if (progress.refused)
    return refuse(progress.refused);
  if (progress.whole)
    return end(true);
  return body_size_ >= body_max ? end(false) : state_;
}

void response_reader::take_body(std::string_view bytes) {
  body_size_ += bytes.size();
  if (excerpt_.size() < excerpt_max)
    excerpt_.append(bytes.substr(0, excerpt_max - excerpt_.size()));
}

response_reader::state response_reader::end(bool exact) {
  reusable_ = exact && keep_alive_ && begin_ == end_;
  return state_ = state::whole;
}

response_reader::state response_reader::fail(attempt_reason reason) noexcept {
  failure_ = reason;
  return state_ = state::failed;
}

response_reader::state response_reader::refuse(const http_refusal& refusal) noexcept {
  return fail(refusal.status == 431 ? attempt_reason::response_too_large : attempt_reason::invalid_response);
}

attempt_facts response_reader::facts(wall_time now) const {
  attempt_facts out{.failure = failure_, .http_status = status_};
  if (state_ == state::whole) {
    if (!retry_after_.empty())
      out.retry_after = parse_retry_after(retry_after_, now);
    out.asks_disable = asks_disable_;
    out.asks_abort = asks_abort_;
  }
  return out;
}

} // namespace postrider
