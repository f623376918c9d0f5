#include "persistence/management_queue.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include <poll.h>

namespace postrider {
namespace {

constexpr milliseconds reconnect_pause{200};

/// Between calls the server has nothing to say: what it sends is its farewell, or the end.
bool cut_by_server(const session& connection) {
  pollfd socket{connection.descriptor(), POLLIN, 0};
  return poll(&socket, 1, 0) != 0;
}

} // namespace

management_queue::management_queue(session_options sessions, limits bounds, metrics& counts) : limits_{bounds} {
  for (std::size_t i = 0; i < limits_.workers; ++i)
    workers_.push_back(std::make_unique<worker>(sessions, watchdog_, counts));
  for (auto& each : workers_)
    each->thread = std::thread{[this, self = each.get()] { work(*self); }};
  deadline_thread_ = std::thread{[this] { watch_deadlines(); }};
}

management_queue::~management_queue() {
  stop();
}

void management_queue::stop() {
  std::deque<management_call_ptr> left;
  {
    const std::lock_guard guard{mutex_};
    stopping_ = true;
    left = std::exchange(waiting_, {});
  }
  work_.notify_all();
  deadline_.notify_all();
  for (const auto& call : left)
    if (call->claim_answer())
      call->fail(store_unavailable("the node is shutting down"));
  for (auto& each : workers_)
    if (each->thread.joinable())
      each->thread.join();
  if (deadline_thread_.joinable())
    deadline_thread_.join();
}

bool management_queue::post(const management_call_ptr& call) {
  call->deadline = std::chrono::steady_clock::now() + limits_.call_deadline;
  {
    const std::lock_guard guard{mutex_};
    if (stopping_ || waiting_.size() >= limits_.waiting_max)
      return false;
    waiting_.push_back(call);
    unanswered_.push_back(call);
  }
  work_.notify_one();
  deadline_.notify_one();
  return true;
}

management_call_ptr management_queue::next_call() {
  std::unique_lock guard{mutex_};
  work_.wait(guard, [&] { return stopping_ || !waiting_.empty(); });
  if (waiting_.empty())
    return nullptr;
  auto call = std::move(waiting_.front());
  waiting_.pop_front();
  return call;
}

/// At most 256 and the workers' own: a walk is cheap.
void management_queue::forget(const management_call_ptr& call) {
  const std::lock_guard guard{mutex_};
  unanswered_.remove(call);
}

void management_queue::work(worker& self) {
  while (const auto call = next_call()) {
    if (!call->answered) {
      if (ready(self))
        call->run(self.connection, *call);
      else if (call->claim_answer())
        call->fail(store_unavailable());
    }
    forget(call);
  }
}

/// Connected, as far as one can know. A connection that was cut while nobody looked is found out here and not by a call
/// that might have written something.
bool management_queue::ready(worker& self) {
  if (self.connection.connected() && cut_by_server(self.connection))
    self.connection.disconnect();
  if (!self.connection.connected()) {
    if (std::chrono::steady_clock::now() < self.connect_after)
      return false;
    if (const auto failure = self.connection.connect()) {
      spdlog::warn("management store: no connection detail={}", failure->detail);
      self.connect_after = std::chrono::steady_clock::now() + reconnect_pause;
      return false;
    }
  }
  return true;
}

void management_queue::watch_deadlines() {
  std::unique_lock guard{mutex_};
  while (!stopping_) {
    if (unanswered_.empty()) {
      deadline_.wait(guard, [&] { return stopping_ || !unanswered_.empty(); });
      continue;
    }
    const auto first = unanswered_.front();
    if (std::chrono::steady_clock::now() < first->deadline) {
      deadline_.wait_until(guard, first->deadline);
      continue;
    }
    unanswered_.pop_front();
    std::erase(waiting_, first);
    guard.unlock();
    if (first->claim_answer())
      first->fail(store_unavailable());
    guard.lock();
  }
}

} // namespace postrider
