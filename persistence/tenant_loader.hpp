#pragma once

#include "actors/store.hpp"
#include "core/result.hpp"
#include "core/secret_box.hpp"
#include "persistence/session.hpp"

#include <span>
#include <vector>

namespace postrider {

/// The keys that tenants' data keys are sealed with: the newest first, then those being rotated out.
using master_keys = std::vector<secret_key>;

/// The statements of tenant_loader.
std::vector<prepared_sql> tenant_loader_statements();

/// A tenant's configuration in one snapshot, secrets decrypted; nothing when there is no such tenant or it is deleted.
/// A secret that no key opens is left out and logged (by its row, never its value): what needs it then fails as it
/// would with no secret. Sources, endpoints: in the order of their creation.
session_result<tenant_config_ptr> read_tenant(session& on, const tenant_key& key, std::span<const secret_key> keys);

} // namespace postrider
