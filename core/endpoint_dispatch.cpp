#include "core/endpoint_dispatch.hpp"

#include <algorithm>
#include <utility>

namespace postrider {

void dispatch_effects::clear() {
  starts.clear();
  writes.clear();
  wanted_claim.reset();
  breaker_changed = false;
  breaker_cause = {};
  clock_changed = false;
  disable_endpoint = false;
  disable_reason = {};
}

// ------------------------------------------------------------------------------------------------ inputs

void endpoint_dispatch::configure(dispatch_policy policy, const dispatch_now& now, dispatch_effects& out) {
  const bool resumed = policy.active && !policy_.active;
  if (policy.ordered != policy_.ordered)
    schedule(now.wall); // the other kind of claim may see what the one before did not
  policy_ = std::move(policy);
  if (resumed) { // what waited in the database meanwhile was not told
    claim_not_before_.reset();
    schedule(now.wall);
    forget_failures();
  }
  advance(now, out);
}

void endpoint_dispatch::own(fence under, const dispatch_now& now, dispatch_effects& out) {
  granted_ = under != 0;
  if (!granted_) {
    suspend(now.mono);
  } else {
    if (under != under_) { // the rows under the former fence are closed by whoever took the shard
      forget_ready(now.wall);
      looked_ = false;
      book_.look_around();
    }
    under_ = under;
    suspended_since_.reset();
  }
  advance(now, out);
}

void endpoint_dispatch::restore(const memory& stored, const dispatch_now& now, dispatch_effects& out) {
  gate_ = stored.gate;
  clock_ = stored.clock;
  catch_up_ = stored.closed_at;
  failing_since_ = stored.failing_since;
  failing_kept_ = failing_since_.has_value();
  advance(now, out);
}

void endpoint_dispatch::committed(std::vector<committed_ride> rides, const dispatch_now& now, dispatch_effects& out) {
  for (auto& ride : rides) {
    if (under_ == 0 && !granted_) { // lent by a former incarnation, before the suspension in which this one started
      under_ = ride.under;
      suspend(now.mono);
    }
    if (ride.under == under_) // else it was taken over meanwhile: the row is another's to close
      hold(ride.delivery,
           {.what = std::move(ride.what), .seed = ride.seed, .under = ride.under, .lane = live_lane(policy_.priority)},
           {}, now, out);
  }
  advance(now, out);
}

void endpoint_dispatch::due(wall_time at, const dispatch_now& now, dispatch_effects& out) {
  told_ = true;
  schedule(at);
  if (policy_.one_key)
    book_.expect({}, at);
  advance(now, out);
}

void endpoint_dispatch::timer(const dispatch_now& now, dispatch_effects& out) {
  if (gate_.next_at && *gate_.next_at <= now.mono)
    move_gate(breaker_input::timer, gate_.epoch, now, "cool_down_over", out);
  if (granted_ && suspended_since_ && now.mono - *suspended_since_ >= claim_retry_delay)
    suspended_since_.reset();
  advance(now, out);
}

void endpoint_dispatch::reset_breaker(const dispatch_now& now, dispatch_effects& out) {
  move_gate(breaker_input::reset, gate_.epoch, now, "reset_by_operator", out);
  advance(now, out);
}

void endpoint_dispatch::withdraw(std::span<const delivery_id> deliveries, const dispatch_now& now,
                                 dispatch_effects& out) {
  for (const auto& each : deliveries) {
    const auto it = open_.find(each);
    if (it == open_.end()) {
      if (withdrawn_.size() < withdrawn_max)
        withdrawn_.insert(each);
      withdrawn_until_ = now.mono + withdrawn_lasts;
    } else if (it->second.at == phase::ready || it->second.at == phase::behind) {
      lanes_.erase(it->second.lane, each);
      release(each, it->second, now, out);
    }
  }
  advance(now, out);
}

void endpoint_dispatch::drain(const dispatch_now& now, dispatch_effects& out) {
  draining_ = true;
  advance(now, out);
}

// ------------------------------------------------------------------------------------------------ decisions

void endpoint_dispatch::advance(const dispatch_now& now, dispatch_effects& out) {
  may_hold_ = now.may_hold;
  keep_clock(now, out);
  live_due_ = due_.live_by(now.wall);
  background_due_ = due_.background_by(now.wall);
  if (suspended_since_ && now.mono - *suspended_since_ >= suspension_max)
    forget_ready(now.wall);
  // A release is guarded by its fence: it may be written although the shard is not owned at this moment.
  if (!policy_.active || draining_ || gate_.state == breaker_state::open || is_held(clock_, now.mono))
    release_ready(now, out);
  if (wants_look())
    look(now, out);
  if (!may_send())
    return;
  start_ready(now, out);
  policy_.ordered ? want_ordered_claim(now, out) : want_claim(now, out);
}

void endpoint_dispatch::start_ready(const dispatch_now& now, dispatch_effects& out) {
  token_at_.reset();
  while (const auto lane = next_ready()) {
    const auto id = lanes_.front(*lane);
    auto& held = open_.at(id);
    // Any claim may close it by then: it gets a time anew.
    if (held.claimed_until &&
        *held.claimed_until <= now.wall + (held.ordered ? policy_.attempt_lasts : milliseconds{0})) {
      lanes_.drop_front(*lane);
      release(id, held, now, out);
      continue;
    }
    const auto token = policy_.rate ? take(sends_, 1, now.mono, *policy_.rate) : rate_step{.next = sends_};
    if (!token.admitted()) {
      token_at_ = token.wait_until;
      return;
    }
    const auto admitted = move_gate(breaker_input::admit, gate_.epoch, now, "admit", out);
    if (!admitted.admitted) {
      release_ready(now, out);
      return;
    }
    sends_ = token.next;
    lanes_.start_front(*lane);
    held.at = phase::sending;
    held.sent_at = now.mono;
    ++sending_;
    out.starts.push_back({id, held.number, gate_.epoch, held.what});
  }
}

breaker_step endpoint_dispatch::move_gate(breaker_input input, std::uint32_t epoch, const dispatch_now& now,
                                          std::string_view cause, dispatch_effects& out) {
  auto moved = step(gate_, input, epoch, now.mono, now.draw, policy_.breaker);
  gate_ = moved.next;
  if (!moved.changed)
    return moved;
  out.breaker_changed = true;
  out.breaker_cause = cause;
  if (gate_.state == breaker_state::closed) {
    clock_ = reopened(clock_, policy_.max_in_flight);
    catch_up_ = now.wall;
    book_.expect_all(now.wall);
    book_.look_around();
  }
  return moved;
}

// ------------------------------------------------------------------------------------------------ bookkeeping

void endpoint_dispatch::hold(const delivery_id& delivery, entry value, std::optional<std::string> key,
                             const dispatch_now& now, dispatch_effects& out) {
  const auto weight = weight_of(value.what);
  typical_ = std::max(weight, typical_ - typical_ / 8);
  const auto it = open_.find(delivery);
  if (it == open_.end()) {
    lanes_.hold(value.lane);
    open_.emplace(delivery, std::move(value));
  } else if (it->second.at == phase::recording) {
    // Its write is committed, or nobody could have claimed the row: only the word of it is still on the way.
    weight_ -= weight_of(it->second.what);
    lanes_.forget(it->second.lane);
    lanes_.hold(value.lane);
    it->second = std::move(value);
  } else if (it->second.under == value.under) {
    return; // held already
  } else {
    // Taken over and back while the former attempt runs here: not sent twice at once, and not lost.
    const auto at = now.wall + claim_retry_delay;
    value.what.reset(); // it never counted
    auto write = end(delivery, value, delivery_input::release);
    write.next_attempt_at = at;
    out.writes.push_back(std::move(write));
    return schedule(at);
  }
  weight_ += weight;
  line_up(delivery, std::move(key));
  if (!withdrawn_.empty() && take_withdrawn(delivery, now.mono)) {
    auto& held = open_.at(delivery);
    lanes_.erase(held.lane, delivery);
    release(delivery, held, now, out);
  }
}

void endpoint_dispatch::push_ready(const delivery_id& delivery) {
  lanes_.push(open_.at(delivery).lane, delivery);
}

std::optional<delivery_lane> endpoint_dispatch::next_ready() const noexcept {
  if (sending_ >= window())
    return std::nullopt;
  return shares_by_lane() ? lanes_.next(window(), background_due_) : lanes_.next_of_all();
}

bool endpoint_dispatch::take_withdrawn(const delivery_id& delivery, mono_time now) {
  if (now >= withdrawn_until_)
    withdrawn_.clear();
  return withdrawn_.erase(delivery) > 0;
}

void endpoint_dispatch::forget_ready(wall_time now) {
  const auto behind = book_.cut_behind();
  const auto drop = [&](const delivery_id& id) {
    book_.cut(id);
    book_.left(id, std::nullopt, now);
    forget(open_.find(id));
  };
  lanes_.take_all(drop);
  for (const auto& id : behind)
    drop(id);
}

void endpoint_dispatch::suspend(mono_time now) {
  if (!suspended_since_)
    suspended_since_ = now;
}

void endpoint_dispatch::forget(std::unordered_map<delivery_id, entry>::iterator it) {
  weight_ -= weight_of(it->second.what);
  lanes_.forget(it->second.lane);
  open_.erase(it);
}

// ------------------------------------------------------------------------------------------------ views

bool endpoint_dispatch::records(const delivery_id& delivery) const {
  const auto it = open_.find(delivery);
  return it != open_.end() && it->second.at == phase::recording;
}

std::vector<delivery_id> endpoint_dispatch::known() const {
  std::vector<delivery_id> ids;
  ids.reserve(open_.size());
  for (const auto& [id, held] : open_)
    ids.push_back(id);
  return ids;
}

std::optional<mono_time> endpoint_dispatch::wake_at(const dispatch_now& now) const {
  std::optional<mono_time> at;
  const auto consider = [&](mono_time candidate) { at = at ? std::min(*at, candidate) : candidate; };
  if (gate_.next_at)
    consider(*gate_.next_at);
  if (suspended_since_ && granted_)
    consider(*suspended_since_ + claim_retry_delay);
  else if (suspended_since_ && ready() > 0)
    consider(*suspended_since_ + suspension_max);
  if (wants_look()) {
    const auto due = *due_.earliest();
    const auto look_at = due <= now.wall ? now.mono : now.mono + (due - now.wall);
    consider(claim_not_before_ ? std::max(look_at, *claim_not_before_) : look_at);
    if (policy_.ordered)
      at = std::max(*at, book_.look_at(now.wall, now.mono).value_or(*at));
  }
  if (clock_unkept_ && kept_at_)
    consider(*kept_at_ + clock_kept_every);
  if (!may_send())
    return at;
  if (is_held(clock_, now.mono))
    consider(*clock_.held_until);
  if (token_at_)
    consider(*token_at_);
  if (node_is_full() && !claiming_ && gate_.state != breaker_state::open)
    if (const auto due = next_due(); due || catch_up_)
      consider(now.mono + std::max<mono_time::duration>(room_asked_every, due.value_or(now.wall) - now.wall));
  if (policy_.ordered) {
    if (const auto look_at = book_.look_at(now.wall, now.mono); look_at && !claiming_ && *look_at > now.mono)
      consider(claim_not_before_ ? std::max(*look_at, *claim_not_before_) : *look_at);
  }
  if (const auto due = due_.earliest_in(claimable(now));
      !claiming_ && gate_.state != breaker_state::open && (due || catch_up_)) {
    auto claim_at = backoff_before(now) || !due || *due <= now.wall ? now.mono : now.mono + (*due - now.wall);
    if (claim_not_before_)
      claim_at = std::max(claim_at, *claim_not_before_);
    if (claim_at > now.mono) // else it waits for room, and a message makes that
      consider(claim_at);
  }
  return at;
}

} // namespace postrider
