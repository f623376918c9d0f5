#pragma once

#include "core/fair_places.hpp"
#include "core/fair_share.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <utility>
#include <vector>

namespace postrider {

/// Whether a key that has `own` of a whole that holds `all` of at most `most` may have one more: at most four times
/// what is free, so alone four fifths of it. Whoever comes new finds room beside any flood (Choudhury, Hahne 1998).
[[nodiscard]] constexpr bool leaves_room(std::uint64_t own, std::uint64_t all, std::uint64_t most) noexcept {
  return all < most && fair_room(own, most - all, parent_weight) > 0;
}

/// Queues by key (tenant), each first in, first out, that take turns: however much one of them puts in, another's next
/// waits for two turns of each other key at most (of equal weight), by `core/fair_share.hpp`. Not thread-safe, no bound
/// of its own.
template <class T>
class turn_queue {
public:
  using key = fair_share::key;

  /// The key's weight is that of the last call.
  void push_back(key which, T value, std::uint32_t weight = 1) {
    queues_[which].push_back(std::move(value));
    added(which, weight);
  }
  /// Before all others of that key.
  void push_front(key which, T value, std::uint32_t weight = 1) {
    queues_[which].push_front(std::move(value));
    added(which, weight);
  }
  /// Whose turn it is; not where it is empty.
  [[nodiscard]] T& front() { return queues_.find(*turns_.next())->second.front(); }
  /// Takes it; that was `units` of its key's share.
  T pop_front(std::uint64_t units = 1) {
    const auto which = *turns_.next();
    turns_.serve(which, units);
    auto& queue = queues_.find(which)->second;
    auto out = std::move(queue.front());
    queue.pop_front();
    --size_;
    if (queue.empty())
      forget(which);
    return out;
  }
  /// Takes all of which that holds, whoever's turn it is, each key's in its order.
  template <class Predicate>
  std::vector<T> take_if(Predicate&& wanted) {
    std::vector<T> out;
    std::vector<key> emptied;
    for (auto& [which, queue] : queues_) {
      std::deque<T> kept;
      for (auto& each : queue)
        wanted(each) ? out.push_back(std::move(each)) : kept.push_back(std::move(each));
      queue = std::move(kept);
      if (queue.empty())
        emptied.push_back(which);
    }
    for (const auto which : emptied)
      forget(which);
    size_ -= out.size();
    return out;
  }
  /// Whether that holds for the head of any key's queue.
  template <class Predicate>
  [[nodiscard]] bool any_head(Predicate&& holds) const {
    for (const auto& [which, queue] : queues_)
      if (holds(queue.front()))
        return true;
    return false;
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size_of(key which) const {
    const auto found = queues_.find(which);
    return found == queues_.end() ? 0 : found->second.size();
  }

private:
  void added(key which, std::uint32_t weight) {
    ++size_;
    turns_.add(which, weight);
  }
  void forget(key which) {
    turns_.remove(which);
    queues_.erase(which);
  }

  std::unordered_map<key, std::deque<T>> queues_; // none of them is empty
  fair_share turns_;
  std::size_t size_ = 0;
};

} // namespace postrider
