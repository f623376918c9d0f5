#include "persistence/accept_queue.hpp"

#include <algorithm>
#include <iterator>

namespace postrider {

namespace {
// Deadlines are checked so often; an answer is late by at most as much.
constexpr milliseconds expiry_step{100};
} // namespace

accept_queue::accept_queue(limits bounds, metrics& counts, expired_handler expired)
    : bounds_{bounds}, metrics_{counts}, expired_{std::move(expired)} {
  expiry_ = std::thread{[this] { watch_deadlines(); }};
}

accept_queue::~accept_queue() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = closed_ = true;
  }
  filled_.notify_all();
  stopped_.notify_all();
  expiry_.join();
}

bool accept_queue::push(accept_item_ptr& item) {
  const auto weight = item->what->weight();
  bool first = false;
  {
    const std::lock_guard lock{mutex_};
    if (closed_ || events_ >= bounds_.events_max || (events_ > 0 && bytes_ + weight > bounds_.bytes_max))
      return false;
    ++events_;
    bytes_ += weight;
    first = waiting_.empty();
    waiting_.push_back({std::move(item), weight, false});
    metrics_.accept_queue.set(static_cast<std::int64_t>(events_));
  }
  if (first)
    filled_.notify_one();
  return true;
}

std::vector<queued_accept> accept_queue::cut_batch() {
  std::vector<queued_accept> batch;
  std::size_t bytes = 0;
  batch.reserve(std::min(waiting_.size(), bounds_.batch_events_max));
  while (!waiting_.empty() && batch.size() < bounds_.batch_events_max) {
    bytes += waiting_.front().weight;
    if (!batch.empty() && bytes > bounds_.batch_bytes_max)
      break;
    batch.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  if (!waiting_.empty())
    filled_.notify_one(); // the other writer takes the rest
  return batch;
}

std::vector<queued_accept> accept_queue::take(mono_time until) {
  std::unique_lock lock{mutex_};
  const auto something = [this] { return !waiting_.empty() || closed_; };
  if (!filled_.wait_until(lock, until, something))
    return {};
  if (bounds_.linger.count() > 0 && !closed_ && waiting_.size() < bounds_.batch_events_max)
    filled_.wait_for(lock, bounds_.linger, [this] { return waiting_.size() >= bounds_.batch_events_max || closed_; });
  return cut_batch();
}

void accept_queue::put_back(std::vector<queued_accept> items) {
  {
    const std::lock_guard lock{mutex_};
    waiting_.insert(waiting_.begin(), std::make_move_iterator(items.begin()), std::make_move_iterator(items.end()));
  }
  filled_.notify_one();
}

void accept_queue::answered(std::size_t events, std::size_t bytes) {
  const std::lock_guard lock{mutex_};
  events_ -= events;
  bytes_ -= bytes;
  metrics_.accept_queue.set(static_cast<std::int64_t>(events_));
  if (events_ == 0)
    drained_.notify_all();
}

void accept_queue::close() {
  {
    const std::lock_guard lock{mutex_};
    closed_ = true;
  }
  filled_.notify_all();
}

void accept_queue::expire_all() {
  std::vector<queued_accept> late;
  {
    const std::lock_guard lock{mutex_};
    late = cut_expired(mono_time::max());
  }
  if (!late.empty())
    expired_(std::move(late));
}

bool accept_queue::wait_drained(mono_time until) {
  std::unique_lock lock{mutex_};
  return drained_.wait_until(lock, until, [this] { return events_ == 0; });
}

bool accept_queue::closed() const {
  const std::lock_guard lock{mutex_};
  return closed_;
}

std::vector<queued_accept> accept_queue::cut_expired(mono_time now) {
  std::vector<queued_accept> late;
  const auto first = std::stable_partition(waiting_.begin(), waiting_.end(),
                                           [now](const queued_accept& each) { return each.item->deadline > now; });
  std::move(first, waiting_.end(), std::back_inserter(late));
  waiting_.erase(first, waiting_.end());
  return late;
}

void accept_queue::watch_deadlines() {
  std::unique_lock lock{mutex_};
  while (!stopping_) {
    stopped_.wait_for(lock, expiry_step, [this] { return stopping_; });
    const auto now = std::chrono::steady_clock::now();
    if (stopping_ || waiting_.empty() || waiting_.front().item->deadline > now)
      continue; // the head is the oldest, but for a few that were put back
    auto late = cut_expired(now);
    lock.unlock();
    expired_(std::move(late));
    lock.lock();
  }
}

} // namespace postrider
