#pragma once

#include "actors/interfaces.hpp"

#include <caf/typed_event_based_actor.hpp>

namespace postrider {

/// STEWARD: turns questions of operators and the daemon into requests with deadlines, so that nobody blocks. Ends with
/// NODE's system.
steward_actor::behavior_type steward(steward_actor::pointer self, node_actor node,
                                     std::function<void(std::string)> failed);

} // namespace postrider
