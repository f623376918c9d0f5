#pragma once

#include "actors/management_store.hpp"
#include "persistence/tenant_access.hpp"

/// SQL of deliveries and their attempts as the management API reads them, inside a transaction that `enter_tenant` has
/// confined to their tenant. What cannot be is thrown as `refusal`.
namespace postrider {

/// Newest first over all endpoints of the tenant, deleted ones included. A rare state among very many deliveries is a
/// long scan: the session's statement timeout bounds it.
page<delivery_record> list_deliveries(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                      const delivery_filter& filter, const page_request& request);

/// With its attempts; the one that is running has no row yet and no outcome. The transaction must be `repeatable read`:
/// delivery, attempts and breaker are of one moment.
delivery_record get_delivery(pqxx::transaction_base& transaction, const entered_tenant& tenant, const delivery_id& id);

} // namespace postrider
