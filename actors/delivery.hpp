#pragma once

#include "actors/actor_support.hpp"
#include "actors/engine_context.hpp"
#include "core/endpoint_dispatch.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace postrider {

/// DELIVERY's address for SENDER and STORE: their threads call, messages arrive. Made by the supervisor (whose record
/// of it outlives the actor, so that no address is used twice while its attempts may still run), bound by the actor
/// when it starts.
class delivery_mailbox final : public delivery_port {
public:
  void bind(delivery_actor owner) { owner_ = std::move(owner); }
  void finished(std::vector<attempt_result> results) override;
  void recorded(std::vector<record_result> results) override;

private:
  delivery_actor owner_; // written once, before anyone else has this object's work
};

/// What DELIVERY is spawned with.
struct delivery_arguments {
  engine_context* context = nullptr;
  tenant_supervisor_actor supervisor;
  std::shared_ptr<delivery_mailbox> mailbox;
  routing_plan_ptr plan;
  std::size_t plan_index = 0; ///< of its endpoint
  shard_ownership ownership;
  std::uint32_t restarts = 0;
  std::string path;
};

struct delivery_state_data {
  delivery_state_data() = default;
  ~delivery_state_data();
  delivery_state_data(const delivery_state_data&) = delete;
  delivery_state_data& operator=(const delivery_state_data&) = delete;

  static inline const char* name = "delivery";

  delivery_arguments given;
  std::shared_ptr<const endpoint_config> endpoint; ///< aliases the plan's configuration; nothing when it was deleted
  std::shared_ptr<send_credits> credits;
  std::optional<endpoint_dispatch> dispatch;
  std::shared_ptr<held_work> held; ///< its own part of the node's memory
  dispatch_effects effects;
  chance random;
  bool restored = false;               ///< the stored breaker is known: it may own and send
  std::vector<committed_ride> early;   ///< committed before that; as many as credits were out, at most
  std::uint64_t seen = 0;              ///< messages routed to it by its supervisor so far
  std::uint64_t timer_number = 0;      ///< of the timer that counts; older ones are ignored
  std::optional<mono_time> timer_at{}; ///< when it goes off
  mono_time active_at{};               ///< last sign of work
  bool asked_to_leave = false;
  std::uint32_t breaker_resets = 0;        ///< those that were carried out
  std::vector<withdrawal_ptr> withdrawals; ///< until what they took back is recorded
  std::vector<caf::typed_response_promise<bool>> drained;
  biography life;
  std::deque<std::string> last_outcomes;
  std::uint64_t started = 0, succeeded = 0, failed = 0, interrupted = 0, released = 0, claims = 0, missed = 0;
  std::uint64_t claimed = 0, retries = 0, dead = 0, opened = 0;
  bool counted_open = false; ///< its breaker is among those that the metrics show as open
  wall_time breaker_since{};
};

/// DELIVERY. Restores the breaker, then lends credits, sends, claims, records, until nothing is left to do for
/// `delivery_idle`.
delivery_actor::behavior_type delivery(delivery_actor::stateful_pointer<delivery_state_data> self,
                                       delivery_arguments given);

} // namespace postrider
