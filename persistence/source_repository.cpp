#include "persistence/source_repository.hpp"

#include "persistence/paging.hpp"
#include "persistence/parameters.hpp"
#include "persistence/rotated_secrets.hpp"
#include "persistence/secret_columns.hpp"
#include "persistence/source_rows.hpp"

namespace postrider {
namespace {

#define POSTRIDER_SOURCE_COLUMNS                                                                                       \
  "no, id, name, provider, scheme, config, enabled, on_unverified, dedupe,"                                            \
  " (select count(*) from source_secret s where s.source_no = source.no"                                               \
  "   and (s.expires_at is null or s.expires_at > clock_timestamp())) as secret_count,"                                \
  " (extract(epoch from created_at) * 1000000)::bigint as created_at, (extract(epoch from updated_at) * "              \
  "1000000)::bigint as updated_at"

constexpr const char* insert_sql =
  "insert into source (id, tenant_no, name, provider, scheme, enabled, on_unverified, dedupe, config, config_sealed)"
  " values ($1::uuid, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, nullif($10::bytea, '')) on conflict (tenant_no, name) "
  "where deleted_at is null do nothing"
  " returning no";
constexpr const char* insert_secret_sql =
  "insert into source_secret (source_no, ordinal, tenant_no, sealed) values ($1, $2, $3, $4::bytea)";
constexpr const char* list_sql =
  "select " POSTRIDER_SOURCE_COLUMNS " from source"
  " where tenant_no = $1 and deleted_at is null and id < $2::uuid order by id desc limit $3";
constexpr const char* get_sql = "select " POSTRIDER_SOURCE_COLUMNS " from source where no = $1";
constexpr const char* get_rules_sql = "select no, id, name, provider, scheme, enabled, on_unverified, dedupe, config, "
                                      "config_sealed from source where no = $1";
constexpr const char* get_secrets_sql =
  "select source_no, ordinal, sealed, (extract(epoch from expires_at) * 1000000)::bigint from source_secret"
  " where source_no = $1 and (expires_at is null or expires_at > clock_timestamp()) order by ordinal desc";
constexpr const char* find_sql = "select no from source where deleted_at is null and tenant_no = current_tenant_no()"
                                 " and (id = $1::uuid or name = $2) order by id = $1::uuid desc limit 1";
constexpr const char* delete_sql =
  "update source set deleted_at = clock_timestamp(), updated_at = clock_timestamp() where no = $1 returning id";
constexpr const char* taken_sql = "select from source where deleted_at is null and tenant_no = $1 and name = $2";
constexpr const char* update_sql =
  "update source set name = $2, scheme = $3, enabled = $4, on_unverified = $5, dedupe = $6, config = $7::jsonb,"
  " config_sealed = nullif($8::bytea, ''), updated_at = clock_timestamp() where no = $1";
constexpr const char* touch_sql = "update source set updated_at = clock_timestamp() where no = $1";

source_record read_source(const pqxx::row& row, const std::string& tenant_slug) {
  source_record out;
  out.id = {read_uuid(row["id"])};
  out.tenant_slug = tenant_slug;
  out.name = row["name"].as<std::string>();
  out.provider = row["provider"].as<std::string>();
  out.scheme = row["scheme"].as<std::string>();
  out.enabled = row["enabled"].as<bool>();
  out.on_unverified = static_cast<unverified_mode>(row["on_unverified"].as<int>());
  out.dedupe = static_cast<dedupe_mode>(row["dedupe"].as<int>());
  out.secret_count = row["secret_count"].as<std::size_t>();
  out.config = row["config"].as<std::string>();
  out.created_at = read_time(row["created_at"]);
  out.updated_at = read_time(row["updated_at"]);
  return out;
}

/// The newest has the greatest ordinal.
void insert_secrets(pqxx::transaction_base& transaction, const entered_tenant& tenant, const source_id& id,
                    source_no no, const std::vector<std::string>& secrets, const secret_key& data_key) {
  auto ordinal = static_cast<int>(secrets.size());
  for (const auto& secret : secrets) {
    const auto sealed = seal_column(data_key, secret, source_secret_associated_data(id, ordinal));
    transaction.exec_params0(insert_secret_sql, no, ordinal, tenant.no, pqxx::binarystring{sealed});
    --ordinal;
  }
}

/// The settings in clear. 500 `secret-unreadable` where they were sealed with another key: a change must not lose them.
source_settings read_settings(const pqxx::row& row, const source_id& id, const secret_key& data_key) {
  source_settings out{row["config"].c_str(), {}};
  if (row["config_sealed"].is_null())
    return out;
  auto clear = open(data_key, read_bytes(row["config_sealed"]), source_config_associated_data(id));
  if (!clear)
    refuse({500, "secret-unreadable", "the source's settings were sealed with another key"});
  out.secret = std::move(*clear);
  return out;
}

std::string sealed_settings(const source_settings& settings, const source_id& id, const secret_key& data_key) {
  return settings.secret.empty() ? std::string{}
                                 : seal_column(data_key, settings.secret, source_config_associated_data(id));
}

stored_source read_stored(pqxx::transaction_base& transaction, const entered_tenant& tenant, source_no no,
                          const secret_key& data_key) {
  stored_source out;
  out.shown = read_source(transaction.exec_params1(get_sql, no), tenant.slug);
  const auto row = transaction.exec_params1(get_rules_sql, no);
  auto rules = read_source_config(row, data_key);
  for (const auto& each : transaction.exec_params(get_secrets_sql, no))
    add_source_secret(rules, each, data_key);
  auto& given = out.given;
  given = {rules.name, rules.provider, rules.scheme, {}, rules.enabled, rules.on_unverified, rules.dedupe, {}};
  given.settings = read_settings(row, out.shown.id, data_key);
  for (auto& each : rules.secrets)
    given.secrets.push_back(std::move(each.text));
  return out;
}

/// 422 at `/secret`.
void check_new_secret(const stored_source& source, const std::string& secret) {
  const auto rules = rules_of(source.given.scheme, source.given.settings);
  const auto wrong = [](const char* code, const char* detail) {
    refuse({422, "validation-failed", "the secret cannot be rotated", {{"/secret", code, detail}}});
  };
  if (!rules)
    wrong("scheme-unknown", "the source's scheme is not known to this version");
  else if (!needs_secrets(*rules))
    wrong("scheme-without-secrets", "this scheme's keys stand in the source's config, and change by PATCH");
  else if (!is_key_of(*rules, secret))
    wrong("bad-format", "this is no secret of the scheme's form");
}

} // namespace

std::vector<source_record> create_sources(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                          const std::vector<new_source>& sources, const secret_key& data_key) {
  std::vector<source_record> out;
  for (const auto& each : sources) {
    const source_id id{new_uuid(tenant.now, out.size())};
    const auto sealed = sealed_settings(each.settings, id, data_key);
    const auto rows =
      transaction.exec_params(insert_sql, parameter(id.value), tenant.no, each.name, each.provider, each.scheme,
                              each.enabled, static_cast<int>(each.on_unverified), static_cast<int>(each.dedupe),
                              each.settings.plain, pqxx::binarystring{sealed});
    if (rows.empty())
      refuse({409, "name-taken", "the name " + each.name + " is taken"});
    const auto no = rows[0][0].as<source_no>();
    insert_secrets(transaction, tenant, id, no, each.secrets, data_key);
    out.push_back(read_source(transaction.exec_params1(get_sql, no), tenant.slug));
    audit(transaction, tenant.no, tenant.now, "source.create", to_string(id));
  }
  return out;
}

page<source_record> list_sources(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                 const page_request& request) {
  const auto rows = transaction.exec_params(list_sql, tenant.no, parameter(before_of(request)), row_limit(request));
  return read_page<source_record>(
    rows, request, [&](const pqxx::row& row) { return read_source(row, tenant.slug); },
    [](const source_record& each) { return each.id.value; });
}

std::optional<source_no> find_source(pqxx::transaction_base& transaction, std::string_view name_or_id) {
  if (!could_be_name(name_or_id))
    return std::nullopt;
  const auto id = parse_id<source_id>(name_or_id);
  const auto rows = transaction.exec_params(find_sql, parameter(id ? id->value : uuid{}), std::string{name_or_id});
  return rows.empty() ? std::nullopt : std::optional{rows[0][0].as<source_no>()};
}

source_record get_source(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                         std::string_view name_or_id) {
  const auto no = find_source(transaction, name_or_id);
  if (!no)
    refuse_unknown("source");
  return read_source(transaction.exec_params1(get_sql, *no), tenant.slug);
}

source_config get_source_rules(pqxx::transaction_base& transaction, std::string_view name_or_id,
                               const secret_key& data_key) {
  const auto no = find_source(transaction, name_or_id);
  if (!no)
    refuse_unknown("source");
  auto out = read_source_config(transaction.exec_params1(get_rules_sql, *no), data_key);
  for (const auto& row : transaction.exec_params(get_secrets_sql, *no))
    add_source_secret(out, row, data_key);
  return out;
}

void delete_source(pqxx::transaction_base& transaction, const entered_tenant& tenant, std::string_view name_or_id) {
  const auto no = find_source(transaction, name_or_id);
  if (!no)
    refuse_unknown("source");
  const source_id id{read_uuid(transaction.exec_params1(delete_sql, *no)[0])};
  audit(transaction, tenant.no, tenant.now, "source.delete", to_string(id));
}

source_record change_source(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                            std::string_view name_or_id, const source_change& decide, const secret_key& data_key) {
  const auto no = find_source(transaction, name_or_id);
  if (!no)
    refuse_unknown("source");
  const auto stored = read_stored(transaction, tenant, *no, data_key);
  const auto& id = stored.shown.id;
  const auto decided = decide(stored);
  if (!decided)
    refuse(decided.error());
  const auto& to = *decided;
  // Nobody else takes it meanwhile: whoever changes a tenant does so one after the other.
  if (to.name != stored.shown.name && !transaction.exec_params(taken_sql, tenant.no, to.name).empty())
    refuse({409, "name-taken", "the name " + to.name + " is taken"});
  const auto sealed = sealed_settings(to.settings, id, data_key);
  transaction.exec_params0(update_sql, *no, to.name, to.scheme, to.enabled, static_cast<int>(to.on_unverified),
                           static_cast<int>(to.dedupe), to.settings.plain, pqxx::binarystring{sealed});
  audit(transaction, tenant.no, tenant.now, "source.update", to_string(id));
  return read_source(transaction.exec_params1(get_sql, *no), tenant.slug);
}

source_record rotate_source_secret(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                   std::string_view name_or_id, const secret_rotation& rotation,
                                   const secret_key& data_key) {
  const auto no = find_source(transaction, name_or_id);
  if (!no)
    refuse_unknown("source");
  const auto stored = read_stored(transaction, tenant, *no, data_key);
  check_new_secret(stored, rotation.secret);
  rotate_secret(transaction, tenant, secret_owner::source, *no, rotation, data_key,
                [&](int ordinal) { return source_secret_associated_data(stored.shown.id, ordinal); });
  transaction.exec_params0(touch_sql, *no);
  audit(transaction, tenant.no, tenant.now, "source.rotate-secret", to_string(stored.shown.id));
  return read_source(transaction.exec_params1(get_sql, *no), tenant.slug);
}

} // namespace postrider
