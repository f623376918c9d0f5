#pragma once

#include "actors/sender.hpp"
#include "tests/simulation/delivery_check.hpp"
#include "tests/simulation/gate_check.hpp"
#include "tests/simulation/surroundings.hpp"

#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

namespace postrider::simulation {

/// One life of one node's SENDER, and the endpoints behind it: they fail, stall, lose and reorder as their moods say.
/// Before the first byte the trust in the shard's lease is looked at once more, as the real one does.
class stormy_sender final : public sender {
public:
  stormy_sender(surroundings& around, timeline& jobs, std::map<endpoint_no, gate_check>& gates, delivery_check& checks);

  /// Whether this node trusts the lease of that tenant's shard now, under that fence.
  std::function<bool(tenant_no, fence)> trusts;
  /// Whether the actors have been told long since that it is not theirs.
  std::function<bool(tenant_no)> told_lost;
  void end();
  [[nodiscard]] std::optional<milliseconds> retry_after(const delivery_id& delivery) const;

  void start(std::vector<attempt_request> attempts) override;
  void abort(const delivery_port* owner, std::function<void(std::vector<attempt_result>)> done) override;

private:
  struct answer {
    attempt_facts facts;
    milliseconds after{0};
    bool reaches = true; ///< the endpoint sees the request
  };
  void check_may_start(const attempt_request& request) const;
  void check_not_heard(const attempt_request& request) const;
  /// I9, at the first byte; `leave_turn`: its request has ended.
  void check_turn(const attempt_request& request);
  void leave_turn(const attempt_request& request);
  answer draw_answer(const attempt_request& request);
  void first_byte(std::uint64_t ticket);
  void end_attempt(std::uint64_t ticket, const attempt_facts& facts, bool sent, wall_time started_at);

  surroundings& around_;
  timeline& jobs_;
  std::map<endpoint_no, gate_check>& gates_;
  delivery_check& checks_;
  bool ended_ = false;
  std::uint64_t tickets_ = 0;
  std::map<std::uint64_t, attempt_request> running_;
  std::unordered_map<delivery_id, milliseconds> retry_after_;
  struct heard {
    std::shared_ptr<delivery_port> by;
    wall_time started_at{};
  };
  std::unordered_map<delivery_id, heard> heard_; ///< who was told of an answer of 2xx
};

} // namespace postrider::simulation
