#pragma once

#include "actors/inspection.hpp"
#include "core/metrics.hpp"
#include "net/api_router.hpp"

#include <string>
#include <vector>

namespace postrider {

/// What the operators' pages reach; all of it must outlive the table, and `reads` the actors as well.
struct operator_reach {
  inspection& actors;
  operator_reads& reads;
  const readiness& ready;
  const metrics& counts;
  std::string name; ///< of this node
};

/// `/actors…`, `/cluster` (operator key), `/healthz`, `/readyz`, `/metrics` (no key).
std::vector<api_route> operator_routes(const operator_reach& node);

} // namespace postrider
