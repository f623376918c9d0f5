#pragma once

#include "core/ids.hpp"

namespace postrider {

/// A UUIDv7 with bits of the system's random source: for rows that are made here, off the hot path.
uuid random_id(wall_time at);

} // namespace postrider
