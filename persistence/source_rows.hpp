#pragma once

#include "core/secret_box.hpp"
#include "core/tenant_config.hpp"

#include <pqxx/pqxx>

#include <optional>

/// Rows of sources and of secrets as the engine's configuration has them. Include it in .cpp files only. What cannot be
/// opened is logged and left out: then it verifies and signs nothing.
namespace postrider {

/// no, id, name, provider, scheme, enabled, on_unverified, dedupe, config, config_sealed. `key`: the tenant's data key.
source_config read_source_config(const pqxx::row& row, const std::optional<secret_key>& key);

/// owner's no, ordinal, sealed, expires_at in microseconds or null.
void add_source_secret(source_config& source, const pqxx::row& row, const std::optional<secret_key>& key);
void add_endpoint_secret(endpoint_config& endpoint, const pqxx::row& row, const std::optional<secret_key>& key);

} // namespace postrider
