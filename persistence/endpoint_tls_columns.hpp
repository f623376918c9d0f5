#pragma once

#include "core/secret_box.hpp"
#include "core/tenant_config.hpp"
#include "persistence/tenant_access.hpp"

#include <pqxx/pqxx>

#include <memory>
#include <optional>

/// The columns `tls` and `tls_client_key_sealed` of the table `endpoint`. Include it in .cpp files only: it brings all
/// of libpqxx.
namespace postrider {

/// What `read_endpoint_tls` reads, of a table named or aliased `e`; the key is not among it.
inline constexpr const char* endpoint_tls_columns =
  ", e.tls->>'ca_pem' as tls_ca_pem, e.tls->>'client_certificate_pem' as tls_client_certificate_pem";
/// Null: none.
std::shared_ptr<endpoint_tls> read_endpoint_tls(const pqxx::row& row);

/// As the engine needs it: the row also holds `tls_client_key_sealed`. A key that cannot be opened is logged and left
/// empty; SENDER then calls the endpoint no more, and says so.
std::shared_ptr<const endpoint_tls> read_endpoint_tls(const pqxx::row& row, const endpoint_id& id,
                                                      const std::optional<secret_key>& data_key);

/// Sets both; null: none. Where there is a client certificate without a key, the one that is stored stays.
void write_endpoint_tls(pqxx::transaction_base& transaction, const entered_tenant& tenant, const endpoint_id& id,
                        const std::shared_ptr<const endpoint_tls>& tls, const secret_key& data_key);

} // namespace postrider
