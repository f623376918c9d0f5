#pragma once

#include "actors/operations_store.hpp"
#include "persistence/tenant_access.hpp"

/// Jobs as the API sees them, inside a transaction that `enter_tenant` has confined to their tenant. They are carried
/// out by persistence/job_runner.
namespace postrider {

/// 404: no such endpoint. 409 `too-many-jobs`. What is newer than now is none of its business, so that it ends.
job_record start_job(pqxx::transaction_base& transaction, const entered_tenant& tenant, const new_job& job);
job_record get_job(pqxx::transaction_base& transaction, const entered_tenant& tenant, const job_id& id);

} // namespace postrider
