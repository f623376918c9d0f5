#include "actors/ingest.hpp"

#include <utility>

namespace postrider {

ingest_ticket::ingest_ticket(reply_address to, std::int64_t bytes, std::shared_ptr<ingest_replies> replies,
                             std::shared_ptr<ingest_admission> admission) noexcept
    : to_{to}, bytes_{bytes}, replies_{std::move(replies)}, admission_{std::move(admission)} {}

ingest_ticket& ingest_ticket::operator=(ingest_ticket&& other) noexcept {
  if (this != &other) {
    ingest_ticket dropped{std::move(*this)}; // answers if it was not answered
    to_ = other.to_;
    bytes_ = other.bytes_;
    replies_ = std::move(other.replies_);
    admission_ = std::move(other.admission_);
    on_accept_ = std::move(other.on_accept_);
  }
  return *this;
}

ingest_ticket::~ingest_ticket() {
  if (!replies_)
    return;
  try {
    answer(ingest_result::unavailable);
  } catch (...) { // out of memory: LISTENER's own deadline answers
    replies_.reset();
  }
}

ingest_answer ingest_ticket::settle(ingest_result outcome, event_id id, std::string_view code) noexcept {
  if (admission_)
    admission_->leave(bytes_);
  admission_.reset();
  replies_.reset();
  const bool good = outcome == ingest_result::accepted || outcome == ingest_result::duplicate;
  return {to_, outcome, id, code, good ? std::move(on_accept_) : nullptr, {}};
}

void ingest_ticket::answer(ingest_result outcome, event_id id, std::string_view code,
                           std::shared_ptr<const fixed_answer> response) {
  const auto replies = replies_;
  std::vector<ingest_answer> one;
  one.push_back(settle(outcome, id, code));
  if (response)
    one.back().response = std::move(response);
  if (replies)
    replies->answer(std::move(one));
}

void ingest_ticket::refuse(ingest_result outcome, std::chrono::seconds retry_after) {
  const auto replies = replies_;
  std::vector<ingest_answer> one;
  one.push_back(settle(outcome));
  one.back().retry_after = retry_after;
  if (replies)
    replies->answer(std::move(one));
}

} // namespace postrider
