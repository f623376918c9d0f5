#include "persistence/tenant_repository.hpp"

#include "core/shard.hpp"
#include "persistence/paging.hpp"
#include "persistence/parameters.hpp"
#include "persistence/secret_columns.hpp"

#include <array>
#include <utility>

namespace postrider {
namespace {

#define POSTRIDER_TENANT_COLUMNS                                                                                       \
  "no, id, slug, name, plan, quotas->>'ingest_per_s' as ingest_per_s, quotas->>'ingest_bytes_per_s' as "               \
  "ingest_bytes_per_s,"                                                                                                \
  " quotas->>'sources' as sources, quotas->>'endpoints' as endpoints, quotas->>'backlog' as backlog,"                  \
  " quotas->>'retention_days' as retention_days, shard, enabled,"                                                      \
  " (extract(epoch from created_at) * 1000000)::bigint as created_at, (extract(epoch from updated_at) * "              \
  "1000000)::bigint as updated_at"

// One statement a tenant: a slug that is taken is then known by name.
constexpr const char* insert_sql =
  "insert into tenant (id, slug, name, plan, quotas, shard, data_key)"
  " values ($1::uuid, $2, $3, $4, $5::jsonb, $6, $7::bytea)"
  " on conflict (slug) where deleted_at is null do nothing returning " POSTRIDER_TENANT_COLUMNS;
constexpr const char* list_sql = "select " POSTRIDER_TENANT_COLUMNS " from tenant"
                                 " where deleted_at is null and id < $1::uuid order by id desc limit $2";
constexpr const char* get_sql = "select " POSTRIDER_TENANT_COLUMNS " from tenant where no = $1";
// $5: keys of quotas that change; $6: those of them that have a value.
constexpr const char* update_sql =
  "update tenant set name = coalesce($2, name), plan = coalesce($3, plan), enabled = coalesce($4::boolean, enabled),"
  " quotas = (quotas - $5::text[]) || $6::jsonb, updated_at = clock_timestamp()"
  " where no = $1 returning " POSTRIDER_TENANT_COLUMNS;
constexpr const char* delete_sql = "update tenant set deleted_at = clock_timestamp(), enabled = false where no = $1";

constexpr std::array<std::pair<const char*, std::optional<std::int64_t> tenant_quotas::*>, 6> quota_columns{{
  {"ingest_per_s", &tenant_quotas::ingest_per_s},
  {"ingest_bytes_per_s", &tenant_quotas::ingest_bytes_per_s},
  {"sources", &tenant_quotas::sources},
  {"endpoints", &tenant_quotas::endpoints},
  {"backlog", &tenant_quotas::backlog},
  {"retention_days", &tenant_quotas::retention_days},
}};

std::string quotas_json(const tenant_quotas& quotas) {
  std::string out;
  for (const auto& [name, member] : quota_columns)
    if (const auto& value = quotas.*member)
      out += (out.empty() ? "\"" : ",\"") + std::string{name} + "\":" + std::to_string(*value);
  return "{" + out + "}";
}

tenant_record read_tenant(const pqxx::row& row) {
  tenant_record out;
  out.id = {read_uuid(row["id"])};
  out.slug = row["slug"].as<std::string>();
  out.name = row["name"].as<std::string>();
  out.plan = row["plan"].as<std::string>();
  for (const auto& [name, member] : quota_columns)
    if (const auto field = row[name]; !field.is_null())
      out.quotas.*member = field.as<std::int64_t>();
  out.shard = row["shard"].as<shard_no>();
  out.enabled = row["enabled"].as<bool>();
  out.created_at = read_time(row["created_at"]);
  out.updated_at = read_time(row["updated_at"]);
  return out;
}

} // namespace

created_tenants create_tenants(pqxx::transaction_base& transaction, const std::vector<new_tenant>& tenants,
                               const secret_key& master_key) {
  const auto now = database_now(transaction);
  created_tenants out;
  for (const auto& each : tenants) {
    const tenant_id id{new_uuid(now, out.records.size())};
    const auto data_key = seal_data_key(master_key, id, make_data_key());
    const auto rows = transaction.exec_params(insert_sql, parameter(id.value), each.slug, each.name, each.plan,
                                              quotas_json(each.quotas), shard_of(id), pqxx::binarystring{data_key});
    if (rows.empty())
      refuse({409, "slug-taken", "the slug " + each.slug + " is taken"});
    out.nos.push_back(rows[0]["no"].as<tenant_no>());
    out.records.push_back(read_tenant(rows[0]));
    audit(transaction, out.nos.back(), now, "tenant.create", to_string(id));
  }
  return out;
}

page<tenant_record> list_tenants(pqxx::transaction_base& transaction, const page_request& request) {
  const auto rows = transaction.exec_params(list_sql, parameter(before_of(request)), row_limit(request));
  return read_page<tenant_record>(rows, request, read_tenant, [](const tenant_record& each) { return each.id.value; });
}

tenant_record get_tenant(pqxx::transaction_base& transaction, std::string_view slug_or_id) {
  const auto tenant = enter_tenant(transaction, slug_or_id, access::read);
  return read_tenant(transaction.exec_params1(get_sql, tenant.no));
}

tenant_record update_tenant(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                            const tenant_patch& patch) {
  binary_array changed{array_type::text};
  tenant_quotas given;
  for (const auto& [quota, value] : patch.quotas) {
    given.*quota = value;
    for (const auto& [name, member] : quota_columns)
      if (member == quota)
        changed.add(std::string_view{name});
  }
  const auto text_or_null = [](const std::optional<std::string>& text) { return text ? text->c_str() : nullptr; };
  const char* const enabled = !patch.enabled ? nullptr : *patch.enabled ? "true" : "false";
  const auto row = transaction.exec_params1(update_sql, tenant.no, text_or_null(patch.name), text_or_null(patch.plan),
                                            enabled, parameter(changed), quotas_json(given));
  audit(transaction, tenant.no, tenant.now, "tenant.update", to_string(tenant.id));
  return read_tenant(row);
}

tenant_no delete_tenant(pqxx::transaction_base& transaction, std::string_view slug_or_id) {
  const auto tenant = enter_tenant(transaction, slug_or_id, access::write);
  transaction.exec_params0(delete_sql, tenant.no);
  audit(transaction, tenant.no, tenant.now, "tenant.delete", to_string(tenant.id));
  return tenant.no;
}

} // namespace postrider
