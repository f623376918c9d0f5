#include "tests/simulation/gate_check.hpp"

#include <algorithm>
#include <cmath>

namespace postrider::simulation {

namespace {

using enum breaker_state;

constexpr std::uint32_t opened_in_a_row_max = 64; // the cool-down has long been at its cap

std::int64_t ms(wall_time at) {
  return at.time_since_epoch().count();
}

} // namespace

void gate_check::allow(const endpoint_config& endpoint) {
  endpoint_ = endpoint.no;
  if (policies_.empty() || policies_.back() != endpoint.breaker)
    policies_.push_back(endpoint.breaker);
}

void gate_check::restored(const std::optional<endpoint_runtime>& stored, wall_time now) {
  const auto kept = std::move(policies_);
  const auto no = endpoint_;
  *this = {};
  policies_ = kept;
  endpoint_ = no;
  known_ = true;
  since_ = restored_at_ = now;
  if (!stored)
    return;
  opened_in_a_row_ = stored->opened_in_a_row;
  since_ = stored->since;
  if (stored->state == closed)
    return;
  state_ = open;
  not_before_ = stored->state == open ? stored->next_probe_at : std::nullopt;
}

void gate_check::started(const attempt_request& request, wall_time now) {
  if (!known_)
    violated("I8: a request is started before the stored breaker is known: endpoint", endpoint_);
  if (state_ == open)
    violated("I8: a request is started while the breaker is open: endpoint, attempt", endpoint_, request.number);
  if (must_change_)
    violated("the breaker did not change although it had to: endpoint, state, failures in a row, probes succeeded",
             endpoint_, static_cast<int>(state_), failures_in_a_row_, probes_succeeded_);
  if (request.breaker_epoch != epoch_)
    violated("a request carries another epoch than the breaker's: endpoint", endpoint_, request.breaker_epoch, epoch_);
  if (state_ == half_open) {
    const auto& probes = request.endpoint->breaker.probes;
    if (probes_running_ > 0 && probes_running_ + probes_succeeded_ >= probes)
      violated("I8: more probes than wanted: endpoint, running, succeeded", endpoint_, probes_running_,
               probes_succeeded_);
    ++probes_running_;
    last_probe_at_ = now;
  }
  running_[request.delivery] = {request.number, request.breaker_epoch};
}

void gate_check::written(const outcome_write& write) {
  const auto found = running_.find(write.delivery);
  if (found == running_.end() || found->second.number != write.number)
    return; // never started: released, or an attempt of a former owner closed
  const auto epoch = found->second.epoch;
  running_.erase(found);
  if (known_ && epoch == epoch_)
    settled(write);
}

void gate_check::settled(const outcome_write& write) {
  const bool says_something = write.attempt && write.attempt->outcome != attempt_outcome::interrupted;
  const bool good = says_something && write.attempt->outcome == attempt_outcome::succeeded;
  if (state_ == half_open && probes_running_ > 0) {
    --probes_running_;
    probes_succeeded_ += good ? 1 : 0;
  }
  if (!says_something || must_change_)
    return; // what is judged after the change, in the same turn, is of a former epoch
  ++results_;
  failures_ += good ? 0 : 1;
  failures_in_a_row_ = good ? 0 : failures_in_a_row_ + 1;
  const auto all = [&](auto&& holds) { return std::all_of(policies_.begin(), policies_.end(), holds); };
  if (state_ == closed)
    must_change_ =
      must_change_ || (!good && all([&](const auto& each) { return failures_in_a_row_ >= each.failures; }));
  const auto any = [&](auto&& holds) { return std::any_of(policies_.begin(), policies_.end(), holds); };
  if (state_ == closed)
    may_open_ =
      may_open_ || rate_may_open() || any([&](const auto& each) { return failures_in_a_row_ >= each.failures; });
  if (state_ == half_open) {
    may_close_ = may_close_ || any([&](const auto& each) { return probes_succeeded_ >= each.probes; });
    probe_failed_ = probe_failed_ || !good;
    must_change_ = must_change_ || !good || all([&](const auto& each) { return probes_succeeded_ >= each.probes; });
  }
}

bool gate_check::rate_may_open() const {
  return std::any_of(policies_.begin(), policies_.end(), [&](const breaker_policy& each) {
    return results_ >= each.min_requests && failures_ >= each.failure_rate * each.min_requests;
  });
}

void gate_check::check_open(const endpoint_runtime& runtime) const {
  const auto any = [&](auto&& holds) { return std::any_of(policies_.begin(), policies_.end(), holds); };
  if (state_ == closed && !may_open_)
    violated("the breaker opened without cause: endpoint, failures in a row, of, results", endpoint_,
             failures_in_a_row_, failures_, results_);
  if (state_ == half_open) {
    const bool silent = probes_running_ > 0 &&
                        any([&](const auto& each) { return runtime.since - last_probe_at_ >= each.probe_timeout; });
    if (!probe_failed_ && !silent)
      violated("the breaker opened again although no probe failed: endpoint", endpoint_);
    if (runtime.opened_in_a_row != std::min(opened_in_a_row_ + 1, opened_in_a_row_max))
      violated("a failed probe does not count: endpoint, opened in a row", endpoint_, runtime.opened_in_a_row);
  }
  if (!runtime.next_probe_at)
    violated("an open breaker without a time for its probe: endpoint", endpoint_);
  const auto wait = static_cast<double>((*runtime.next_probe_at - runtime.since).count());
  const auto fits = [&](const breaker_policy& each) {
    const auto grown =
      std::ldexp(static_cast<double>(each.cool_down.count()), static_cast<int>(runtime.opened_in_a_row) - 1);
    const auto capped = std::min(grown, static_cast<double>(each.cool_down_max.count()));
    return wait >= capped * (1 - each.jitter) - 2 && wait <= capped * (1 + each.jitter) + 2;
  };
  if (!any(fits))
    violated("the cool-down is not that of the policy: endpoint, opened in a row, ms", endpoint_,
             runtime.opened_in_a_row, static_cast<std::int64_t>(wait));
}

void gate_check::check_half_open(const endpoint_runtime& runtime) const {
  if (state_ != open)
    violated("half open, but not after open: endpoint, from", endpoint_, static_cast<int>(state_));
  if (not_before_ && runtime.since + milliseconds{1} < *not_before_)
    violated("half open before the cool-down was over: endpoint", endpoint_, ms(runtime.since), ms(*not_before_));
}

void gate_check::check_closed(const endpoint_runtime&) const {
  if (state_ != half_open)
    violated("closed, but not after half open: endpoint, from", endpoint_, static_cast<int>(state_));
  if (!may_close_)
    violated("the breaker closed after too few probes: endpoint, succeeded", endpoint_, probes_succeeded_);
}

void gate_check::check_unchanged(const endpoint_runtime& runtime) const {
  if (must_change_)
    violated("the breaker is stored as it was although it had to change: endpoint, state", endpoint_,
             static_cast<int>(state_));
  if (runtime.since != since_)
    violated("the breaker is where it was, but since another time: endpoint, state", endpoint_,
             static_cast<int>(state_), ms(runtime.since), ms(since_));
  constexpr milliseconds rounding{2};
  // One that was due already when it was read is due from then on.
  const auto due = not_before_ ? std::max(*not_before_, restored_at_) : wall_time{};
  if (state_ == open && not_before_ &&
      (!runtime.next_probe_at || std::chrono::abs(*runtime.next_probe_at - due) > rounding))
    violated("an open breaker's probe has moved: endpoint", endpoint_, ms(*not_before_));
}

void gate_check::saved(const endpoint_runtime& runtime) {
  if (!known_)
    violated("a breaker is stored before it was read: endpoint", endpoint_);
  if (runtime.state == state_)
    return check_unchanged(runtime); // something else of the endpoint is stored
  if (runtime.state == open)
    check_open(runtime);
  else if (runtime.state == half_open)
    check_half_open(runtime);
  else
    check_closed(runtime);
  state_ = runtime.state;
  ++epoch_;
  since_ = runtime.since;
  not_before_ = runtime.state == open ? runtime.next_probe_at : std::nullopt;
  opened_in_a_row_ = runtime.opened_in_a_row;
  failures_in_a_row_ = results_ = failures_ = probes_running_ = probes_succeeded_ = 0;
  must_change_ = probe_failed_ = may_open_ = may_close_ = false;
}

} // namespace postrider::simulation
