#pragma once

#include "actors/management_store.hpp"
#include "persistence/tenant_access.hpp"

/// SQL of events as the management API reads them, inside a transaction that `enter_tenant` has confined to their
/// tenant. What cannot be is thrown as `refusal`.
namespace postrider {

event_record get_event(pqxx::transaction_base& transaction, const entered_tenant& tenant, const event_id& id);
/// 410 `payload-erased` after an erasure.
event_payload get_payload(pqxx::transaction_base& transaction, const entered_tenant& tenant, const event_id& id);

} // namespace postrider
