#include "core/endpoint_dispatch.hpp"

#include <algorithm>

namespace postrider {

namespace {

constexpr milliseconds claim_retry_delay{1'000};
constexpr milliseconds slice_length{100};
constexpr std::uint32_t room_max = 4'096;
constexpr std::int64_t entry_overhead = 256;

std::int64_t weight_of(const event_ptr& what) noexcept {
  return entry_overhead + (what ? static_cast<std::int64_t>(what->weight()) : 0);
}

} // namespace

void dispatch_effects::clear() {
  starts.clear();
  writes.clear();
  wanted_claim.reset();
  breaker_changed = false;
  breaker_cause = {};
  disable_endpoint = false;
  disable_reason = {};
}

// ------------------------------------------------------------------------------------------------ inputs

void endpoint_dispatch::configure(dispatch_policy policy, const dispatch_now& now, dispatch_effects& out) {
  policy_ = std::move(policy);
  advance(now, out);
}

void endpoint_dispatch::own(fence under, const dispatch_now& now, dispatch_effects& out) {
  if (under != under_) {
    // The rows under the former fence are closed by whoever took the shard; a release under it would change nothing.
    for (const auto& id : ready_)
      if (const auto it = open_.find(id); it != open_.end())
        forget(it);
    ready_.clear();
    under_ = under;
  }
  advance(now, out);
}

void endpoint_dispatch::restore(breaker stored, const dispatch_now& now, dispatch_effects& out) {
  gate_ = std::move(stored);
  advance(now, out);
}

void endpoint_dispatch::committed(std::vector<committed_ride> rides, const dispatch_now& now, dispatch_effects& out) {
  for (auto& ride : rides) {
    if (ride.under != under_ || under_ == 0)
      continue; // taken over meanwhile: the row is another's to close
    hold(
      ride.delivery,
      {.what = std::move(ride.what), .number = 1, .step = 0, .seed = ride.seed, .under = ride.under, .scheduled = {}},
      now, out);
  }
  advance(now, out);
}

void endpoint_dispatch::due(wall_time at, const dispatch_now& now, dispatch_effects& out) {
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
      own(0, now, out);
  } else {
    claim_not_before_.reset();
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
              .scheduled = {}},
             now, out);
    close_overdue(answer.overdue, now, out);
    // A claim that brought nothing although there should be something must not be followed by the same at once.
    const bool barren = answer.claimed.empty() && out.writes.size() == writes && !due_meanwhile_;
    if (barren && next_due_ && (*next_due_ <= now.wall || claiming_any_))
      claim_not_before_ = now.mono + claim_retry_delay;
  }
  due_meanwhile_.reset();
  advance(now, out);
}

void endpoint_dispatch::close_overdue(std::span<const overdue_attempt> rows, const dispatch_now& now,
                                      dispatch_effects& out) {
  for (const auto& each : rows) {
    if (open_.contains(each.delivery) || under_ == 0)
      continue;
    open_.emplace(each.delivery, entry{.what = {},
                                       .number = each.number,
                                       .step = each.step,
                                       .under = each.under,
                                       .at = phase::recording,
                                       .scheduled = now.wall});
    weight_ += weight_of({});
    out.writes.push_back({.delivery = each.delivery,
                          .under = each.under,
                          .to = delivery_state::retry_wait,
                          .step = each.step,
                          .next_attempt_at = now.wall,
                          .number = each.number,
                          .outcome = attempt_outcome::interrupted,
                          .attempt_failure = attempt_reason::interrupted});
  }
}

void endpoint_dispatch::finished(std::span<const finished_attempt> results, const dispatch_now& now,
                                 dispatch_effects& out) {
  std::int32_t index = 0;
  for (const auto& each : results)
    finish(each, index++, now, out);
  advance(now, out);
}

void endpoint_dispatch::recorded(const delivery_id& delivery, bool hit, const dispatch_now& now,
                                 dispatch_effects& out) {
  const auto it = open_.find(delivery);
  if (it != open_.end() && it->second.old_writes > 0) {
    --it->second.old_writes;
  } else if (it != open_.end() && it->second.at == phase::recording) {
    if (hit && it->second.scheduled)
      schedule(*it->second.scheduled);
    forget(it);
  }
  advance(now, out);
}

void endpoint_dispatch::timer(const dispatch_now& now, dispatch_effects& out) {
  if (gate_.next_at && *gate_.next_at <= now.mono)
    move_gate(breaker_input::timer, gate_.epoch, now, "cool_down_over", out);
  advance(now, out);
}

void endpoint_dispatch::drain(const dispatch_now& now, dispatch_effects& out) {
  draining_ = true;
  advance(now, out);
}

// ------------------------------------------------------------------------------------------------ decisions

void endpoint_dispatch::finish(const finished_attempt& result, std::int32_t index, const dispatch_now& now,
                               dispatch_effects& out) {
  const auto it = open_.find(result.delivery);
  if (it == open_.end() || it->second.at != phase::sending || it->second.number != result.number)
    return; // late: another incarnation's, or already closed
  auto& held = it->second;
  --sending_;
  held.at = phase::recording;
  dispatch_effects::write write{
    .delivery = result.delivery, .under = held.under, .step = held.step, .number = held.number};
  write.result_index = index;
  if (!result.sent) {
    write.to = delivery_state::pending;
    write.uncount = true;
    write.next_attempt_at = now.wall + claim_retry_delay;
    move_gate(breaker_input::void_, result.breaker_epoch, now, "not_sent", out);
  } else {
    const auto judged = judge(result.facts);
    write.attempt_failure = judged.reason;
    write.http_status = result.facts.http_status;
    switch (judged.what) {
    case verdict::kind::success:
      write.to = delivery_state::succeeded;
      write.event = held.what ? held.what->id : event_id{};
      break;
    case verdict::kind::interrupted:
      write.to = delivery_state::retry_wait;
      write.outcome = attempt_outcome::interrupted;
      write.next_attempt_at = now.wall;
      break;
    case verdict::kind::give_up:
      write.to = delivery_state::dead;
      write.outcome = attempt_outcome::failed;
      write.reason = judged.give_up_reason;
      ++write.step;
      break;
    case verdict::kind::retry: {
      write.outcome = attempt_outcome::failed;
      ++write.step;
      const auto delay = backoff_delay(policy_.retry, write.step, held.seed, result.facts.retry_after);
      write.to = delay ? delivery_state::retry_wait : delivery_state::dead;
      if (delay)
        write.next_attempt_at = now.wall + *delay;
      else
        write.reason = delivery_reason::exhausted;
      break;
    }
    }
    if (judged.disable_endpoint) {
      policy_.active = false;
      out.disable_endpoint = true;
      out.disable_reason =
        judged.give_up_reason == delivery_reason::endpoint_gone ? "endpoint_gone" : "asked_by_receiver";
    }
    const bool good = judged.what == verdict::kind::success;
    const auto input = !judged.counts_for_breaker ? breaker_input::void_
                       : good                     ? breaker_input::success
                                                  : breaker_input::failure;
    move_gate(input, result.breaker_epoch, now, good ? "probe_succeeded" : "attempts_failed", out);
  }
  held.scheduled = write.next_attempt_at;
  weight_ -= weight_of(held.what) - weight_of({});
  held.what.reset();
  count_completion(now.mono);
  out.writes.push_back(std::move(write));
}

void endpoint_dispatch::advance(const dispatch_now& now, dispatch_effects& out) {
  backlogged_ = next_due_ && *next_due_ <= now.wall;
  if (may_send())
    start_ready(now, out);
  else if (under_ != 0)
    release_ready(now, out);
  if (may_send())
    want_claim(now, out);
}

void endpoint_dispatch::start_ready(const dispatch_now& now, dispatch_effects& out) {
  while (!ready_.empty() && sending_ < policy_.max_in_flight) {
    const auto it = open_.find(ready_.front());
    const auto admitted = move_gate(breaker_input::admit, gate_.epoch, now, "admit", out);
    if (!admitted.admitted) {
      release_ready(now, out);
      return;
    }
    ready_.pop_front();
    it->second.at = phase::sending;
    ++sending_;
    out.starts.push_back({it->first, it->second.number, gate_.epoch, it->second.what});
  }
}

// Nothing of it was sent, so the attempt is uncounted: waiting for a breaker, a pause or a shutdown burns none.
void endpoint_dispatch::release_ready(const dispatch_now& now, dispatch_effects& out) {
  for (const auto& id : ready_) {
    auto& held = open_.at(id);
    held.at = phase::recording;
    held.scheduled = now.wall;
    weight_ -= weight_of(held.what) - weight_of({});
    held.what.reset();
    out.writes.push_back({.delivery = id,
                          .under = held.under,
                          .to = delivery_state::pending,
                          .step = held.step,
                          .next_attempt_at = now.wall,
                          .number = held.number,
                          .uncount = true});
  }
  ready_.clear();
}

void endpoint_dispatch::want_claim(const dispatch_now& now, dispatch_effects& out) {
  if (claiming_ || !next_due_ || gate_.state == breaker_state::open ||
      (claim_not_before_ && now.mono < *claim_not_before_))
    return;
  const bool due_now = *next_due_ <= now.wall;
  if (!due_now && gate_.state != breaker_state::half_open)
    return;
  const auto limit = std::min<std::int64_t>(claim_limit(), fitting());
  if (limit <= 0)
    return;
  claiming_ = true;
  claiming_any_ = !due_now;
  out.wanted_claim = dispatch_effects::claim{static_cast<std::uint32_t>(limit), claiming_any_};
}

// How many rows the window, or the breaker, has use for.
std::uint32_t endpoint_dispatch::claim_limit() const noexcept {
  if (gate_.state == breaker_state::half_open) {
    if (gate_.probes_running > 0 || !ready_.empty() || sending_ > 0)
      return 0;
    const auto probes = policy_.breaker.probes;
    return std::min(claim_max, probes > gate_.probes_succeeded ? probes - gate_.probes_succeeded : 1);
  }
  if (ready_.size() >= policy_.max_in_flight || open_.size() >= room())
    return 0;
  return std::min(claim_max, room() - static_cast<std::uint32_t>(open_.size()));
}

// How many more events fit into `memory_max`; one always does, while the bound is not reached.
std::int64_t endpoint_dispatch::fitting() const noexcept {
  return weight_ >= memory_max ? 0 : std::max<std::int64_t>((memory_max - weight_) / typical_, 1);
}

breaker_step endpoint_dispatch::move_gate(breaker_input input, std::uint32_t epoch, const dispatch_now& now,
                                          std::string_view cause, dispatch_effects& out) {
  auto moved = step(gate_, input, epoch, now.mono, now.draw, policy_.breaker);
  gate_ = moved.next;
  if (moved.changed) {
    out.breaker_changed = true;
    out.breaker_cause = cause;
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
    value.old_writes = it->second.old_writes + 1;
    it->second = std::move(value);
  } else if (it->second.under == value.under) {
    return; // held already
  } else {
    // Taken over and back while the former attempt runs here: not sent twice at once, and not lost.
    ++it->second.old_writes;
    const auto at = now.wall + claim_retry_delay;
    out.writes.push_back({.delivery = delivery,
                          .under = value.under,
                          .to = delivery_state::pending,
                          .step = value.step,
                          .next_attempt_at = at,
                          .number = value.number,
                          .uncount = true});
    return schedule(at);
  }
  weight_ += weight;
  ready_.push_back(delivery);
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

void endpoint_dispatch::count_completion(mono_time now) {
  if (now - slice_start_ >= slice_length) {
    last_slice_ = now - slice_start_ < 2 * slice_length ? slice_count_ : 0;
    slice_start_ = now;
    slice_count_ = 0;
  }
  ++slice_count_;
}

// ------------------------------------------------------------------------------------------------ views

std::uint32_t endpoint_dispatch::room() const noexcept {
  return std::min(room_max, 2 * policy_.max_in_flight + std::max(last_slice_, slice_count_));
}

std::int64_t endpoint_dispatch::lendable(std::int64_t taken) const noexcept {
  if (!may_send() || gate_.state != breaker_state::closed)
    return 0;
  const auto all = static_cast<std::int64_t>(room()) / (backlogged_ ? 2 : 1);
  return std::max<std::int64_t>(0, std::min(all - static_cast<std::int64_t>(open_.size()), fitting()) - taken);
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
  if (may_send() && !claiming_ && next_due_ && gate_.state != breaker_state::open) {
    const bool any = gate_.state == breaker_state::half_open;
    auto claim_at = any || *next_due_ <= now.wall ? now.mono : now.mono + (*next_due_ - now.wall);
    if (claim_not_before_)
      claim_at = std::max(claim_at, *claim_not_before_);
    if (claim_at > now.mono) // else it waits for room, and a message makes that
      consider(claim_at);
  }
  return at;
}

} // namespace postrider
