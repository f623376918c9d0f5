#pragma once

#include "actors/management_store.hpp"
#include "persistence/tenant_access.hpp"

/// Pausing, resuming, resetting and trying an endpoint, inside a transaction that `enter_tenant` has confined to its
/// tenant, for writing where it changes the configuration. What cannot be is thrown as `refusal`.
namespace postrider {

/// Active ↔ paused; what is so already stays. 409 `endpoint-disabled`: a PATCH of `enabled` ends that.
endpoint_record pause_endpoint(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                               const endpoint_id& id);
endpoint_record resume_endpoint(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                const endpoint_id& id);
/// Closes the stored breaker, and counts up `breaker_resets`, by which whoever holds it in memory closes his.
endpoint_record reset_breaker(pqxx::transaction_base& transaction, const entered_tenant& tenant, const endpoint_id& id);

struct made_test {
  event_id event;
  endpoint_no endpoint = 0;
};
/// A `postrider.test` event with one delivery.
made_test test_endpoint(pqxx::transaction_base& transaction, const entered_tenant& tenant, const endpoint_id& id);

/// The shard of its deliveries.
shard_no shard_of_tenant(pqxx::transaction_base& transaction, tenant_no tenant);

} // namespace postrider
