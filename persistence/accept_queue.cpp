#include "persistence/accept_queue.hpp"

#include <algorithm>
#include <iterator>

namespace postrider {

namespace {
// Deadlines are checked so often; an answer is late by at most as much.
constexpr milliseconds expiry_step{100};
// What a delivery takes in memory and on the wire, about.
constexpr std::size_t delivery_weight = 128;

// A share counts what an event costs: itself, and each 4 KiB of it.
constexpr std::size_t turn_weight = 4'096;

tenant_no tenant_of(const queued_accept& each) {
  return each.item->what->tenant;
}
} // namespace

accept_queue::accept_queue(limits bounds, metrics& counts, expired_handler expired)
    : bounds_{bounds}, metrics_{counts}, expired_{std::move(expired)} {
  // The lanes share the levels: each adds its part.
  metrics_.accept_queue_max.add(static_cast<std::int64_t>(bounds_.events_max));
  metrics_.accept_queue_bytes_max.add(static_cast<std::int64_t>(bounds_.bytes_max));
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
  const auto weight = item->what->weight() + item->deliveries.size() * delivery_weight;
  bool first = false;
  {
    const std::lock_guard lock{mutex_};
    if (closed_ || !has_room(item->what->tenant, weight))
      return false;
    ++events_;
    bytes_ += weight;
    first = waiting_.empty();
    wait_again({.item = std::move(item), .weight = weight, .queued_at = std::chrono::steady_clock::now()}, false);
    metrics_.accept_queue.add(1);
    metrics_.accept_queue_bytes.add(static_cast<std::int64_t>(weight));
  }
  if (first)
    filled_.notify_one();
  return true;
}

bool accept_queue::has_room(tenant_no tenant, std::size_t weight) const {
  if (events_ >= bounds_.events_max || (events_ > 0 && bytes_ + weight > bounds_.bytes_max))
    return false;
  const auto bytes = waiting_bytes_.find(tenant);
  return bytes == waiting_bytes_.end() || (leaves_room(waiting_.size_of(tenant), events_, bounds_.events_max) &&
                                           leaves_room(bytes->second, bytes_, bounds_.bytes_max));
}

void accept_queue::wait_again(queued_accept item, bool first) {
  const auto tenant = tenant_of(item);
  waiting_bytes_[tenant] += item.weight;
  first ? waiting_.push_front(tenant, std::move(item)) : waiting_.push_back(tenant, std::move(item));
}

void accept_queue::left(const queued_accept& item) {
  const auto found = waiting_bytes_.find(tenant_of(item));
  found->second -= item.weight;
  if (found->second == 0) // each weighs something; several may have left the queue before
    waiting_bytes_.erase(found);
}

std::vector<queued_accept> accept_queue::cut_batch() {
  std::vector<queued_accept> batch;
  std::size_t bytes = 0;
  std::size_t rows = 0;
  batch.reserve(std::min(waiting_.size(), bounds_.batch_events_max));
  while (!waiting_.empty() && batch.size() < bounds_.batch_events_max) {
    bytes += waiting_.front().weight;
    rows += 1 + waiting_.front().item->deliveries.size();
    if (!batch.empty() && (bytes > bounds_.batch_bytes_max || rows > bounds_.batch_rows_max))
      break;
    batch.push_back(waiting_.pop_front(1 + waiting_.front().weight / turn_weight));
    left(batch.back());
  }
  if (!waiting_.empty())
    filled_.notify_one(); // the other writer takes the rest
  return batch;
}

std::vector<queued_accept> accept_queue::take(mono_time until) {
  std::unique_lock lock{mutex_};
  const auto something = [this] { return !waiting_.empty() || closed_; };
  bring_back(std::chrono::steady_clock::now());
  if (!filled_.wait_until(lock, std::min(until, back_at_), something)) {
    bring_back(std::chrono::steady_clock::now());
    return cut_batch();
  }
  if (bounds_.linger.count() > 0 && !closed_ && waiting_.size() < bounds_.batch_events_max)
    filled_.wait_for(lock, bounds_.linger, [this] { return waiting_.size() >= bounds_.batch_events_max || closed_; });
  return cut_batch();
}

void accept_queue::put_back(std::vector<queued_accept> items) {
  {
    const std::lock_guard lock{mutex_};
    const auto later = std::stable_partition(
      items.begin(), items.end(),
      [now = std::chrono::steady_clock::now()](const queued_accept& each) { return each.not_before <= now; });
    for (auto each = later; each != items.begin();)
      wait_again(std::move(*--each), true);
    for (auto each = later; each != items.end(); ++each) {
      back_at_ = std::min(back_at_, each->not_before);
      aside_.push_back(std::move(*each));
    }
  }
  filled_.notify_one();
}

void accept_queue::bring_back(mono_time now) {
  if (now < back_at_)
    return;
  const auto first = std::stable_partition(aside_.begin(), aside_.end(),
                                           [now](const queued_accept& each) { return each.not_before > now; });
  for (auto each = aside_.end(); each != first;)
    wait_again(std::move(*--each), true);
  aside_.erase(first, aside_.end());
  back_at_ = mono_time::max();
  for (const auto& each : aside_)
    back_at_ = std::min(back_at_, each.not_before);
}

void accept_queue::answered(std::size_t events, std::size_t bytes) {
  const std::lock_guard lock{mutex_};
  events_ -= events;
  bytes_ -= bytes;
  metrics_.accept_queue.add(-static_cast<std::int64_t>(events));
  metrics_.accept_queue_bytes.add(-static_cast<std::int64_t>(bytes));
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
  const auto expired = [now](const queued_accept& each) { return each.item->deadline <= now; };
  auto late = waiting_.take_if(expired);
  for (const auto& each : late)
    left(each);
  const auto first = std::stable_partition(aside_.begin(), aside_.end(), std::not_fn(expired));
  std::move(first, aside_.end(), std::back_inserter(late));
  aside_.erase(first, aside_.end());
  return late;
}

void accept_queue::watch_deadlines() {
  std::unique_lock lock{mutex_};
  while (!stopping_) {
    stopped_.wait_for(lock, expiry_step, [this] { return stopping_; });
    const auto now = std::chrono::steady_clock::now();
    // Each tenant's head is its oldest, but for a few that were put back.
    if (stopping_ ||
        (aside_.empty() && !waiting_.any_head([now](const queued_accept& each) { return each.item->deadline <= now; })))
      continue;
    auto late = cut_expired(now);
    if (late.empty())
      continue;
    lock.unlock();
    expired_(std::move(late));
    lock.lock();
  }
}

} // namespace postrider
