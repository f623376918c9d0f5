#include "persistence/watchdog.hpp"

#include <algorithm>
#include <sys/socket.h>

namespace postrider {

watchdog::watchdog() {
  thread_ = std::thread{[this] { run(); }};
}

watchdog::~watchdog() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void watchdog::limit::end_at(mono_time end) {
  const std::lock_guard lock{owner_.mutex_};
  end_ = std::min(end_, end);
  for (auto& each : owner_.entries_)
    if (each.under == this)
      each.deadline = std::min(each.deadline, end_);
  owner_.changed_.notify_one();
}

watchdog::guard::guard(const limit& under, int descriptor, mono_time deadline) : owner_{under.owner_} {
  const std::lock_guard lock{owner_.mutex_};
  deadline = std::min(deadline, under.end_);
  auto& entries = owner_.entries_;
  const auto free = std::find_if(entries.begin(), entries.end(), [](const entry& each) { return each.descriptor < 0; });
  slot_ = static_cast<std::size_t>(free - entries.begin());
  if (free == entries.end())
    entries.emplace_back();
  entries[slot_] = {descriptor, &under, deadline, false};
  // The usual call ends long before the thread wakes for an earlier one, so it is hardly ever woken here.
  if (deadline < owner_.wakes_at_)
    owner_.changed_.notify_one();
}

watchdog::guard::~guard() {
  const std::lock_guard lock{owner_.mutex_};
  owner_.entries_[slot_] = {};
}

bool watchdog::guard::fired() const {
  const std::lock_guard lock{owner_.mutex_};
  return owner_.entries_[slot_].fired;
}

mono_time watchdog::shut_late_ones(mono_time now) {
  auto next = mono_time::max();
  for (auto& each : entries_) {
    if (each.descriptor < 0 || each.fired)
      continue;
    if (each.deadline <= now) {
      ::shutdown(each.descriptor, SHUT_RDWR);
      each.fired = true;
    } else {
      next = std::min(next, each.deadline);
    }
  }
  return next;
}

void watchdog::run() {
  std::unique_lock lock{mutex_};
  while (!stopping_) {
    wakes_at_ = shut_late_ones(std::chrono::steady_clock::now());
    if (wakes_at_ == mono_time::max())
      changed_.wait(lock);
    else
      changed_.wait_until(lock, wakes_at_);
  }
}

} // namespace postrider
