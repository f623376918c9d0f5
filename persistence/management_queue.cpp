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
    workers_.push_back(std::make_unique<worker>(sessions, watchdog_, counts, false));
  workers_.push_back(std::make_unique<worker>(sessions, watchdog_, counts, true));
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
    left = std::exchange(keys_, {});
    for (auto& [tenant, of] : lines_) {
      left.insert(left.end(), of.waiting.begin(), of.waiting.end());
      of.waiting.clear();
    }
    waiting_ = 0;
  }
  work_.notify_all();
  keys_work_.notify_all();
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
    if (stopping_ || !line_up(call))
      return false;
    unanswered_.push_back(call);
  }
  // All of them: the one that wakes first may be the one that may not run it.
  call->turn.kind == call_kind::key ? keys_work_.notify_one() : work_.notify_all();
  deadline_.notify_one();
  return true;
}

bool management_queue::line_up(const management_call_ptr& call) {
  if (call->turn.kind == call_kind::key) {
    if (keys_.size() >= limits_.waiting_max)
      return false;
    keys_.push_back(call);
    return true;
  }
  const auto& tenant = call->turn.tenant;
  const auto found = lines_.find(tenant);
  const bool full =
    found != lines_.end() && !tenant.empty() && found->second.waiting.size() >= limits_.tenant_waiting_max;
  if (full || waiting_ >= limits_.waiting_max)
    return false;
  auto& of = found != lines_.end() ? found->second : lines_[tenant];
  if (of.waiting.empty() && of.running == 0)
    of.turn = ++turns_;
  of.waiting.push_back(call);
  ++waiting_;
  return true;
}

/// It will not run any more. A call that runs, or ran, is in no line.
void management_queue::leave_line(const management_call_ptr& call) {
  if (call->turn.kind == call_kind::key) {
    std::erase(keys_, call);
    return;
  }
  const auto found = lines_.find(call->turn.tenant);
  if (found == lines_.end())
    return;
  waiting_ -= std::erase(found->second.waiting, call);
  if (found->second.waiting.empty() && found->second.running == 0)
    lines_.erase(found);
}

bool management_queue::may_run(const line_map::value_type& of) const {
  const auto& [tenant, calls] = of;
  if (calls.waiting.empty() || (calls.running > 0 && !tenant.empty()))
    return false;
  const auto searches_max = std::max<std::size_t>(limits_.workers, 2) - 1;
  return calls.waiting.front()->turn.kind != call_kind::search || searching_ < searches_max;
}

/// At most as many lines as calls wait and run: a walk is cheap.
management_queue::line_map::iterator management_queue::next_line() {
  auto best = lines_.end();
  for (auto it = lines_.begin(); it != lines_.end(); ++it)
    if (may_run(*it) && (best == lines_.end() || it->second.turn < best->second.turn))
      best = it;
  return best;
}

management_call_ptr management_queue::next_call(const worker& self) {
  std::unique_lock guard{mutex_};
  if (self.for_keys) {
    keys_work_.wait(guard, [&] { return stopping_ || !keys_.empty(); });
    if (keys_.empty())
      return nullptr;
    auto call = std::move(keys_.front());
    keys_.pop_front();
    return call;
  }
  auto next = lines_.end();
  work_.wait(guard, [&] {
    next = next_line();
    return stopping_ || next != lines_.end();
  });
  if (next == lines_.end())
    return nullptr;
  auto& of = next->second;
  auto call = std::move(of.waiting.front());
  of.waiting.pop_front();
  of.turn = ++turns_;
  ++of.running;
  --waiting_;
  searching_ += call->turn.kind == call_kind::search ? 1 : 0;
  return call;
}

void management_queue::finish(const management_call_ptr& call) {
  {
    const std::lock_guard guard{mutex_};
    unanswered_.remove(call); // at most those that wait and run: a walk is cheap
    if (call->turn.kind == call_kind::key)
      return;
    searching_ -= call->turn.kind == call_kind::search ? 1 : 0;
    const auto of = lines_.find(call->turn.tenant);
    --of->second.running;
    if (of->second.waiting.empty() && of->second.running == 0)
      lines_.erase(of);
  }
  work_.notify_all(); // what waited for this may run now, on whichever worker
}

void management_queue::work(worker& self) {
  while (const auto call = next_call(self)) {
    if (!call->answered) {
      if (ready(self))
        call->run(self.connection, *call);
      else if (call->claim_answer())
        call->fail(store_unavailable());
    }
    finish(call);
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
    leave_line(first);
    guard.unlock();
    if (first->claim_answer())
      first->fail(store_unavailable());
    guard.lock();
  }
}

} // namespace postrider
