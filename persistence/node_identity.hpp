#pragma once

#include "core/ids.hpp"
#include "core/result.hpp"
#include "persistence/session.hpp"
#include "persistence/stop_signal.hpp"

#include <optional>
#include <string>
#include <vector>

namespace postrider {

/// Who this process is among the nodes.
struct node_identity {
  std::string name;      ///< unique in the cluster
  uuid incarnation;      ///< of this process
  std::string address{}; ///< where peers reach it; empty: it takes none
  std::string version{};
};

/// What became of an attempt to register.
struct registration {
  enum class kind : std::uint8_t {
    registered, ///< the name is ours; `former` is the incarnation that had it and is gone
    taken,      ///< another live process has it
    superseded, ///< it was ours, and another process has it now
    failed,     ///< the database did not answer
  };
  kind what = kind::failed;
  std::optional<uuid> former{};
  session_failure failure{};
};

std::vector<prepared_sql> identity_statements();

/// Takes the incarnation's advisory lock on `on`, and the node's name. A former process of that name is waited for
/// until its advisory lock is free, or until its heartbeat stands still for `silence`: then its backend is terminated.
/// A heartbeat that moves meanwhile means that it lives. `again`: this process was registered before (the connection
/// was lost since).
registration register_node(session& on, const node_identity& node, milliseconds silence, bool again,
                           const stop_signal& stop);

} // namespace postrider
