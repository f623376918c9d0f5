#pragma once

#include "core/turn_queue.hpp"

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

namespace postrider {

/// Queues of two levels that take turns: tenants among each other, all alike; within a tenant its endpoints, by weight.
/// What a tenant gets does not grow with the number of its endpoints, nor with their weights: it is its turn, and one
/// of its endpoints uses it. Each endpoint's own are first in, first out. By `core/fair_share.hpp`, so nobody starves:
/// of a tenant's turns an endpoint of weight w waits for no more than `W / w` and one for each other endpoint, where W
/// is the sum of the weights of those that wait.
///
/// Not thread-safe, no bound of its own. What an endpoint has had is forgotten when its tenant has nothing waiting.
template <class T>
class turn_tree {
public:
  using key = fair_share::key;

  /// `endpoint`: 0 is a key like any other, for what belongs to none. Its weight is that of the last call.
  void push_back(key tenant, key endpoint, std::uint32_t weight, T value) {
    queues_[tenant].push_back(endpoint, std::move(value), weight);
    turns_.add(tenant);
    ++size_;
  }
  /// Takes the one whose turn it is; not where it is empty.
  T pop_front() {
    const auto tenant = *turns_.next();
    turns_.serve(tenant);
    const auto found = queues_.find(tenant);
    auto out = found->second.pop_front();
    --size_;
    if (found->second.empty()) {
      turns_.remove(tenant);
      queues_.erase(found);
    }
    return out;
  }
  /// Takes all; each endpoint's in its order.
  std::vector<T> take_all() {
    std::vector<T> out;
    out.reserve(size_);
    while (!empty())
      out.push_back(pop_front());
    return out;
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  /// Of all endpoints of that tenant.
  [[nodiscard]] std::size_t size_of(key tenant) const {
    const auto found = queues_.find(tenant);
    return found == queues_.end() ? 0 : found->second.size();
  }

private:
  std::unordered_map<key, turn_queue<T>> queues_; // by tenant; none of them is empty
  fair_share turns_;
  std::size_t size_ = 0;
};

} // namespace postrider
