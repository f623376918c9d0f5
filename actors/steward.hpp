#pragma once

#include "actors/inspector.hpp"
#include "actors/interfaces.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <functional>
#include <string>

namespace postrider {

struct steward_arguments {
  node_actor node;
  inspector_arguments inspection;
  std::function<void(std::string)> failed; ///< NODE has ended although nobody stopped it
};

struct steward_state {
  static inline const char* name = "steward";
  steward_arguments given;
  inspector_actor inspector;
};

/// STEWARD: turns questions of operators and the daemon into requests with deadlines, so that nobody blocks. Starts a
/// new INSPECTOR where one crashes: only the questions that it had are lost, and answered so. Ends with NODE's system.
steward_actor::behavior_type steward(steward_actor::stateful_pointer<steward_state> self, steward_arguments given);

} // namespace postrider
