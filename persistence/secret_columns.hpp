#pragma once

#include "core/ids.hpp"
#include "core/secret_box.hpp"

#include <optional>
#include <string>
#include <string_view>

/// How secrets stand in the database: which key seals a column, and with which associated data, so that a ciphertext
/// can neither be moved to another row nor to another purpose. Whoever writes or reads a sealed column does it through
/// these functions.
///
///   column                          key               associated data
///   tenant.data_key                 the master key    the 16 bytes of the tenant's id
///   source_secret.sealed            tenant data key   "source:" + source id text (`src_…`) + ":" + ordinal
///   source.config_sealed            tenant data key   "source:" + source id text + ":config"
///   endpoint_secret.sealed          tenant data key   "endpoint:" + endpoint id text (`ep_…`) + ":" + ordinal
///   endpoint.tls_client_key_sealed  tenant data key   "endpoint:" + endpoint id text + ":client_key"
namespace postrider {

std::string data_key_associated_data(const tenant_id& tenant);
std::string source_secret_associated_data(const source_id& source, int ordinal);
std::string source_config_associated_data(const source_id& source);
std::string endpoint_secret_associated_data(const endpoint_id& endpoint, int ordinal);
std::string endpoint_client_key_associated_data(const endpoint_id& endpoint);

/// Seals with a nonce from the system's random source. Throws std::runtime_error only where the system has none to
/// give.
std::string seal_column(const secret_key& key, std::string_view plaintext, std::string_view associated_data);

/// A fresh data key for a new tenant, in clear.
secret_key make_data_key();
std::string seal_data_key(const secret_key& master_key, const tenant_id& tenant, const secret_key& data_key);
/// Nothing: sealed by another master key, for another tenant, or damaged.
std::optional<secret_key> open_data_key(const secret_key& master_key, const tenant_id& tenant, std::string_view sealed);

} // namespace postrider
