#pragma once

#include "core/endpoint_dispatch.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace postrider::test {

/// An endpoint_dispatch on virtual time: inputs by name, the effects of the last one to look at.
class dispatch_bench {
public:
  explicit dispatch_bench(dispatch_policy policy = {}) : dispatch{std::move(policy)} {
    const dispatch_now at = now();
    dispatch.own(fence_, at, out);
  }

  static delivery_id id(std::uint32_t n) {
    delivery_id out;
    out.value.bytes[12] = static_cast<std::uint8_t>(n >> 24U);
    out.value.bytes[13] = static_cast<std::uint8_t>(n >> 16U);
    out.value.bytes[14] = static_cast<std::uint8_t>(n >> 8U);
    out.value.bytes[15] = static_cast<std::uint8_t>(n);
    return out;
  }
  static event_ptr event_of(std::size_t size) {
    auto what = std::make_shared<event>();
    what->body.assign(size, 'x');
    return what;
  }

  [[nodiscard]] dispatch_now now() const { return {mono, wall, draw, may_hold}; }
  void advance(milliseconds by) {
    mono += by;
    wall += by;
  }

  /// Forgets the last effects; what they wrote will be answered.
  void look() {
    for (const auto& each : out.writes)
      unanswered[each.delivery].push_back(each.ticket);
    out.clear();
  }

  void own(fence under) {
    look();
    dispatch.own(under, now(), out);
  }
  void configure(dispatch_policy policy) {
    look();
    dispatch.configure(std::move(policy), now(), out);
  }
  void restore(breaker stored) {
    look();
    dispatch.restore({.gate = std::move(stored)}, now(), out);
  }
  /// Rides `first` … `first + count - 1`.
  void ride(std::uint32_t first, std::uint32_t count = 1, fence under = fence_, std::size_t size = 100) {
    std::vector<committed_ride> rides;
    for (std::uint32_t i = 0; i < count; ++i)
      rides.push_back({id(first + i), event_of(size), first + i, under});
    look();
    dispatch.committed(std::move(rides), now(), out);
  }
  void due(milliseconds in = milliseconds{0}) {
    look();
    dispatch.due(wall + in, now(), out);
  }
  void claimed(claim_answer answer) {
    look();
    dispatch.claimed(std::move(answer), now(), out);
  }
  /// An answer that brings `count` rows from `first`, each with its attempt of that number.
  void brings(std::uint32_t first, std::uint32_t count, std::optional<wall_time> next_due = {},
              std::uint32_t number = 2, std::size_t size = 100) {
    claim_answer answer;
    answer.under = dispatch.under();
    answer.next_due = next_due;
    for (std::uint32_t i = 0; i < count; ++i)
      answer.claimed.push_back({id(first + i), event_of(size), number, number - 1, first + i});
    claimed(std::move(answer));
  }
  void finish(std::vector<finished_attempt> results) {
    look();
    dispatch.finished(results, now(), out);
  }
  void finish(const dispatch_effects::start& started, attempt_facts facts, bool sent = true) {
    finish({{started.delivery, started.number, started.breaker_epoch, facts, sent}});
  }
  /// STORE's answer to the oldest write of that delivery that it has not answered; missed: what the row is now.
  void record(const delivery_id& delivery, bool hit = true, std::optional<recorded_write::row> found = {}) {
    look();
    auto& tickets = unanswered.at(delivery);
    const recorded_write result{delivery, tickets.front(), hit, found};
    tickets.pop_front();
    dispatch.recorded({&result, 1}, now(), out);
  }
  void timer() {
    look();
    dispatch.timer(now(), out);
  }
  void withdraw(const std::vector<delivery_id>& deliveries) {
    look();
    dispatch.withdraw(deliveries, now(), out);
  }
  void reset_breaker() {
    look();
    dispatch.reset_breaker(now(), out);
  }
  void drain() {
    look();
    dispatch.drain(now(), out);
  }
  /// Moves to the time that `wake_at` names and calls the timer; false where it names none.
  bool wake() {
    const auto at = dispatch.wake_at(now());
    if (!at)
      return false;
    advance(std::max(milliseconds{0}, std::chrono::ceil<milliseconds>(*at - mono)));
    timer();
    return true;
  }

  static constexpr fence fence_ = 77;
  static constexpr attempt_facts good{.http_status = 200};
  static constexpr attempt_facts bad{.http_status = 500};

  mono_time mono{std::chrono::hours{1'000}};
  wall_time wall{std::chrono::hours{24 * 365 * 50}};
  double draw = 0.5;
  work_size may_hold = dispatch_now{}.may_hold;
  endpoint_dispatch dispatch;
  dispatch_effects out;
  std::map<delivery_id, std::deque<std::uint64_t>> unanswered; // tickets of writes
};

} // namespace postrider::test
