#pragma once

#include "core/ids.hpp"
#include "core/result.hpp"
#include "core/shard.hpp"
#include "core/tenant_config.hpp"
#include "core/time.hpp"
#include "core/tree_path.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What operators see of the node, as plain values, and the ports through which `net` asks for it: the actors that live
/// (`inspection`, in memory), those at rest and the cluster (`operator_reads`, in the database), readiness.
namespace postrider {

/// One actor as it describes itself (api.md, object `actor`).
struct actor_status {
  std::string path; ///< `/node/n1/tenants/acme/deliveries/ep_…`
  std::string kind; ///< node, tenant_supervisor, provider_verifier, delivery
  /// Plain word of its state machine; `passive`: at rest, there is no actor; of an endpoint that is paused or disabled
  /// that word, alive or at rest.
  std::string state;
  /// In that state. At rest: since the last change of it that the database knows (when its actor was let go is not
  /// kept).
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
    std::uint32_t in_flight = 0;          ///< sending now
    std::uint32_t window = 0;             ///< how many may, as the endpoint bears it
    std::optional<std::int64_t> tokens{}; ///< attempts that the rate allows now; nothing: not limited, or at rest
    std::uint32_t backlog = 0;            ///< in memory, waiting for the window; at rest: scheduled rows, to a thousand
    std::vector<std::string> last_outcomes; ///< the last 10 words, newest first
  };
  std::optional<delivery_part> delivery{};
};

/// A question for a page of the tree.
struct actor_query {
  std::optional<std::string> node{}, state{};
  std::optional<tree_kind> kind{};
  std::size_t depth = std::numeric_limits<std::size_t>::max(); ///< 0: nodes, 1: supervisors too, 2: their children too
  std::size_t limit = 50;                                      ///< at least 1
  std::optional<tree_path> after{};                            ///< the cursor; nothing: from the top
};

/// In the tree's order (core/tree_path.hpp). May hold fewer than asked for with more to come: a filter that few fit is
/// not followed for ever.
struct actor_page {
  struct part {
    std::string name;
    bool answered = true;
    std::string error; ///< which parts of the node did not answer; empty: all did
  };
  std::vector<part> nodes;
  std::vector<actor_status> data;
  std::optional<tree_path> next{};
};

/// The state of what rests: of a paused or disabled endpoint that, else `passive`.
constexpr std::string_view resting_word(endpoint_status status) noexcept {
  return status == endpoint_status::active ? "passive" : status == endpoint_status::paused ? "paused" : "disabled";
}

/// Actors at rest: tenants, sources and endpoints of these shards, whether their actors live or not. Disabled sources
/// have none.
struct resting_query {
  std::string node{}; ///< of the paths
  std::vector<shard_no> shards{};
  bool supervisors = true, deliveries = true, verifiers = true;
  std::optional<tree_path> after{};
  std::size_t limit = 50; ///< at least 1
};
struct resting_stretch {
  struct row {
    shard_no shard = 0;
    wall_time since{};
    std::string_view state = resting_word({});
  };
  tree_stretch places;
  std::vector<row> rows; ///< parallel to them
};
/// One of them as the database describes it, without node and epoch.
struct resting_actor {
  actor_status status;
  shard_no shard = 0;
};

/// A node of the cluster (api.md, object `node`).
struct cluster_node {
  std::string name;
  uuid incarnation;
  std::string address; ///< where peers reach it; empty: it takes none
  std::string state;   ///< live, draining, gone
  milliseconds heartbeat_age{0};
  struct shard {
    shard_no shard = 0;
    std::int64_t epoch = 0;
  };
  std::vector<shard> shards; ///< whose lease it holds now
};

/// What operators ask of the database; on the connections of the management API, never the engine's. Calls return at
/// once, the answer comes from a thread of the implementation or from the caller's; a failure is 503 within 6 s.
class operator_reads {
public:
  virtual ~operator_reads() = default;
  virtual void resting(resting_query query, std::function<void(result<resting_stretch>)> done) = 0;
  /// Nothing: there is none in those shards.
  virtual void resting(tree_path path, std::vector<shard_no> shards,
                       std::function<void(result<std::optional<resting_actor>>)> done) = 0;
  /// At most 1,000, those that live first, then by name.
  virtual void nodes(std::function<void(result<std::vector<cluster_node>>)> done) = 0;
};

class inspection {
public:
  virtual ~inspection() = default;
  /// Within 2 s, at a cost that follows the page: only those on it are asked. `reads` must outlive the actors.
  virtual void page(actor_query query, operator_reads& reads, std::function<void(actor_page)> done) = 0;
  /// One actor: asked for down the tree, else looked for at rest. 404 `actor-unknown`; 503 where that cannot be told.
  virtual void actor(tree_path path, operator_reads& reads, std::function<void(result<actor_status>)> done) = 0;
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
