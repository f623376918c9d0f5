#pragma once

#include "actors/sender.hpp"
#include "actors/store.hpp"
#include "tests/simulation/trace.hpp"

#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

namespace postrider::simulation {

/// I8, and the breaker's table as it is seen from outside: what one node's DELIVERY of one endpoint starts, writes and
/// stores, in that order, must be what api.md and the table in core/circuit_breaker.hpp say. Knows nothing of the code
/// that it checks: it counts for itself.
///
/// | breaker   | may start        | leaves for | when |
/// | --------- | ---------------- | ---------- | ---- |
/// | closed    | anything         | open       | the failure that fills `failures` in a row, at once; or the rate's |
/// | open      | nothing          | half open  | the cool-down is over, not before |
/// | half open | `probes` at once | closed     | the success that fills `probes`, at once |
/// |           |                  | open       | a probe failed or never reported |
class gate_check {
public:
  /// The breaker's settings before and after a change count both: nobody outside knows when an actor heard of it.
  void allow(const endpoint_config& endpoint);
  void restored(const std::optional<endpoint_runtime>& stored, wall_time now);
  void forgotten() { known_ = false; } ///< its actor is gone, or not there yet
  void started(const attempt_request& request, wall_time now);
  void written(const outcome_write& write);
  void saved(const endpoint_runtime& runtime);

private:
  struct running {
    std::uint32_t number = 0;
    std::uint32_t epoch = 0;
  };
  void settled(const outcome_write& write);
  [[nodiscard]] bool rate_may_open() const;
  void check_open(const endpoint_runtime& runtime) const;
  void check_half_open(const endpoint_runtime& runtime) const;
  void check_closed(const endpoint_runtime& runtime) const;
  void check_unchanged(const endpoint_runtime& runtime) const;

  endpoint_no endpoint_ = 0;
  std::vector<breaker_policy> policies_;
  bool known_ = false;
  breaker_state state_ = breaker_state::closed;
  std::uint32_t epoch_ = 0;
  wall_time since_{}, restored_at_{};
  std::optional<wall_time> not_before_{}; // open: the next probe, as stored
  std::uint32_t opened_in_a_row_ = 0;
  std::uint32_t failures_in_a_row_ = 0;
  std::uint32_t results_ = 0, failures_ = 0; // of this epoch
  bool must_change_ = false;                 // by what was written, before anything else starts
  std::uint32_t probes_running_ = 0, probes_succeeded_ = 0;
  bool may_open_ = false, may_close_ = false, probe_failed_ = false;
  wall_time last_probe_at_{};
  std::unordered_map<delivery_id, running> running_;
};

} // namespace postrider::simulation
