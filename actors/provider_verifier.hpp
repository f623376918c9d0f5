#pragma once

#include "actors/actor_support.hpp"
#include "actors/engine_context.hpp"
#include "core/verify_reason.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace postrider {

/// Whom to tell of an accepted item: made anew with each plan, shared by its items.
class source_route final : public accept_origin {
public:
  source_route(provider_verifier_actor verifier, tenant_supervisor_actor supervisor)
      : verifier_{std::move(verifier)}, supervisor_{std::move(supervisor)} {}

  [[nodiscard]] const provider_verifier_actor& verifier() const noexcept { return verifier_; }
  [[nodiscard]] const tenant_supervisor_actor& supervisor() const noexcept { return supervisor_; }

private:
  provider_verifier_actor verifier_;
  tenant_supervisor_actor supervisor_;
};

/// When a VERIFIER last had something to verify: mono_time, in ticks. Written per request, read by its supervisor's
/// idle check.
using last_use = std::atomic<mono_time::rep>;

struct provider_verifier_arguments {
  engine_context* context = nullptr;
  tenant_supervisor_actor supervisor;
  routing_plan_ptr plan;
  source_no source = 0;
  std::uint32_t restarts = 0;
  std::string path;
  std::int64_t epoch = 0;
  std::shared_ptr<last_use> used;
};

struct provider_verifier_state {
  provider_verifier_state() = default;
  ~provider_verifier_state();
  provider_verifier_state(const provider_verifier_state&) = delete;
  provider_verifier_state& operator=(const provider_verifier_state&) = delete;

  static inline const char* name = "provider_verifier";

  provider_verifier_arguments given;
  const source_config* source = nullptr; ///< inside given.plan; nothing: gone or disabled
  std::shared_ptr<const source_route> route;
  mono_time confirmed_at{};               ///< when the plan was last known to be the newest
  std::deque<ingest_request_ptr> doubted; ///< would be refused; a newer configuration might say otherwise
  std::vector<accept_item_ptr> refused;   ///< planned on an old version: wait for the next one
  std::uint64_t timer_number = 0;
  bool asked = false; ///< the supervisor owes an answer
  bool timed = false; ///< the timer of what waits is set
  chance random;
  biography life;
  std::uint64_t accepted = 0, rejected = 0, unknown = 0, planned_again = 0, handshakes = 0, wrong_methods = 0;
  std::uint64_t overloaded = 0, gave_up = 0, rate_limited = 0, backlog_full = 0;
  std::array<std::uint32_t, verify_reason_count> refusals{}; ///< of `rejected`, by reason
  std::optional<wall_time> timer_at{};                       ///< when what waits is given up
};

/// VERIFIER: signature, id, type; then the tenant's quota; then the plan: one delivery for each endpoint that matches,
/// a send credit where one is free; then STORE. The quota comes after the signature, although checking that costs more:
/// what nobody signed must not use up what the tenant may take in. A provider's handshakes are not counted. Repeated
/// webhooks are, for only STORE knows them; so is what STORE then cannot take. Before it refuses a request it makes
/// sure, at most every `refresh_gap`, that the database knows no newer configuration.
provider_verifier_actor::behavior_type
provider_verifier(provider_verifier_actor::stateful_pointer<provider_verifier_state> self,
                  provider_verifier_arguments given);

} // namespace postrider
