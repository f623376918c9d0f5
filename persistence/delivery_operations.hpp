#pragma once

#include "actors/management_store.hpp"
#include "persistence/delivery_changes.hpp"
#include "persistence/tenant_access.hpp"

#include <vector>

/// Retrying, cancelling, erasing, inside a transaction that `enter_tenant` has confined to the tenant. What cannot be
/// is thrown as `refusal`.
namespace postrider {

struct changed_delivery {
  delivery_record record;
  endpoint_no endpoint = 0;
};
/// 409 `delivery-live`, `payload-erased`, `endpoint-deleted`.
changed_delivery retry_delivery(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                const delivery_id& id);
/// 409 `delivery-final`. Its state afterwards says whether an attempt may still run.
changed_delivery cancel_delivery(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                 const delivery_id& id);

struct erased_event {
  event_record record;
  std::vector<cancelled_delivery> cancelled;
};
/// Erased once more, it stays so.
erased_event erase_event(pqxx::transaction_base& transaction, const entered_tenant& tenant, const event_id& id);

} // namespace postrider
