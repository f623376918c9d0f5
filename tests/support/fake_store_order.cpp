// How fake_store claims what stands in an order, as persistence/ordered_claim_sql.hpp does.

#include "tests/support/fake_store.hpp"

#include <algorithm>
#include <set>

namespace postrider::tests {

namespace {

constexpr std::size_t round_page = 256;

using lines = std::map<std::string, std::map<std::int64_t, fake_store::row*>>; ///< live rows of each key

/// Those that are asked for, then those of the round; and where it goes on.
std::vector<std::string> keys_of(const order_look& look, const lines& live, std::optional<std::string>& look_on) {
  std::vector<std::string> out = look.keys;
  if (!look.from)
    return out;
  std::size_t count = 0;
  for (auto it = live.lower_bound(*look.from); it != live.end(); ++it) {
    if (std::find(out.begin(), out.end(), it->first) == out.end())
      out.push_back(it->first);
    if (++count == round_page) {
      look_on = it->first + '\x01';
      break;
    }
  }
  return out;
}

} // namespace

void fake_store::claim_in_order(const claim_request& request, claim_result& out) {
  const auto& look = *request.order;
  lines live;
  for (auto& [id, each] : deliveries_)
    if (each.endpoint == request.endpoint && each.place && each.next_attempt_at)
      live[each.place->key].emplace(each.place->no, &each);
  const std::set<std::string> open{look.open_keys.begin(), look.open_keys.end()};
  const auto claimable = [&](const row& each) {
    return each.state != delivery_state::in_flight &&
           (*each.next_attempt_at <= request.now ||
            (request.backoff_before && each.state == delivery_state::retry_wait &&
             each.updated_at < *request.backoff_before));
  };
  for (const auto& key : keys_of(look, live, out.look_on)) {
    const auto line = live.find(key);
    if (line == live.end() || open.contains(key))
      continue;
    std::optional<wall_time> until;
    for (const auto& [no, each] : line->second)
      if (each->state == delivery_state::in_flight && *each->next_attempt_at > request.now)
        until = std::min(until.value_or(*each->next_attempt_at), *each->next_attempt_at);
    if (until) {
      out.blocked.push_back({key, *until});
      continue;
    }
    std::uint32_t count = 0;
    bool closing = false;
    for (const auto& [no, each] : line->second) {
      if (each->state == delivery_state::in_flight) {
        out.overdue_attempts.push_back({each->id, each->under, each->attempt_count, each->step, each->place});
        closing = true;
      } else if (closing || !claimable(*each) || count == look.run || out.claimed.size() == request.limit) {
        break;
      } else {
        out.claimed.push_back(take(*each, request));
        out.claimed.back().place = each->place;
        ++count;
      }
    }
    if (count == 0 && !closing)
      out.blocked.push_back({key, *line->second.begin()->second->next_attempt_at});
  }
}

} // namespace postrider::tests
