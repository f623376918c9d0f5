#pragma once

#include "actors/management_store.hpp"
#include "core/secret_box.hpp"
#include "persistence/tenant_access.hpp"

#include <functional>
#include <string>

namespace postrider {

/// Whose secrets.
enum class secret_owner : std::uint8_t { source, endpoint };

/// One secret more, the newest; the others are valid for `rotation.overlap` from now at most (none: they are removed),
/// and those that have run out are removed. The greatest ordinal is always that of a secret without end, so that no
/// ordinal is used twice. 409 `too-many-secrets` where more than `live_secrets_max` would be valid at once.
/// `associated_data`: of the owner's secret with that ordinal (secret_columns.hpp).
void rotate_secret(pqxx::transaction_base& transaction, const entered_tenant& tenant, secret_owner owner,
                   std::int64_t owner_no, const secret_rotation& rotation, const secret_key& data_key,
                   const std::function<std::string(int ordinal)>& associated_data);

} // namespace postrider
