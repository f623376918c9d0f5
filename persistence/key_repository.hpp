#pragma once

#include "actors/management_store.hpp"

#include <optional>
#include <string>
#include <vector>

namespace pqxx {
class connection_base;
} // namespace pqxx

namespace postrider {

struct new_api_key {
  std::string name;
  api_role role = api_role::tenant_viewer;
  std::string tenant{}; ///< slug or id; empty for operators, and only for them
  std::optional<wall_time> expires_at{};
};
struct created_api_key {
  api_key_record record;
  std::string key; ///< `prk_…`, in clear: shown this once, stored as a hash
};

/// The key commands of the command line: each opens a connection of its own for one call (connect timeout 5 s,
/// then at most 10 s). Errors: 503 `store-unavailable`; 404 `not-found` (tenant, key); 422 `validation-failed` (an
/// operator's key with a tenant, another's without); 500 `internal-error`.
result<created_api_key> create_api_key(const std::string& url, const new_api_key& wanted);
/// Operators' keys, or with `tenant` that tenant's; not the revoked ones. Newest first, at most 1,000.
result<std::vector<api_key_record>> list_api_keys(const std::string& url, const std::string& tenant = {});
/// Refused from now on; nodes may know it for one more second. A revoked key is not found.
result<bool> revoke_api_key(const std::string& url, const key_id& id);

/// The living key with that hash; notes its use, at most once a minute. For the management store.
std::optional<api_key_record> find_api_key(pqxx::connection_base& connection, const api_key_hash& hash);

} // namespace postrider
