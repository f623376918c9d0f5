#include "core/endpoint_dispatch.hpp"

#include <algorithm>
#include <utility>

namespace postrider {

namespace {

// Ahead of all that can have been written by now, whatever the clocks differ.
constexpr std::chrono::hours whole_backoff{24};

} // namespace

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
      forget_ready();
      looked_ = false;
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
      hold(ride.delivery, {.what = std::move(ride.what), .seed = ride.seed, .under = ride.under}, now, out);
  }
  advance(now, out);
}

void endpoint_dispatch::due(wall_time at, const dispatch_now& now, dispatch_effects& out) {
  told_ = true;
  schedule(at);
  advance(now, out);
}

void endpoint_dispatch::claimed(claim_answer answer, const dispatch_now& now, dispatch_effects& out) {
  claiming_ = false;
  if (!answer.available) {
    claim_not_before_ = now.mono + claim_retry_delay;
    schedule(now.wall);
  } else if (!answer.owned) {
    if (answer.under == under_)
      suspend(now.mono);
  } else {
    claim_not_before_.reset();
    if (answer.under == under_)
      looked_ = answer.overdue.empty(); // else there may be more than a page of them
    next_due_ = answer.next_due;
    if (due_meanwhile_)
      schedule(*due_meanwhile_);
    const auto writes = out.writes.size();
    for (auto& each : answer.claimed)
      if (answer.under == under_)
        hold(each.delivery,
             {.what = std::move(each.what),
              .number = each.number,
              .step = each.step,
              .seed = each.seed,
              .under = answer.under,
              .claimed_until = claimed_until_},
             now, out);
    close_overdue(answer.overdue, now, out);
    // A claim that brought nothing although there should be something must not be followed by the same at once.
    const bool barren = answer.claimed.empty() && out.writes.size() == writes && !due_meanwhile_;
    if (barren && claiming_backoff_)
      catch_up_.reset();
    if (barren && next_due_ && (*next_due_ <= now.wall || gate_.state == breaker_state::half_open))
      claim_not_before_ = now.mono + claim_retry_delay;
  }
  due_meanwhile_.reset();
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
    } else if (it->second.at == phase::ready) {
      drop_ready(each);
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
  keep_clock(now, out);
  backlogged_ = next_due_ && *next_due_ <= now.wall;
  if (suspended_since_ && now.mono - *suspended_since_ >= suspension_max)
    forget_ready();
  // A release is guarded by its fence: it may be written although the shard is not owned at this moment.
  if (!policy_.active || draining_ || gate_.state == breaker_state::open || is_held(clock_, now.mono))
    release_ready(now, out);
  if (wants_look())
    look(now, out);
  if (!may_send())
    return;
  start_ready(now, out);
  want_claim(now, out);
}

void endpoint_dispatch::start_ready(const dispatch_now& now, dispatch_effects& out) {
  token_at_.reset();
  while (!ready_.empty() && sending_ < window()) {
    const auto id = next_ready();
    auto& held = open_.at(id);
    if (held.claimed_until && *held.claimed_until <= now.wall) { // any claim may close it by now: it gets a time anew
      pop_ready();
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
    pop_ready();
    held.at = phase::sending;
    held.sent_at = now.mono;
    ++sending_;
    out.starts.push_back({id, held.number, gate_.epoch, held.what});
  }
}

std::optional<wall_time> endpoint_dispatch::backoff_before(const dispatch_now& now) const noexcept {
  if (gate_.state == breaker_state::half_open) // if nothing is due, the oldest in backoff is the probe
    return now.wall + whole_backoff;
  return gate_.state == breaker_state::closed ? catch_up_ : std::nullopt;
}

void endpoint_dispatch::want_claim(const dispatch_now& now, dispatch_effects& out) {
  if (claiming_ || (!next_due_ && !catch_up_) || gate_.state == breaker_state::open || is_held(clock_, now.mono) ||
      (claim_not_before_ && now.mono < *claim_not_before_))
    return;
  const bool due_now = next_due_ && *next_due_ <= now.wall;
  const auto backoff = backoff_before(now);
  if (!due_now && !backoff)
    return;
  const auto limit = std::min<std::int64_t>(claim_limit(now.mono), fitting());
  if (limit <= 0)
    return;
  // A probe is what is due, if anything is.
  const bool reach_back = backoff && !(due_now && gate_.state == breaker_state::half_open);
  ask(static_cast<std::uint32_t>(limit), reach_back ? backoff : std::nullopt, now, out);
}

// Not sent, but not left as if it were under way either: what a former owner had in flight is closed, and waits.
void endpoint_dispatch::look(const dispatch_now& now, dispatch_effects& out) {
  if (*next_due_ > now.wall || (claim_not_before_ && now.mono < *claim_not_before_))
    return;
  ask(0, std::nullopt, now, out);
}

void endpoint_dispatch::ask(std::uint32_t limit, std::optional<wall_time> backoff_before, const dispatch_now& now,
                            dispatch_effects& out) {
  claiming_ = true;
  claiming_backoff_ = backoff_before.has_value();
  claimed_until_ = std::max(now.wall + policy_.claim_lasts, claimed_until_ + milliseconds{1});
  out.wanted_claim = dispatch_effects::claim{limit, backoff_before, claimed_until_, next_due_};
}

// How many rows the window, or the breaker, has use for.
std::uint32_t endpoint_dispatch::claim_limit(mono_time now) const noexcept {
  if (gate_.state == breaker_state::half_open) {
    // Requests from before the breaker opened only take up places: a probe does not wait for their end.
    if (gate_.probes_running > 0 || !ready_.empty() || sending_ >= window())
      return 0;
    const auto probes = policy_.breaker.probes;
    const auto missing = probes > gate_.probes_succeeded ? probes - gate_.probes_succeeded : 1;
    return std::min({claim_max, missing, window() - sending_});
  }
  if (ready_.size() >= window() || open_.size() >= room())
    return 0;
  const auto limit = std::min(claim_max, room() - static_cast<std::uint32_t>(open_.size()));
  const auto paid = affordable(now) - static_cast<std::int64_t>(ready_.size());
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(paid, 0, limit));
}

// How many more events fit into `memory_max`; one always does, while the bound is not reached.
std::int64_t endpoint_dispatch::fitting() const noexcept {
  return weight_ >= memory_max ? 0 : std::max<std::int64_t>((memory_max - weight_) / typical_, 1);
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
  }
  return moved;
}

// ------------------------------------------------------------------------------------------------ bookkeeping

void endpoint_dispatch::hold(const delivery_id& delivery, entry value, const dispatch_now& now, dispatch_effects& out) {
  const auto weight = weight_of(value.what);
  typical_ = std::max(weight, typical_ - typical_ / 8);
  const auto it = open_.find(delivery);
  if (it == open_.end()) {
    open_.emplace(delivery, std::move(value));
  } else if (it->second.at == phase::recording) {
    // Its write is committed, or nobody could have claimed the row: only the word of it is still on the way.
    weight_ -= weight_of(it->second.what);
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
  if (!withdrawn_.empty() && take_withdrawn(delivery, now.mono))
    return release(delivery, open_.at(delivery), now, out);
  push_ready(delivery);
}

void endpoint_dispatch::push_ready(const delivery_id& delivery) {
  ready_.push_back(delivery);
}

delivery_id endpoint_dispatch::next_ready() const {
  return ready_.front();
}

void endpoint_dispatch::pop_ready() {
  ready_.pop_front();
}

void endpoint_dispatch::drop_ready(const delivery_id& delivery) {
  std::erase(ready_, delivery);
}

bool endpoint_dispatch::take_withdrawn(const delivery_id& delivery, mono_time now) {
  if (now >= withdrawn_until_)
    withdrawn_.clear();
  return withdrawn_.erase(delivery) > 0;
}

void endpoint_dispatch::forget_ready() {
  for (const auto& id : ready_)
    forget(open_.find(id));
  ready_.clear();
}

void endpoint_dispatch::suspend(mono_time now) {
  if (!suspended_since_)
    suspended_since_ = now;
}

void endpoint_dispatch::forget(std::unordered_map<delivery_id, entry>::iterator it) {
  weight_ -= weight_of(it->second.what);
  open_.erase(it);
}

void endpoint_dispatch::schedule(wall_time at) {
  next_due_ = next_due_ ? std::min(*next_due_, at) : at;
  if (claiming_)
    due_meanwhile_ = due_meanwhile_ ? std::min(*due_meanwhile_, at) : at;
}

// ------------------------------------------------------------------------------------------------ views

std::uint32_t endpoint_dispatch::room() const noexcept {
  return std::min(room_max, 2 * window() + std::max(last_slice_, slice_count_));
}

std::int64_t endpoint_dispatch::lendable(std::int64_t taken, mono_time now) const noexcept {
  if (!may_send() || gate_.state != breaker_state::closed || is_held(clock_, now))
    return 0;
  const auto all = static_cast<std::int64_t>(room()) / (backlogged_ ? 2 : 1) - static_cast<std::int64_t>(open_.size());
  const auto paid = affordable(now) - static_cast<std::int64_t>(ready_.size());
  return std::max<std::int64_t>(0, std::min({all, fitting(), paid}) - taken);
}

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
  else if (suspended_since_ && !ready_.empty())
    consider(*suspended_since_ + suspension_max);
  if (wants_look()) {
    const auto look_at = *next_due_ <= now.wall ? now.mono : now.mono + (*next_due_ - now.wall);
    consider(claim_not_before_ ? std::max(look_at, *claim_not_before_) : look_at);
  }
  if (clock_unkept_ && kept_at_)
    consider(*kept_at_ + clock_kept_every);
  if (!may_send())
    return at;
  if (is_held(clock_, now.mono))
    consider(*clock_.held_until);
  if (token_at_)
    consider(*token_at_);
  if (!claiming_ && gate_.state != breaker_state::open && (next_due_ || catch_up_)) {
    auto claim_at = backoff_before(now) || *next_due_ <= now.wall ? now.mono : now.mono + (*next_due_ - now.wall);
    if (claim_not_before_)
      claim_at = std::max(claim_at, *claim_not_before_);
    if (claim_at > now.mono) // else it waits for room, and a message makes that
      consider(claim_at);
  }
  return at;
}

} // namespace postrider
