#pragma once

#include "actors/operations_store.hpp"
#include "persistence/tenant_access.hpp"

#include <vector>

/// Events that a tenant publishes, inside a transaction that `enter_tenant` has confined to it. By the rules of the
/// accept statement: an id is accepted once within the dedupe window, in the tables of both days around midnight; each
/// endpoint that matches gets one delivery, in this transaction. The tenant's row is locked against changes of its
/// configuration, so the endpoints that are matched are those of the commit.
namespace postrider {

struct publication {
  std::vector<published_event> events; ///< as they were given
  std::vector<endpoint_no> due;        ///< endpoints for which something is due now, each once
};
publication publish(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                    const std::vector<new_event>& events);

} // namespace postrider
