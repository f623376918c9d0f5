#include "net/http_connection.hpp"
#include "net/problem.hpp"

#include <algorithm>
#include <utility>

namespace postrider {

namespace {

constexpr std::size_t kept_max = 32 * 1024; // an output buffer beyond is given back after use

std::uint64_t mix(std::uint64_t x) noexcept { // SplitMix64's finalizer: a bijection, so ids stay distinct
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

problem timed_out() {
  return {408, "request-timeout", "the request did not arrive in time"};
}

} // namespace

/// From here on an answer to the request before is late.
void http_connection::begin_request() noexcept {
  ++address_.sequence;
  const auto connection =
    (static_cast<std::uint64_t>(address_.io) << 56) + (static_cast<std::uint64_t>(address_.slot) << 36);
  request_id_ = to_request_id(mix(shared_->request_id_seed + connection + address_.sequence));
}

answer_frame http_connection::frame(const http_turn& turn) noexcept {
  keep_alive_ = keep_alive_ && !shared_->lingering.load(std::memory_order_relaxed);
  return {request_id(), turn.date, !keep_alive_, head_only_};
}

void http_connection::dispatch(const http_turn& turn) {
  phase_ = phase::waiting;
  whole_at_ = turn.now;
  deadline_ = turn.now + shared_->limits.answer_timeout;
  if (ingest_) {
    shared_->counts.ingest_open.add(1);
    shared_->counts.ingest_bytes.add(body_.size());
  }
  body_filled_ = 0;
  auto response = handler_->handle(
    {head_, remote_address_, request_id(), address_, shared_->replies, std::exchange(body_, {}), over_tls_, {}});
  if (response) {
    end_waiting(turn);
    reply(*response, turn);
  }
}

bool http_connection::waits_for(reply_address to) const noexcept {
  return phase_ == phase::waiting && to.sequence == address_.sequence;
}

bool http_connection::answer(const ingest_answer& what, const http_turn& turn) {
  if (!waits_for(what.to))
    return false;
  count(what.result);
  end_waiting(turn);
  write_ingest_answer(out_, what, frame(turn));
  begin_sending(turn);
  return true;
}

bool http_connection::answer(reply_address to, http_response&& what, const http_turn& turn) {
  if (!waits_for(to))
    return false;
  end_waiting(turn);
  reply(what, turn);
  return true;
}

void http_connection::count(ingest_result result) noexcept {
  auto& counts = shared_->counts;
  switch (result) {
  case ingest_result::accepted:
    return counts.ingest_accepted.add();
  case ingest_result::duplicate:
    return counts.ingest_duplicate.add();
  case ingest_result::handshake:
    return counts.ingest_handshake.add();
  case ingest_result::rejected:
  case ingest_result::method:
    return counts.ingest_rejected.add();
  case ingest_result::unknown:
    return counts.ingest_unknown.add();
  case ingest_result::rate_limited:
    return counts.ingest_rate_limited.add();
  case ingest_result::backlog_full:
    return counts.ingest_backlog_full.add();
  case ingest_result::overloaded:
    return counts.ingest_overloaded.add();
  case ingest_result::unavailable:
    return counts.ingest_unavailable.add();
  }
}

void http_connection::end_waiting(const http_turn& turn) noexcept {
  if (!ingest_)
    return;
  const auto taken = std::chrono::duration_cast<std::chrono::microseconds>(turn.now - whole_at_).count();
  shared_->counts.ingest_latency.observe(static_cast<std::uint64_t>(std::max<std::int64_t>(taken, 0)));
  shared_->counts.ingest_open.add(-1);
}

void http_connection::reply(const http_response& what, const http_turn& turn) {
  write_response(out_, what, frame(turn));
  begin_sending(turn);
}

void http_connection::refuse(problem what, const http_turn& turn) {
  keep_alive_ = false;
  reply(problem_response(what, request_id()), turn);
}

void http_connection::expire(const http_turn& turn) {
  if (turn.now < deadline_)
    return;
  if (phase_ == phase::waiting) {
    // From here on the real answer is late, and ignored by its sequence.
    const ingest_answer late{address_, ingest_result::unavailable, {}, {}};
    if (ingest_) {
      answer(late, turn);
    } else {
      problem what{503, "answer-timeout", "no answer in time; try again", {}, std::chrono::seconds{2}};
      answer(address_, problem_response(what, request_id()), turn);
    }
  } else if (phase_ == phase::head || phase_ == phase::body) {
    if (phase_ == phase::head)
      begin_request();
    head_only_ = false;
    late_body_ = std::exchange(body_, {}); // at most for the time of draining, and no longer charged
    refuse(timed_out(), turn);
  } else {
    out_.clear();
    out_sent_ = 0;
    phase_ = phase::closed; // `next` now says close
  }
}

// ---------------------------------------------------------------------------------------------- output

void http_connection::begin_sending(const http_turn& turn) noexcept {
  // Before the answer is out: whoever has it may count on the room. A body that was refused goes as well.
  release_body();
  give_back(body_);
  body_filled_ = 0;
  chunks_.reset();
  phase_ = phase::sending;
  deadline_ = turn.now + shared_->limits.write_timeout;
}

void http_connection::sent(std::size_t count, const http_turn& turn) {
  out_sent_ += count;
  if (out_sent_ < out_.size()) {
    if (phase_ == phase::sending)
      deadline_ = turn.now + shared_->limits.write_timeout;
    return;
  }
  out_.clear();
  out_sent_ = 0;
  if (out_.capacity() > kept_max)
    out_.shrink_to_fit();
  if (phase_ == phase::sending)
    end_request(turn);
}

void http_connection::end_request(const http_turn& turn) {
  head_ = {};
  if (!keep_alive_) {
    // A socket closed with bytes unread is reset, and the reset may overtake the answer: end our side, then read on a
    // little.
    phase_ = phase::draining;
    finish_sent_ = false;
    in_begin_ = in_end_ = 0;
    deadline_ = turn.now + shared_->limits.drain_timeout;
    return;
  }
  phase_ = phase::idle;
  deadline_ = turn.now + shared_->limits.idle_timeout;
  advance(turn);
}

void http_connection::finished(const http_turn& turn) noexcept {
  finish_sent_ = true;
  deadline_ = turn.now + shared_->limits.drain_timeout;
}

} // namespace postrider
