#pragma once

#include "core/result.hpp"
#include "core/time.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// What operators see of live actors, as plain values, and the port through which `net` asks for it.
namespace postrider {

/// One actor as it describes itself (api.md, object `actor`).
struct actor_status {
  std::string path;  ///< `/node/n1/tenants/acme/deliveries/ep_…`
  std::string kind;  ///< node, tenant_supervisor, provider_verifier, delivery
  std::string state; ///< plain word of its state machine
  wall_time since{};
  std::uint64_t mailbox = 0; ///< messages waiting
  std::uint32_t restarts = 0;
  std::uint32_t children = 0;
  std::string node;
  std::optional<std::int64_t> epoch{}; ///< of its shard; nothing for the node itself

  // one actor alone:
  struct transition {
    wall_time at{};
    std::string from, to, cause;
  };
  std::vector<transition> transitions; ///< the last 20, newest first
  std::optional<wall_time> next_wake_at{};
  std::vector<std::pair<std::string, std::int64_t>> counters;

  // kind delivery:
  struct delivery_part {
    std::string breaker_state;
    std::optional<wall_time> breaker_since{};
    std::optional<wall_time> next_probe_at{};
    std::uint32_t consecutive_failures = 0;
    std::uint32_t in_flight = 0;            ///< sending now
    std::uint32_t window = 0;               ///< how many may
    std::int64_t tokens = 0;                ///< send credits lent out and not taken
    std::uint32_t backlog = 0;              ///< in memory, waiting for the window
    std::vector<std::string> last_outcomes; ///< the last 10 words, newest first
  };
  std::optional<delivery_part> delivery{};
};

class inspection {
public:
  virtual ~inspection() = default;
  /// The whole tree of this node, parents before children, within 2 s; a part that does not answer is left out and
  /// named in the detail of `error`.
  struct tree {
    std::string node;
    bool answered = true;
    std::string error;
    std::vector<actor_status> actors;
  };
  virtual void actors(std::function<void(tree)> done) = 0;
  /// One actor by its path; 404 `actor-unknown` otherwise.
  virtual void actor(std::string path, std::function<void(result<actor_status>)> done) = 0;
};

/// Readiness in parts (api.md, `/readyz`). Implemented by the daemon; never asks the database, only what is known of
/// it.
struct dependency_status {
  std::string name; ///< database, leases, delivery, draining
  bool ok = false;
  std::string detail;
};
class readiness {
public:
  virtual ~readiness() = default;
  [[nodiscard]] virtual std::vector<dependency_status> check() const = 0;
};

} // namespace postrider
