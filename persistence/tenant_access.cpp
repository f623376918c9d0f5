#include "persistence/tenant_access.hpp"

#include "actors/management_store.hpp"
#include "persistence/parameters.hpp"
#include "persistence/random_bytes.hpp"
#include "persistence/secret_columns.hpp"

#include <algorithm>

namespace postrider {
namespace {

constexpr const char* columns =
  "select no, id, slug, data_key, (extract(epoch from clock_timestamp()) * 1000000)::bigint"
  " as now from tenant where deleted_at is null and ";
constexpr const char* is_named = "(slug = $1 or id = $2::uuid)";
constexpr const char* is_numbered = "no = $1";
constexpr const char* audit_sql = "insert into audit_log (id, at, tenant_no, actor, action, target)"
                                  " values ($1::uuid, $2::timestamptz, nullif($3::bigint, 0), 'api', $4, $5)";

const char* lock_of(access as) noexcept {
  return as == access::write ? " for update" : "";
}

pqxx::row find_named(pqxx::transaction_base& transaction, std::string_view slug_or_id, access as) {
  if (!could_be_name(slug_or_id))
    refuse_unknown("tenant");
  const auto id = parse_id<tenant_id>(slug_or_id);
  const auto rows = transaction.exec_params(columns + std::string{is_named} + lock_of(as), std::string{slug_or_id},
                                            parameter(id ? id->value : uuid{}));
  if (rows.size() != 1)
    refuse_unknown("tenant");
  return rows[0];
}

entered_tenant enter(pqxx::transaction_base& transaction, const pqxx::row& row, access as) {
  entered_tenant out{row["no"].as<tenant_no>(),
                     {read_uuid(row["id"])},
                     row["slug"].as<std::string>(),
                     read_bytes(row["data_key"]),
                     read_time(row["now"])};
  const auto number = std::to_string(out.no);
  transaction.exec((as == access::write ? "select touch_tenant(" + number + ");" : "") +
                   "set local role postrider_api; select set_config('postrider.tenant', '" + number + "', true)");
  return out;
}

} // namespace

void refuse(problem what) {
  throw refusal{std::move(what)};
}

void refuse_unknown(std::string_view kind) {
  refuse(not_found(kind));
}

bool could_be_name(std::string_view slug_or_name) noexcept {
  return std::all_of(slug_or_name.begin(), slug_or_name.end(), [](char each) { return each > ' ' && each < '\x7f'; });
}

entered_tenant enter_tenant(pqxx::transaction_base& transaction, std::string_view slug_or_id, access as) {
  return enter(transaction, find_named(transaction, slug_or_id, as), as);
}

entered_tenant enter_tenant(pqxx::transaction_base& transaction, tenant_no no, access as) {
  const auto rows = transaction.exec_params(columns + std::string{is_numbered} + lock_of(as), no);
  if (rows.size() != 1)
    refuse_unknown("tenant");
  return enter(transaction, rows[0], as);
}

tenant_no find_tenant(pqxx::transaction_base& transaction, std::string_view slug_or_id) {
  return find_named(transaction, slug_or_id, access::read)["no"].as<tenant_no>();
}

secret_key data_key_of(const entered_tenant& tenant, const secret_key& master_key) {
  const auto key = open_data_key(master_key, tenant.id, tenant.data_key_sealed);
  if (!key)
    refuse({500, "secret-unreadable", "the tenant's secrets were sealed with another master key"});
  return *key;
}

void audit(pqxx::transaction_base& transaction, tenant_no tenant, wall_time now, std::string_view action,
           std::string_view target) {
  transaction.exec_params(audit_sql, parameter(new_uuid(now)), parameter(now), tenant, std::string{action},
                          std::string{target});
}

wall_time database_now(pqxx::transaction_base& transaction) {
  return read_time(transaction.exec1("select (extract(epoch from clock_timestamp()) * 1000000)::bigint")[0]);
}

uuid new_uuid(wall_time now, std::size_t index) {
  auto out = make_uuid_v7(now, random_bytes<10>());
  // The 12 bits behind the time (RFC 9562 section 6.2, method 1: a fixed-length counter).
  out.bytes[6] = static_cast<std::uint8_t>(0x70U | ((index >> 8U) & 0x0fU));
  out.bytes[7] = static_cast<std::uint8_t>(index & 0xffU);
  return out;
}

} // namespace postrider
