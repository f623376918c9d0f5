#include "persistence/endpoint_tls_columns.hpp"

#include "persistence/parameters.hpp"
#include "persistence/secret_columns.hpp"

#include <spdlog/spdlog.h>

namespace postrider {

namespace {

constexpr const char* write_sql =
  "update endpoint set tls = case when $3::text <> '' or $4::text <> '' then"
  "   jsonb_strip_nulls(jsonb_build_object('ca_pem', nullif($3::text, ''),"
  "                                        'client_certificate_pem', nullif($4::text, ''))) end,"
  " tls_client_key_sealed = case when $4::text <> '' then coalesce(nullif($5::bytea, ''::bytea), "
  "tls_client_key_sealed) end"
  " where tenant_no = $1 and id = $2::uuid";

} // namespace

std::shared_ptr<endpoint_tls> read_endpoint_tls(const pqxx::row& row) {
  auto out = std::make_shared<endpoint_tls>();
  out->ca_pem = row["tls_ca_pem"].as<std::string>("");
  out->client_certificate_pem = row["tls_client_certificate_pem"].as<std::string>("");
  return out->empty() ? nullptr : out;
}

std::shared_ptr<const endpoint_tls> read_endpoint_tls(const pqxx::row& row, const endpoint_id& id,
                                                      const std::optional<secret_key>& data_key) {
  auto out = read_endpoint_tls(row);
  if (!out || out->client_certificate_pem.empty())
    return out;
  const auto sealed = row["tls_client_key_sealed"];
  auto clear = data_key && !sealed.is_null()
                 ? open(*data_key, read_bytes(sealed), endpoint_client_key_associated_data(id))
                 : std::nullopt;
  if (clear)
    out->client_key_pem = std::move(*clear);
  else
    spdlog::error("store: the key of an endpoint's client certificate cannot be opened endpoint={}", to_string(id));
  return out;
}

void write_endpoint_tls(pqxx::transaction_base& transaction, const entered_tenant& tenant, const endpoint_id& id,
                        const std::shared_ptr<const endpoint_tls>& tls, const secret_key& data_key) {
  const endpoint_tls none;
  const auto& what = tls ? *tls : none;
  const auto sealed = what.client_key_pem.empty()
                        ? std::string{}
                        : seal_column(data_key, what.client_key_pem, endpoint_client_key_associated_data(id));
  transaction.exec_params0(write_sql, tenant.no, parameter(id.value), what.ca_pem, what.client_certificate_pem,
                           pqxx::binarystring{sealed});
}

} // namespace postrider
