#include "persistence/key_repository.hpp"

#include "persistence/command_session.hpp"
#include "persistence/paging.hpp"
#include "persistence/parameters.hpp"
#include "persistence/random_bytes.hpp"

#include <pqxx/pqxx>

#include <spdlog/spdlog.h>

namespace postrider {
namespace {

#define POSTRIDER_KEY_COLUMNS                                                                                          \
  "k.id, k.name, k.role, t.id as tenant_id, coalesce(t.enabled, true) as tenant_enabled, t.slug,"                      \
  " (extract(epoch from k.expires_at) * 1000000)::bigint as expires_at,"                                               \
  " (extract(epoch from k.last_used_at) * 1000000)::bigint as last_used_at,"                                           \
  " (extract(epoch from k.created_at) * 1000000)::bigint as created_at"

constexpr const char* insert_sql =
  "insert into api_key (id, tenant_no, name, role, hash, expires_at)"
  " values ($1::uuid, nullif($2::bigint, 0), $3, $4, $5::bytea, nullif($6, '')::timestamptz)";
constexpr const char* lock_sql = "select 1 from tenant where no = $1 for no key update";
constexpr const char* count_sql = "select count(*) from api_key where tenant_no = $1 and revoked_at is null";
constexpr const char* get_sql =
  "select " POSTRIDER_KEY_COLUMNS " from api_key k left join tenant t on t.no = k.tenant_no"
  " where k.id = $1::uuid";
constexpr const char* list_sql =
  "select " POSTRIDER_KEY_COLUMNS " from api_key k left join tenant t on t.no = k.tenant_no"
  " where k.revoked_at is null and coalesce(k.tenant_no, 0) = $1 order by k.id desc limit 1000";
constexpr const char* page_sql =
  "select " POSTRIDER_KEY_COLUMNS " from api_key k join tenant t on t.no = k.tenant_no"
  " where k.revoked_at is null and k.tenant_no = $1 and k.id < $2::uuid order by k.id desc limit $3";
constexpr const char* revoke_of_tenant_sql = "update api_key set revoked_at = clock_timestamp()"
                                             " where id = $1::uuid and tenant_no = $2 and revoked_at is null";
constexpr const char* revoke_sql =
  "update api_key set revoked_at = clock_timestamp() where id = $1::uuid and revoked_at is null"
  " returning coalesce(tenant_no, 0)";
constexpr const char* find_sql =
  "select " POSTRIDER_KEY_COLUMNS
  " , coalesce(k.last_used_at < clock_timestamp() - interval '1 minute', true) as note_use"
  " from api_key k left join tenant t on t.no = k.tenant_no"
  " where k.hash = $1::bytea and k.revoked_at is null"
  " and (k.expires_at is null or k.expires_at > clock_timestamp())"
  " and (k.tenant_no is null or t.deleted_at is null)";
constexpr const char* note_use_sql = "update api_key set last_used_at = clock_timestamp() where id = $1::uuid";

api_key_record read_key(const pqxx::row& row) {
  api_key_record out;
  out.id = {read_uuid(row["id"])};
  out.name = row["name"].as<std::string>();
  out.role = static_cast<api_role>(row["role"].as<int>());
  if (!row["tenant_id"].is_null())
    out.tenant = tenant_id{read_uuid(row["tenant_id"])};
  if (!row["slug"].is_null())
    out.tenant_slug = row["slug"].as<std::string>();
  out.tenant_enabled = row["tenant_enabled"].as<bool>();
  out.expires_at = read_optional_time(row["expires_at"]);
  out.last_used_at = read_optional_time(row["last_used_at"]);
  out.created_at = read_time(row["created_at"]);
  return out;
}

/// 0: no tenant.
tenant_no owner_of(pqxx::transaction_base& transaction, const std::string& slug_or_id) {
  return slug_or_id.empty() ? 0 : find_tenant(transaction, slug_or_id);
}

/// Of a tenant alone: operators know what they do. The tenant's row is locked, so nobody makes another one meanwhile;
/// what only reads the row goes on, and no version is counted up.
void check_room_for_key(pqxx::transaction_base& transaction, tenant_no tenant) {
  transaction.exec_params(lock_sql, tenant);
  if (transaction.exec_params1(count_sql, tenant)[0].as<std::int64_t>() < api_keys_max)
    return;
  const auto detail =
    "a tenant has at most " + std::to_string(api_keys_max) + " API keys; revoke some, expired ones too";
  refuse({422, "quota-exceeded", detail});
}

created_api_key insert_key(pqxx::transaction_base& transaction, tenant_no tenant, wall_time now,
                           const new_api_key& wanted) {
  if (tenant != 0)
    check_room_for_key(transaction, tenant);
  const key_id id{new_uuid(now)};
  created_api_key out{{}, make_api_key(random_bytes<32>())};
  const auto hash = hash_api_key(out.key);
  transaction.exec_params0(insert_sql, parameter(id.value), tenant, wanted.name, static_cast<int>(wanted.role),
                           pqxx::binarystring{hash.data(), hash.size()},
                           wanted.expires_at ? to_rfc3339(*wanted.expires_at) : std::string{});
  out.record = read_key(transaction.exec_params1(get_sql, parameter(id.value)));
  audit(transaction, tenant, now, "key.create", to_string(id));
  return out;
}

/// `work(transaction)` in a transaction and connection of its own.
template <class T, class F>
result<T> in_one_transaction(const std::string& url, F&& work) {
  command_session on{url, "keys"};
  if (auto failure = on.connect())
    return std::move(*failure);
  try {
    auto done = on.call([&](pqxx::connection_base& connection) {
      pqxx::work transaction{connection};
      T out = work(transaction);
      transaction.commit();
      return out;
    });
    if (!done)
      return problem_of(done.error(), "internal-error");
    return std::move(*done);
  } catch (const refusal& refused) {
    return refused.what;
  }
}

} // namespace

result<created_api_key> create_api_key(const std::string& url, const new_api_key& wanted) {
  const bool is_operator = wanted.role == api_role::operator_;
  if (is_operator != wanted.tenant.empty())
    return problem{422,
                   "validation-failed",
                   "the role does not go with the tenant",
                   {{"/tenant", is_operator ? "not-allowed" : "required",
                     is_operator ? "an operator's key belongs to no tenant" : "this role needs a tenant"}}};
  return in_one_transaction<created_api_key>(url, [&](pqxx::transaction_base& transaction) {
    return insert_key(transaction, owner_of(transaction, wanted.tenant), database_now(transaction), wanted);
  });
}

result<std::vector<api_key_record>> list_api_keys(const std::string& url, const std::string& tenant) {
  return in_one_transaction<std::vector<api_key_record>>(url, [&](pqxx::transaction_base& transaction) {
    std::vector<api_key_record> out;
    for (const auto& row : transaction.exec_params(list_sql, owner_of(transaction, tenant)))
      out.push_back(read_key(row));
    return out;
  });
}

result<bool> revoke_api_key(const std::string& url, const key_id& id) {
  return in_one_transaction<bool>(url, [&](pqxx::transaction_base& transaction) {
    const auto rows = transaction.exec_params(revoke_sql, parameter(id.value));
    if (rows.empty())
      refuse_unknown("key");
    audit(transaction, rows[0][0].as<tenant_no>(), database_now(transaction), "key.revoke", to_string(id));
    return true;
  });
}

created_api_key create_tenant_key(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                  const new_api_key& wanted) {
  return insert_key(transaction, tenant.no, tenant.now, wanted);
}

page<api_key_record> list_tenant_keys(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                      const page_request& request) {
  const auto rows = transaction.exec_params(page_sql, tenant.no, parameter(before_of(request)), row_limit(request));
  return read_page<api_key_record>(rows, request, read_key, [](const api_key_record& each) { return each.id.value; });
}

void revoke_tenant_key(pqxx::transaction_base& transaction, const entered_tenant& tenant, const key_id& id) {
  if (transaction.exec_params(revoke_of_tenant_sql, parameter(id.value), tenant.no).affected_rows() != 1)
    refuse_unknown("key");
  audit(transaction, tenant.no, tenant.now, "key.revoke", to_string(id));
}

std::optional<api_key_record> find_api_key(pqxx::connection_base& connection, const api_key_hash& hash) {
  pqxx::nontransaction session{connection};
  const auto rows = session.exec_params(find_sql, pqxx::binarystring{hash.data(), hash.size()});
  if (rows.empty())
    return std::nullopt;
  const auto found = read_key(rows[0]);
  if (rows[0]["note_use"].as<bool>())
    session.exec_params0(note_use_sql, parameter(found.id.value));
  return found;
}

} // namespace postrider
