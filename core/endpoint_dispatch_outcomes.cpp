// How attempts end: what is written, and what follows from STORE's answer.

#include "core/endpoint_dispatch.hpp"

#include <utility>

namespace postrider {

namespace {

constexpr milliseconds slice_length{100};
constexpr std::int64_t entry_overhead = 256;

delivery_input input_of(verdict::kind judged, bool again) noexcept {
  switch (judged) {
  case verdict::kind::success:
    return delivery_input::succeed;
  case verdict::kind::interrupted:
    return delivery_input::interrupt;
  case verdict::kind::give_up:
    return delivery_input::give_up;
  case verdict::kind::retry:
    break;
  }
  return again ? delivery_input::fail : delivery_input::give_up;
}

} // namespace

void endpoint_dispatch::finished(std::span<const finished_attempt> results, const dispatch_now& now,
                                 dispatch_effects& out) {
  std::int32_t index = 0;
  for (const auto& each : results)
    finish(each, index++, now, out);
  advance(now, out);
}

void endpoint_dispatch::recorded(std::span<const recorded_write> results, const dispatch_now& now,
                                 dispatch_effects& out) {
  for (const auto& each : results)
    record_one(each, now, out);
  advance(now, out);
}

void endpoint_dispatch::record_one(const recorded_write& result, const dispatch_now& now, dispatch_effects& out) {
  const auto it = open_.find(result.delivery);
  // Else: a claim brought the row's next attempt before the word of this one's write.
  if (it == open_.end() || it->second.at != phase::recording || it->second.ticket != result.ticket)
    return;
  const auto& held = it->second;
  const auto due = result.hit ? held.scheduled : std::nullopt;
  if (held.ordered) {
    if (!result.hit)
      release_behind(result.delivery, now, out);
    forget(it);
    return next_in_line(result.delivery, due, now);
  }
  if (result.hit) {
    if (held.scheduled)
      schedule(*held.scheduled, held.failed ? lane_after_failure(held.lane) : held.lane);
  } else if (result.found && result.found->under == held.under && !is_final(result.found->state)) {
    schedule(now.wall);
  }
  forget(it);
}

void endpoint_dispatch::finish(const finished_attempt& result, std::int32_t index, const dispatch_now& now,
                               dispatch_effects& out) {
  const auto it = open_.find(result.delivery);
  if (it == open_.end() || it->second.at != phase::sending || it->second.number != result.number)
    return; // late: another incarnation's, or already closed
  auto& held = it->second;
  const bool used_up =
    sending_ >= window() || (shares_by_lane() && lanes_.uses_up(held.lane, window(), background_due_));
  const auto sent_at = held.sent_at;
  --sending_;
  lanes_.finish(held.lane);
  count_completion(now.mono);
  if (!result.sent) {
    if (policy_.rate)
      sends_ = give_back(sends_, 1, now.mono, *policy_.rate);
    auto write = end(result.delivery, held, delivery_input::release);
    write.result_index = index;
    write.next_attempt_at = held.scheduled = now.wall + claim_retry_delay;
    out.writes.push_back(std::move(write));
    release_behind(result.delivery, now, out);
    move_gate(breaker_input::void_, result.breaker_epoch, now, "not_sent", out);
    return;
  }
  const auto judged = judge(result.facts);
  const bool failed = judged.what == verdict::kind::retry || judged.what == verdict::kind::give_up;
  held.step += failed ? 1 : 0;
  const auto delay = judged.what == verdict::kind::retry
                       ? backoff_delay(policy_.retry, held.step, held.seed, result.facts.retry_after)
                       : std::nullopt;
  const auto event = held.what ? held.what->id : event_id{};
  auto write = end(result.delivery, held, input_of(judged.what, delay.has_value()));
  write.result_index = index;
  write.attempt_failure = judged.reason;
  write.http_status = result.facts.http_status;
  if (judged.what == verdict::kind::success)
    write.event = event;
  else if (judged.what == verdict::kind::interrupted)
    write.next_attempt_at = now.wall;
  else if (delay)
    write.next_attempt_at = now.wall + *delay;
  else
    write.reason = judged.what == verdict::kind::give_up ? judged.give_up_reason : delivery_reason::exhausted;
  held.scheduled = write.next_attempt_at;
  out.writes.push_back(std::move(write));
  if (held.ordered) {
    book_.note_end(!held.scheduled);
    if (held.scheduled)
      release_behind(result.delivery, now, out);
  }
  learn(judged, result, sent_at, used_up, now, out);
}

void endpoint_dispatch::close_overdue(std::span<const overdue_attempt> rows, const dispatch_now& now,
                                      dispatch_effects& out) {
  for (const auto& each : rows) {
    if (open_.contains(each.delivery) || under() == 0)
      continue;
    auto& held = open_[each.delivery];
    held.number = each.number;
    held.step = each.step;
    held.under = each.under;
    held.ordered = each.place.has_value();
    if (each.place)
      book_.adopt(each.delivery, each.place->key);
    weight_ += weight_of({});
    lanes_.hold(held.lane);
    auto write = end(each.delivery, held, delivery_input::interrupt);
    write.next_attempt_at = held.scheduled = now.wall;
    write.attempt_failure = attempt_reason::interrupted;
    out.writes.push_back(std::move(write));
  }
}

// Nothing of it was sent, so the attempt is uncounted: waiting for a breaker, a pause or a shutdown burns none.
void endpoint_dispatch::release(const delivery_id& delivery, entry& held, const dispatch_now& now,
                                dispatch_effects& out) {
  auto write = end(delivery, held, delivery_input::release);
  write.next_attempt_at = held.scheduled = now.wall;
  const bool ordered = held.ordered;
  out.writes.push_back(std::move(write));
  if (ordered)
    release_behind(delivery, now, out);
}

void endpoint_dispatch::release_ready(const dispatch_now& now, dispatch_effects& out) {
  lanes_.take_all([&](const delivery_id& id) { release(id, open_.at(id), now, out); });
  for (const auto& id : book_.cut_behind())
    release(id, open_.at(id), now, out);
}

dispatch_effects::write endpoint_dispatch::end(const delivery_id& delivery, entry& held, delivery_input input) {
  dispatch_effects::write write{.delivery = delivery, .under = held.under, .step = held.step, .number = held.number};
  write.to = next_state(delivery_state::in_flight, input).value();
  write.uncount = input == delivery_input::release;
  if (write.uncount)
    write.claimed_until = held.claimed_until;
  write.outcome = input == delivery_input::succeed     ? attempt_outcome::succeeded
                  : input == delivery_input::interrupt ? attempt_outcome::interrupted
                                                       : attempt_outcome::failed;
  write.ticket = held.ticket = ++tickets_;
  write.prompt = held.ordered;
  held.at = phase::recording;
  held.failed = input == delivery_input::fail;
  drop_event(held);
  return write;
}

std::int64_t endpoint_dispatch::weight_of(const event_ptr& what) noexcept {
  return entry_overhead + (what ? static_cast<std::int64_t>(what->weight()) : 0);
}

void endpoint_dispatch::drop_event(entry& held) {
  weight_ -= weight_of(held.what) - weight_of({});
  held.what.reset();
}

void endpoint_dispatch::count_completion(mono_time now) {
  if (now - slice_start_ >= slice_length) {
    last_slice_ = now - slice_start_ < 2 * slice_length ? slice_count_ : 0;
    slice_start_ = now;
    slice_count_ = 0;
  }
  ++slice_count_;
}

} // namespace postrider
