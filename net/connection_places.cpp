#include "net/connection_places.hpp"

#include <algorithm>
#include <numeric>

namespace postrider {
namespace {

template <class Map>
std::uint64_t count_of(const Map& counts, std::int64_t key) {
  const auto found = counts.find(key);
  return found == counts.end() ? 0 : found->second;
}

template <class Map>
void count_down(Map& counts, std::int64_t key) noexcept {
  const auto found = counts.find(key);
  if (found != counts.end() && --found->second == 0)
    counts.erase(found);
}

} // namespace

connection_places::connection_places(std::int64_t most) noexcept
    : most_(static_cast<std::uint64_t>(std::max<std::int64_t>(most, 1))) {}

places_taken connection_places::taken_by(const connection_holder& who) const {
  return {.own = count_of(endpoints_, who.endpoint),
          .parent = count_of(tenants_, who.tenant),
          .whole = taken_.load(std::memory_order_relaxed)};
}

bool connection_places::take(const connection_holder& who) {
  const std::lock_guard lock{mutex_};
  if (fair_room(taken_by(who), most_, who.weight) == 0)
    return false;
  ++tenants_[who.tenant];
  ++endpoints_[who.endpoint];
  taken_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void connection_places::give_back(const connection_holder& who) noexcept {
  const std::lock_guard lock{mutex_};
  count_down(tenants_, who.tenant);
  count_down(endpoints_, who.endpoint);
  taken_.fetch_sub(1, std::memory_order_relaxed);
}

bool connection_places::beyond_share(const connection_holder& who) const {
  if (taken_.load(std::memory_order_relaxed) <= plenty_of(most_))
    return false; // the usual case, on the path of every request
  const std::lock_guard lock{mutex_};
  return postrider::beyond_share(taken_by(who), most_, who.weight);
}

std::vector<std::size_t> connection_places::to_close_for(const connection_holder& who,
                                                         std::span<const connection_holder> idle) const {
  const std::lock_guard lock{mutex_};
  std::vector<std::size_t> order(idle.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_partition(order.begin(), order.end(), [&](std::size_t at) {
    return idle[at].tenant == who.tenant || postrider::beyond_share(taken_by(idle[at]), most_, idle[at].weight);
  });
  auto then = taken_by(who);
  for (std::size_t count = 0; count < order.size(); ++count) {
    const auto& closed = idle[order[count]];
    then.own -= closed.endpoint == who.endpoint ? 1 : 0;
    then.parent -= closed.tenant == who.tenant ? 1 : 0;
    --then.whole;
    if (fair_room(then, most_, who.weight) == 0)
      continue;
    order.resize(count + 1);
    return order;
  }
  return {};
}

} // namespace postrider
