#include "persistence/record_queue.hpp"

#include <algorithm>
#include <iterator>

namespace postrider {

void record_queue::push(std::vector<outcome_write> writes) {
  if (writes.empty())
    return;
  bool wake = false;
  {
    const std::lock_guard lock{mutex_};
    // The writer sleeps until the first comes, and then until the batch is full: nothing in between wakes it.
    wake = waiting_.empty() || (waiting_.size() < batch_max && waiting_.size() + writes.size() >= batch_max);
    if (!prompt_ && std::any_of(writes.begin(), writes.end(), [](const outcome_write& each) { return each.prompt; }))
      wake = prompt_ = true;
    unwritten_ += writes.size();
    waiting_.insert(waiting_.end(), std::make_move_iterator(writes.begin()), std::make_move_iterator(writes.end()));
    metrics_.record_queue.set(static_cast<std::int64_t>(unwritten_));
  }
  if (wake)
    filled_.notify_one();
}

std::vector<outcome_write> record_queue::take(mono_time until) {
  std::unique_lock lock{mutex_};
  if (!filled_.wait_until(lock, until, [this] { return !waiting_.empty() || closed_; }))
    return {};
  if (waiting_.size() < batch_max && !closed_)
    filled_.wait_for(lock, flush_after, [this] { return waiting_.size() >= batch_max || prompt_ || closed_; });
  const auto count = static_cast<std::ptrdiff_t>(std::min(waiting_.size(), batch_max));
  std::vector<outcome_write> batch{std::make_move_iterator(waiting_.begin()),
                                   std::make_move_iterator(waiting_.begin() + count)};
  waiting_.erase(waiting_.begin(), waiting_.begin() + count);
  prompt_ = prompt_ && !waiting_.empty();
  return batch;
}

void record_queue::put_back(std::vector<outcome_write> writes) {
  const std::lock_guard lock{mutex_};
  waiting_.insert(waiting_.begin(), std::make_move_iterator(writes.begin()), std::make_move_iterator(writes.end()));
}

void record_queue::written(std::size_t count) {
  const std::lock_guard lock{mutex_};
  unwritten_ -= count;
  metrics_.record_queue.set(static_cast<std::int64_t>(unwritten_));
  if (unwritten_ == 0)
    drained_.notify_all();
}

void record_queue::close() {
  {
    const std::lock_guard lock{mutex_};
    closed_ = true;
  }
  filled_.notify_all();
}

bool record_queue::wait_drained(mono_time until) {
  std::unique_lock lock{mutex_};
  return drained_.wait_until(lock, until, [this] { return unwritten_ == 0; });
}

std::size_t record_queue::size() const {
  const std::lock_guard lock{mutex_};
  return unwritten_;
}

} // namespace postrider
