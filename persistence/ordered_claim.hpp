#pragma once

#include "actors/store.hpp"
#include "persistence/session.hpp"

#include <vector>

namespace postrider {

struct prepared_sql;

/// Claims what has its turn on an ordered endpoint; `request.order` says of which keys. What stands in no order there
/// is another claim's (claimer.hpp).
session_result<claim_result> claim_in_order(session& on, const claim_request& request);

std::vector<prepared_sql> ordered_claim_statements();

} // namespace postrider
