#include "net/http_connection.hpp"

#include "net/beast_head.hpp"
#include "net/problem.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace postrider {

namespace {

constexpr std::size_t input_first = 4 * 1024;     // a usual webhook fits
constexpr std::size_t kept_max = 32 * 1024;       // buffers beyond are given back after use
constexpr std::size_t body_step_first = 8 * 1024; // no more is allocated on the word of a Content-Length alone
constexpr std::size_t drained_max = 1024 * 1024;

problem to_problem(const http_refusal& refusal) {
  return {refusal.status, std::string{refusal.code}, std::string{refusal.detail}};
}

problem body_too_large() {
  return {413, "body-too-large", "the body is larger than this route takes"};
}

} // namespace

void http_connection::open(http_handler& handler, std::string remote_address, bool over_tls, const http_turn& turn) {
  handler_ = &handler;
  remote_address_ = std::move(remote_address);
  over_tls_ = over_tls;
  phase_ = over_tls ? phase::securing : phase::idle;
  deadline_ = turn.now + (over_tls ? shared_->limits.tls_timeout : shared_->limits.idle_timeout);
  in_begin_ = in_end_ = scanned_ = 0;
  skipped_line_ = peer_done_ = finish_sent_ = false;
  keep_alive_ = true;
  drained_ = 0;
  out_.clear();
  out_sent_ = 0;
}

void http_connection::secured(bool done, const http_turn& turn) noexcept {
  phase_ = done ? phase::idle : phase::draining;
  deadline_ = turn.now + (done ? shared_->limits.idle_timeout : shared_->limits.drain_timeout);
}

void http_connection::closed() noexcept {
  if (phase_ == phase::waiting && ingest_)
    shared_->counts.ingest_open.add(-1);
  ++address_.sequence;
  phase_ = phase::closed;
  release_body();
  give_back(body_);
  give_back(late_body_);
  chunks_.reset();
  if (in_.size() > kept_max)
    give_back(in_);
}

http_connection::need http_connection::next() const noexcept {
  if (out_sent_ < out_.size())
    return need::output;
  switch (phase_) {
  case phase::securing:
    return need::handshake;
  case phase::idle:
  case phase::head:
  case phase::body:
    return peer_done_ ? need::close : need::input;
  case phase::waiting:
    return need::answer;
  case phase::draining:
    if (!finish_sent_)
      return need::finish;
    return peer_done_ ? need::close : need::input;
  case phase::sending:
  case phase::closed:
    break;
  }
  return need::close;
}

// ---------------------------------------------------------------------------------------------- input

std::string_view http_connection::unread() const noexcept {
  return std::string_view{in_}.substr(in_begin_, in_end_ - in_begin_);
}

std::span<char> http_connection::receive_space() {
  if (phase_ == phase::body && !chunks_)
    return std::span{body_}.subspan(body_filled_);
  if (phase_ == phase::body) {
    keep_room_behind_head();
  } else if (in_end_ == in_.size()) {
    const auto left = in_end_ - in_begin_;
    if (in_begin_ > 0)
      std::memmove(in_.data(), in_.data() + in_begin_, left);
    else
      in_.resize(in_.empty() ? input_first
                             : std::min(in_.size() * 2, std::max(shared_->limits.head.head_max, input_first)));
    in_begin_ = 0;
    in_end_ = left;
  }
  return std::span{in_}.subspan(in_end_);
}

/// While a chunked body is read, the head stays where it is and every byte behind it is taken at once.
void http_connection::keep_room_behind_head() {
  in_begin_ = in_end_ = head_begin_ + head_size_;
  if (in_.size() - in_end_ >= input_first)
    return;
  in_.resize(in_.size() + input_first);
  // The views moved with the bytes; what passed once passes again.
  read_request_head(std::string_view{in_}.substr(head_begin_, head_size_), shared_->limits.head, head_);
}

void http_connection::received(std::size_t count, const http_turn& turn) {
  give_back(late_body_);
  if (phase_ == phase::draining) {
    drained_ += count;
    peer_done_ |= drained_ > drained_max;
    return;
  }
  if (phase_ == phase::body && !chunks_)
    body_filled_ += count;
  else
    in_end_ += count;
  advance(turn);
}

void http_connection::input_ended() noexcept {
  peer_done_ = true;
}

void http_connection::advance(const http_turn& turn) {
  while (phase_ == phase::idle || phase_ == phase::head || phase_ == phase::body)
    if (!(phase_ == phase::body ? read_body(turn) : read_head(turn)))
      return;
}

/// False: more bytes are needed, or the phase is another.
bool http_connection::read_head(const http_turn& turn) {
  if (in_begin_ == in_end_) {
    in_begin_ = in_end_ = 0;
    return false;
  }
  if (phase_ == phase::idle) {
    phase_ = phase::head;
    deadline_ = turn.now + shared_->limits.head_timeout;
  }
  auto found = find_head_end(unread(), scanned_, shared_->limits.head);
  if (found.end == 2 && !std::exchange(skipped_line_, true)) {
    in_begin_ += 2;
    scanned_ = 0;
    return true;
  }
  if (found.end == 0 && !found.refused) {
    scanned_ = in_end_ - in_begin_;
    return false;
  }
  begin_request();
  head_begin_ = in_begin_;
  head_size_ = found.end;
  in_begin_ += found.end;
  scanned_ = 0;
  ingest_ = head_only_ = skipped_line_ = false;
  if (!found.refused)
    found.refused =
      read_request_head(std::string_view{in_}.substr(head_begin_, head_size_), shared_->limits.head, head_);
  if (found.refused) {
    shared_->counts.ingest_invalid_http.add();
    refuse(to_problem(found.refused), turn);
    return false;
  }
  begin_body(turn);
  return true;
}

void http_connection::begin_body(const http_turn& turn) {
  keep_alive_ = head_.keep_alive && !head_.http_1_0;
  head_only_ = head_.method == "HEAD";
  auto verdict = handler_->examine(head_, request_id(), remote_address_);
  ingest_ = verdict.ingest;
  const bool no_body =
    head_.framing == body_framing::none || (head_.framing == body_framing::content_length && head_.content_length == 0);
  if (verdict.refused) {
    keep_alive_ &= no_body; // what is not read cannot be told from a next request
    return reply(*verdict.refused, turn);
  }
  if (head_.framing == body_framing::content_length && head_.content_length > verdict.body_max)
    return refuse(body_too_large(), turn);
  if (no_body)
    return dispatch(turn);
  const bool chunked = head_.framing == body_framing::chunked;
  if (!charge_body(chunked ? 0
                           : static_cast<std::size_t>(std::min<std::uint64_t>(head_.content_length, body_step_first))))
    return refuse_overloaded(turn);
  const auto& limits = shared_->limits;
  phase_ = phase::body;
  body_began_ = turn.now;
  move_body_deadline(0);
  if (chunked)
    chunks_.emplace(chunked_body::limits{verdict.body_max, limits.chunk_extensions_max, limits.trailers_max, false});
  if (head_.expects_continue && in_begin_ == in_end_)
    out_ += "HTTP/1.1 100 Continue\r\n\r\n";
}

/// The body holds `size` bytes of memory now; false: all bodies together would hold more than they may. Charged as it
/// grows, never on a peer's word alone: or a few who announce much and send nothing would keep out everyone else.
bool http_connection::charge_body(std::size_t size) noexcept {
  const auto more = std::max<std::int64_t>(static_cast<std::int64_t>(size) - charged_, 0);
  auto& held = ingest_ ? shared_->ingest_bodies : shared_->api_bodies;
  const auto most = ingest_ ? shared_->limits.ingest_bodies_max : shared_->limits.api_bodies_max;
  if (held.fetch_add(more, std::memory_order_relaxed) + more > most) {
    held.fetch_sub(more, std::memory_order_relaxed);
    return false;
  }
  charged_ += more;
  return true;
}

void http_connection::release_body() noexcept {
  auto& held = ingest_ ? shared_->ingest_bodies : shared_->api_bodies;
  held.fetch_sub(std::exchange(charged_, 0), std::memory_order_relaxed);
}

void http_connection::refuse_overloaded(const http_turn& turn) {
  shared_->counts.http_overloaded.add();
  if (ingest_)
    count(ingest_result::overloaded);
  refuse({503, "overloaded", "too many requests are being read; try again", {}, std::chrono::seconds{2}}, turn);
}

/// Who sends at the least rate is never cut off, who sends nothing after `body_timeout`.
void http_connection::move_body_deadline(std::size_t received) noexcept {
  const auto& limits = shared_->limits;
  const auto rate = std::max<std::size_t>(limits.body_rate_min, 1);
  deadline_ = body_began_ + limits.body_timeout + milliseconds{static_cast<std::int64_t>(received * 1'000 / rate)};
}

/// False: more bytes are needed, or the phase is another.
bool http_connection::read_body(const http_turn& turn) {
  if (chunks_)
    return feed_chunked(turn);
  const auto size = static_cast<std::size_t>(head_.content_length);
  const auto here = std::min(size - body_filled_, in_end_ - in_begin_);
  if (here > 0) { // came with the head; what is still missing is read into its place directly
    body_.assign(in_, in_begin_, here);
    body_filled_ = here;
    in_begin_ += here;
  }
  auto room = body_.size();
  if (body_filled_ == room && room < size)
    room = std::min(size, std::max(body_step_first, room * 2));
  if (!charge_body(room)) {
    refuse_overloaded(turn);
    return false;
  }
  if (body_filled_ < size) {
    body_.resize(room);
    move_body_deadline(body_filled_);
    return false;
  }
  dispatch(turn);
  return true;
}

bool http_connection::feed_chunked(const http_turn& turn) {
  const auto step = chunks_->feed(unread(), body_);
  in_begin_ += step.consumed;
  if (step.refused) {
    shared_->counts.ingest_invalid_http.add();
    refuse(to_problem(step.refused), turn);
    return false;
  }
  if (!charge_body(body_.size())) {
    refuse_overloaded(turn);
    return false;
  }
  if (!step.whole) {
    move_body_deadline(body_.size());
    return false;
  }
  chunks_.reset();
  dispatch(turn);
  return true;
}

} // namespace postrider
