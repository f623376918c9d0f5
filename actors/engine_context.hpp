#pragma once

#include "actors/clock.hpp"
#include "actors/directory.hpp"
#include "actors/interfaces.hpp"
#include "core/held_work.hpp"
#include "core/metrics.hpp"
#include "core/restart_budget.hpp"

#include <array>
#include <functional>
#include <memory>
#include <random>
#include <string>

namespace postrider {

/// How long things may take and how much they may hold, inside the actors. Defaults are the product's.
struct engine_limits {
  restart_policy restarts{};
  milliseconds delivery_idle{30'000};       ///< a DELIVERY with nothing to do asks to be let go after that
  milliseconds tenant_idle{300'000};        ///< a tenant without traffic and without DELIVERYs likewise
  milliseconds refresh_gap{100};            ///< a tenant's version is looked up at most so often for negative answers
  milliseconds plan_wait_max{4'000};        ///< how long a request waits for a configuration before 503
  std::size_t waiting_requests_max = 1'024; ///< requests that wait for a tenant or a plan, per tenant; beyond: 503
  milliseconds disable_after{0};            ///< an endpoint that only fails for so long is disabled; 0: never
  std::size_t plans_max =
    4; ///< how often an event is planned before 503: each time the database refused the plan as stale
};

/// Chance for ids, seeds and jitter: one per actor, seeded from the system once. Not for secrets.
class chance {
public:
  chance();
  explicit chance(std::uint64_t seed) : engine_(seed) {}
  uuid next_id(wall_time at) noexcept;
  std::uint32_t next_seed() noexcept { return static_cast<std::uint32_t>(engine_()); }
  double draw() noexcept { return static_cast<double>(engine_() >> 11) * 0x1.0p-53; }

private:
  std::mt19937_64 engine_;
};

/// What every actor of a node is given. Outlives them all.
struct engine_context {
  std::string node_name;
  store& database;
  sender& requests;
  metrics& counts;
  directory& verifiers;
  std::function<wall_time()> wall_now; ///< the database's clock as seen from here
  engine_limits limits{};
  /// Of all tenants: committed, and not delivered yet.
  std::shared_ptr<held_work> held = std::make_shared<held_work>();
  std::function<chance()> new_chance = [] {
    return chance{};
  }; ///< for each actor that needs it; a simulation replays it
};

} // namespace postrider
