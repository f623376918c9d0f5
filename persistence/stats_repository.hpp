#pragma once

#include "actors/operations_store.hpp"
#include "persistence/tenant_access.hpp"

/// Sums over a tenant's deliveries, inside a snapshot that `enter_tenant` has confined to it.
namespace postrider {

/// Without `since` the counters' sums, else the deliveries are counted: as long as that takes, within the statement's
/// time.
tenant_stats get_stats(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                       std::optional<wall_time> since);

} // namespace postrider
