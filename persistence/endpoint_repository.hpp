#pragma once

#include "actors/management_store.hpp"
#include "core/secret_box.hpp"
#include "persistence/tenant_access.hpp"

#include <string>
#include <vector>

/// SQL of endpoints, inside a transaction that `enter_tenant` has confined to their tenant. What cannot be is thrown as
/// `refusal`.
namespace postrider {

/// All or none; the records carry their secrets in clear. Sources that are unknown are 422 `validation-failed`, all of
/// them at once, at
/// `/sources/N`, where there are several endpoints at `/endpoints/I/sources/N`.
std::vector<endpoint_record> create_endpoints(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                              const std::vector<new_endpoint>& endpoints, const secret_key& data_key);
page<endpoint_record> list_endpoints(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                     const page_request& request);
endpoint_record get_endpoint(pqxx::transaction_base& transaction, const entered_tenant& tenant, const endpoint_id& id);
/// The newest secret, in clear.
std::string get_endpoint_secret(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                const endpoint_id& id, const secret_key& data_key);
void delete_endpoint(pqxx::transaction_base& transaction, const entered_tenant& tenant, const endpoint_id& id);
/// What `decide` makes of it. A change of its status is kept in `transition` as well.
endpoint_record change_endpoint(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                const endpoint_id& id, const endpoint_change& decide, const secret_key& data_key);
void rotate_endpoint_secret(pqxx::transaction_base& transaction, const entered_tenant& tenant, const endpoint_id& id,
                            const secret_rotation& rotation, const secret_key& data_key);

} // namespace postrider
