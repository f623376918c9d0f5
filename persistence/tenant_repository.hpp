#pragma once

#include "actors/management_store.hpp"
#include "core/secret_box.hpp"
#include "persistence/tenant_access.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace pqxx {
class transaction_base;
} // namespace pqxx

/// SQL of tenants. The caller owns the transaction; what cannot be is thrown as `refusal` (tenant_access.hpp).
namespace postrider {

struct created_tenants {
  std::vector<tenant_record> records;
  std::vector<tenant_no> nos;
};
/// All or none. 409 `slug-taken` names the slug. Each gets a data key of its own, sealed by `master_key`.
created_tenants create_tenants(pqxx::transaction_base& transaction, const std::vector<new_tenant>& tenants,
                               const secret_key& master_key);
page<tenant_record> list_tenants(pqxx::transaction_base& transaction, const page_request& request);
tenant_record get_tenant(pqxx::transaction_base& transaction, std::string_view slug_or_id);
/// What the patch leaves out stays as it is.
tenant_record update_tenant(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                            const tenant_patch& patch);
/// Soft: the row stays, the slug is free again.
tenant_no delete_tenant(pqxx::transaction_base& transaction, std::string_view slug_or_id);

} // namespace postrider
