// What of an ordered endpoint has its turn, and which of its keys are asked for.

#include "core/endpoint_dispatch.hpp"

#include <algorithm>
#include <utility>

namespace postrider {

void endpoint_dispatch::due_keys(std::span<const std::string> keys, const dispatch_now& now, dispatch_effects& out) {
  told_ = true;
  for (const auto& each : keys)
    book_.expect(each, now.wall);
  advance(now, out);
}

void endpoint_dispatch::line_up(const delivery_id& delivery, std::optional<std::string> key) {
  if (!key || book_.add(delivery, std::move(*key)))
    push_ready(delivery);
  else
    open_.at(delivery).at = phase::behind;
}

// The one ahead goes back to the database: nothing behind it has its turn before.
void endpoint_dispatch::release_behind(const delivery_id& delivery, const dispatch_now& now, dispatch_effects& out) {
  for (const auto& each : book_.cut(delivery)) {
    auto& held = open_.at(each);
    if (held.at != phase::behind)
      continue; // released already
    auto write = end(each, held, delivery_input::release);
    write.next_attempt_at = held.scheduled = now.wall;
    out.writes.push_back(std::move(write));
  }
}

void endpoint_dispatch::next_in_line(const delivery_id& delivery, std::optional<wall_time> due,
                                     const dispatch_now& now) {
  const auto next = book_.left(delivery, due, now.wall);
  if (!next)
    return;
  open_.at(*next).at = phase::ready;
  push_ready(*next);
}

// Something that is due and nobody says of which key is looked for all around, and with it what has no place in the
// order: an endpoint may not always have been ordered.
void endpoint_dispatch::want_ordered_claim(const dispatch_now& now, dispatch_effects& out) {
  if (claiming_ || gate_.state == breaker_state::open || is_held(clock_, now.mono) ||
      (claim_not_before_ && now.mono < *claim_not_before_))
    return;
  if (const auto due = due_.earliest(); due && *due <= now.wall)
    book_.look_around();
  const bool due_now = book_.wants_look(now.wall, now.mono);
  const bool probe = gate_.state == breaker_state::half_open;
  if (!due_now && !probe)
    return;
  const auto limit = std::min<std::int64_t>(claim_limit(now.mono), fitting(memory_max));
  if (limit <= 0)
    return;
  auto look = book_.look(probe && !due_now, now.wall, now.mono);
  if (look.keys.empty() && !look.from)
    return;
  // A probe is what is due, if anything is.
  by_lane<std::uint32_t> most{};
  most.fill(static_cast<std::uint32_t>(limit));
  ask(most, static_cast<std::uint32_t>(limit), probe && due_now ? std::nullopt : backoff_before(now), now, out,
      std::move(look));
}

void endpoint_dispatch::note_look(claim_answer& answer, const dispatch_now& now) {
  if (!answer.available || !answer.owned)
    return book_.failed(now.wall);
  for (const auto& each : answer.blocked)
    book_.expect(each.key, each.due);
  book_.looked(answer.look_on, !answer.claimed.empty(), now.mono);
}

} // namespace postrider
