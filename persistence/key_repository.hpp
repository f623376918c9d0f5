#pragma once

#include "actors/management_store.hpp"
#include "persistence/tenant_access.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pqxx {
class connection_base;
class transaction_base;
} // namespace pqxx

namespace postrider {

/// Of one tenant, those that are not revoked: who automates their making must automate their end.
inline constexpr std::int64_t api_keys_max = 1'000;

/// The key commands of the command line: each opens a connection of its own for one call (connect timeout 5 s,
/// then at most 10 s). Errors: 503 `store-unavailable`; 404 `not-found` (tenant, key); 422 `validation-failed` (an
/// operator's key with a tenant, another's without), `quota-exceeded` (the tenant has `api_keys_max`); 500
/// `internal-error`.
result<created_api_key> create_api_key(const std::string& url, const new_api_key& wanted);
/// Operators' keys, or with `tenant` that tenant's; not the revoked ones. Newest first, at most 1,000.
result<std::vector<api_key_record>> list_api_keys(const std::string& url, const std::string& tenant = {});
/// Refused from now on; nodes may know it for one more second. A revoked key is not found.
result<bool> revoke_api_key(const std::string& url, const key_id& id);

/// The same for the keys of one tenant, inside a transaction that `enter_tenant` has confined to it. What cannot be is
/// thrown as `refusal`. Keys are no configuration of the engine: no version is counted up.
created_api_key create_tenant_key(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                  const new_api_key& wanted);
page<api_key_record> list_tenant_keys(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                      const page_request& request);
void revoke_tenant_key(pqxx::transaction_base& transaction, const entered_tenant& tenant, const key_id& id);

/// The living key with that hash; notes its use, at most once a minute. For the management store.
std::optional<api_key_record> find_api_key(pqxx::connection_base& connection, const api_key_hash& hash);

} // namespace postrider
