#pragma once

#include "actors/inspection.hpp"
#include "core/metrics.hpp"
#include "net/api_router.hpp"

#include <vector>

namespace postrider {

/// `/actors…` (operator key), `/healthz`, `/readyz`, `/metrics` (no key). All must outlive the table.
std::vector<api_route> operator_routes(inspection& actors, const readiness& ready, const metrics& counts);

} // namespace postrider
