// The world of an ordered endpoint: what its claims find, and what must hold of every start.

#include "tests/support/dispatch_world.hpp"

#include "tests/support/dispatch_bench.hpp"

#include <algorithm>

namespace postrider::test {

namespace {

constexpr std::size_t round_page = 3; // several pages to a round

} // namespace

// A commit tells of its key; one on another node, or a person's, only of the endpoint.
void dispatch_world::tell_of(const delivery_id& id) {
  const auto& place = rows_.at(id).place;
  if (!place || below(4) == 0)
    return dispatch_.due(wall_, now(), out_);
  dispatch_.due_keys({&place->key, 1}, now(), out_);
}

void dispatch_world::check_turn(const delivery_id& id, const row& which) {
  const auto& place = *which.place;
  for (const auto& [other, number] : running_)
    require(other == id || !rows_.at(other).place || rows_.at(other).place->key != place.key,
            "two of one key are sent at once");
  if (which.under != dispatch_.under())
    return; // it was taken over in this moment
  for (const auto& [other, each] : rows_)
    require(!each.place || each.place->key != place.key || each.place->no >= place.no || is_final(each.state),
            "sent before the one ahead is final");
}

claimed_attempt dispatch_world::take(const delivery_id& id, const dispatch_effects::claim& wanted, fence under) {
  auto& each = rows_.at(id);
  move(each, delivery_input::claim);
  each.under = under;
  each.due = wanted.until;
  each.changed = wall_;
  ++each.attempt_count;
  return {id,        dispatch_bench::event_of(100),           each.attempt_count, each.step, each.seed,
          each.lane, wanted.order ? each.place : std::nullopt};
}

void dispatch_world::execute_in_order(const dispatch_effects::claim& wanted, fence under, claim_answer& answer) {
  const auto& look = *wanted.order;
  std::map<std::string, std::map<std::int64_t, delivery_id>> lines;
  for (const auto& [id, each] : rows_)
    if (each.place && each.due)
      lines[each.place->key].emplace(each.place->no, id);
  auto keys = look.keys;
  if (look.from) {
    std::size_t count = 0;
    for (auto it = lines.lower_bound(*look.from); it != lines.end() && !answer.look_on; ++it) {
      if (std::find(keys.begin(), keys.end(), it->first) == keys.end())
        keys.push_back(it->first);
      if (++count == round_page)
        answer.look_on = it->first + '\x01';
    }
  }
  for (const auto& key : keys) {
    const auto line = lines.find(key);
    if (line == lines.end() || std::find(look.open_keys.begin(), look.open_keys.end(), key) != look.open_keys.end())
      continue;
    const auto runs = std::find_if(line->second.begin(), line->second.end(), [&](const auto& one) {
      const auto& each = rows_.at(one.second);
      return each.state == delivery_state::in_flight && *each.due > wall_;
    });
    if (runs != line->second.end()) {
      answer.blocked.push_back({key, *rows_.at(runs->second).due});
      continue;
    }
    std::uint32_t count = 0;
    bool closing = false;
    for (const auto& [no, id] : line->second) {
      auto& each = rows_.at(id);
      const bool reached =
        wanted.backoff_before && each.state == delivery_state::retry_wait && each.changed < *wanted.backoff_before;
      if (each.state == delivery_state::in_flight) {
        answer.overdue.push_back({id, each.under, each.attempt_count, each.step, each.place});
        closing = true;
      } else if (closing || (*each.due > wall_ && !reached) || count == look.run ||
                 answer.claimed.size() == wanted.limit) {
        break;
      } else {
        answer.claimed.push_back(take(id, wanted, under));
        ++count;
      }
    }
    if (count == 0 && !closing)
      answer.blocked.push_back({key, *rows_.at(line->second.begin()->second).due});
  }
}

} // namespace postrider::test
