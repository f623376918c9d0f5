#pragma once

#include "actors/management_store.hpp"
#include "actors/store.hpp"
#include "core/result.hpp"
#include "core/secret_box.hpp"
#include "persistence/session.hpp"

#include <map>
#include <span>
#include <string>
#include <vector>

namespace postrider {

/// The keys that tenants' data keys are sealed with: the newest first, then those being rotated out.
using master_keys = std::vector<secret_key>;

/// The statements of tenant_loader.
std::vector<prepared_sql> tenant_loader_statements();

/// A tenant's configuration in one snapshot, secrets decrypted; nothing when there is no such tenant or it is deleted.
/// A secret that no key opens is left out and logged (by its row, never its value): what needs it then fails as it
/// would with no secret. Sources, endpoints: in the order of their creation. A quota that the tenant has not itself is
/// its plan's.
session_result<tenant_config_ptr> read_tenant(session& on, const tenant_key& key, std::span<const secret_key> keys,
                                              const std::map<std::string, tenant_quotas>& plans = {});

/// Its live deliveries, by the counters.
session_result<std::int64_t> read_live(session& on, tenant_no tenant);

} // namespace postrider
