#include "net/api_worker.hpp"

#include <utility>

namespace postrider {

api_worker::api_worker() : thread_([this] { run(); }) {}

api_worker::~api_worker() {
  stop();
}

bool api_worker::post(std::function<void()> task) {
  {
    const std::lock_guard guard{mutex_};
    if (stopping_ || waiting_.size() >= waiting_max)
      return false;
    waiting_.push_back(std::move(task));
  }
  changed_.notify_one();
  return true;
}

void api_worker::run() {
  std::unique_lock guard{mutex_};
  while (true) {
    changed_.wait(guard, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_)
      return;
    auto task = std::move(waiting_.front());
    waiting_.pop_front();
    guard.unlock();
    task();
    task = nullptr; // what it holds goes while nobody waits for the lock
    guard.lock();
  }
}

void api_worker::stop() {
  std::deque<std::function<void()>> dropped;
  {
    const std::lock_guard guard{mutex_};
    stopping_ = true;
    dropped.swap(waiting_);
  }
  changed_.notify_all();
  if (thread_.joinable())
    thread_.join();
}

} // namespace postrider
