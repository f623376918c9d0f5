#include "persistence/endpoint_repository.hpp"

#include "persistence/endpoint_columns.hpp"
#include "persistence/endpoint_tls_columns.hpp"
#include "persistence/paging.hpp"
#include "persistence/parameters.hpp"
#include "persistence/rotated_secrets.hpp"
#include "persistence/secret_columns.hpp"
#include "persistence/source_repository.hpp"

namespace postrider {
namespace {

constexpr const char* insert_sql =
  "insert into endpoint (id, tenant_no, url, description, event_types, source_nos, "
  "headers, max_in_flight, timeout_ms, status,"
  " disabled_reason, retry, breaker, rate_limit_per_s, ordering, ordering_key, priority)"
  " values ($1::uuid, $2, $3, $4, $5::text[], $6::bigint[],"
  "  (select coalesce(jsonb_agg(jsonb_build_array(name, value) order by i), '[]')"
  "   from unnest($7::text[], $8::text[]) with ordinality as h (name, value, i)),"
  " $9, $10, $11::smallint, case $11::smallint when 2 then 'disabled_by_user' else '' end,"
  " nullif($12, '')::jsonb, nullif($13, '')::jsonb, nullif($14, '')::double precision, $15::smallint,"
  " nullif($16, ''), $17::smallint) returning no";
constexpr const char* insert_secret_sql =
  "insert into endpoint_secret (endpoint_no, ordinal, tenant_no, sealed) values ($1, $2, $3, $4::bytea)";
constexpr const char* newest_secret_sql =
  "select e.no, s.ordinal, s.sealed from endpoint e join endpoint_secret s on s.endpoint_no = e.no"
  " where e.tenant_no = $1 and e.id = $2::uuid and e.deleted_at is null"
  " order by s.ordinal desc limit 1";
constexpr const char* delete_sql = "update endpoint set deleted_at = clock_timestamp(), updated_at = clock_timestamp()"
                                   " where tenant_no = $1 and id = $2::uuid and deleted_at is null";
constexpr const char* update_sql =
  "update endpoint set url = $2, description = $3, event_types = $4::text[],"
  " source_nos = case when $5::boolean then $6::bigint[] else source_nos end,"
  " headers = (select coalesce(jsonb_agg(jsonb_build_array(name, value) order by i), '[]')"
  "            from unnest($7::text[], $8::text[]) with ordinality as h (name, value, i)),"
  " max_in_flight = $9, timeout_ms = $10, status = $11, disabled_reason = $12, retry = nullif($13, '')::jsonb,"
  " breaker = nullif($14, '')::jsonb, rate_limit_per_s = nullif($15, '')::double precision,"
  " ordering = $16::smallint, ordering_key = nullif($17, ''), priority = $18::smallint,"
  " updated_at = clock_timestamp() where no = $1";
constexpr const char* touch_sql = "update endpoint set updated_at = clock_timestamp()"
                                  " where tenant_no = $1 and id = $2::uuid and deleted_at is null returning no";
constexpr const char* transition_sql =
  "insert into transition (id, at, tenant_no, kind, subject_no, from_state, to_state, cause)"
  " values ($1::uuid, $2::timestamptz, $3, 'endpoint', $4, (array['active', 'paused', 'disabled'])[$5::integer + 1],"
  "  (array['active', 'paused', 'disabled'])[$6::integer + 1], 'changed_by_user')";

/// `condition` on the endpoint, aliased `e`.
std::string select_sql(const std::string& condition) {
  return std::string{"select "} + endpoint_config_columns + endpoint_tls_columns +
         ", e.description, e.disabled_reason,"
         " array(select s.id::text from unnest(e.source_nos) with ordinality as u (no, i) join source s on s.no = u.no "
         // Without the deleted ones; but where no other is left they stay: an empty list would say `all`.
         "where s.deleted_at is null or not exists (select from source l where l.no = any(e.source_nos) "
         "and l.deleted_at is null) order by u.i)"
         "   as source_ids,"
         " coalesce(r.breaker_state, 0) as breaker_state, (extract(epoch from r.since) * 1000000)::bigint as "
         "breaker_since,"
         " (extract(epoch from r.next_probe_at) * 1000000)::bigint as next_probe_at,"
         " (extract(epoch from e.created_at) * 1000000)::bigint as created_at,"
         " (extract(epoch from e.updated_at) * 1000000)::bigint as updated_at"
         " from endpoint e left join endpoint_runtime r on r.endpoint_no = e.no"
         " where e.tenant_no = $1 and e.deleted_at is null and " +
         condition;
}

endpoint_record read_endpoint(const pqxx::row& row) {
  endpoint_record out;
  out.config = read_endpoint_config(row);
  out.config.tls = read_endpoint_tls(row);
  out.description = row["description"].as<std::string>();
  out.disabled_reason = row["disabled_reason"].as<std::string>();
  for (const auto& text : read_texts(row["source_ids"]))
    if (const auto id = parse_uuid(text))
      out.source_ids.push_back(to_string(source_id{*id}));
  out.breaker = static_cast<breaker_state>(row["breaker_state"].as<int>());
  out.breaker_since = read_optional_time(row["breaker_since"]);
  out.next_probe_at = read_optional_time(row["next_probe_at"]);
  out.created_at = read_time(row["created_at"]);
  out.updated_at = read_time(row["updated_at"]);
  return out;
}

/// The numbers of each endpoint's sources; every unknown one is told.
std::vector<std::vector<source_no>> resolve_sources(pqxx::transaction_base& transaction,
                                                    const std::vector<new_endpoint>& endpoints) {
  std::vector<std::vector<source_no>> out(endpoints.size());
  problem unknown{422, "validation-failed", "a source is not known"};
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    const auto& names = endpoints[i].sources;
    for (std::size_t n = 0; n < names.size(); ++n) {
      if (const auto no = find_source(transaction, names[n])) {
        out[i].push_back(*no);
        continue;
      }
      unknown.errors.push_back({endpoints[i].sources_at + "/" + std::to_string(n), "source-unknown", "no such source"});
    }
  }
  if (!unknown.errors.empty())
    refuse(std::move(unknown));
  return out;
}

/// The columns that are arrays.
struct endpoint_lists {
  binary_array event_types{array_type::text};
  binary_array sources{array_type::int8};
  binary_array header_names{array_type::text};
  binary_array header_values{array_type::text};

  endpoint_lists(const endpoint_config& config, const std::vector<source_no>& source_nos) {
    for (const auto& pattern : config.event_types)
      event_types.add(std::string_view{pattern});
    for (const auto no : source_nos)
      sources.add(no);
    for (const auto& [name, value] : config.headers) {
      header_names.add(std::string_view{name});
      header_values.add(std::string_view{value});
    }
  }
};

/// Empty (null): not limited.
std::string rate_text(const endpoint_config& config) {
  return config.rate_limit_per_s ? pqxx::to_string(*config.rate_limit_per_s) : std::string{};
}

/// Empty (null): no key.
std::string key_text(const endpoint_config& config) {
  return config.order_key ? config.order_key->text : std::string{};
}

endpoint_no insert_endpoint(pqxx::transaction_base& transaction, const entered_tenant& tenant, const endpoint_id& id,
                            const new_endpoint& each, const std::vector<source_no>& source_nos) {
  const auto& config = each.config;
  const endpoint_lists lists{config, source_nos};
  return transaction
    .exec_params1(
      insert_sql, parameter(id.value), tenant.no, config.url, each.description, parameter(lists.event_types),
      parameter(lists.sources), parameter(lists.header_names), parameter(lists.header_values), config.max_in_flight,
      config.timeout.count(), static_cast<int>(config.status), retry_json(config.retry), breaker_json(config.breaker),
      rate_text(config), static_cast<int>(config.ordering), key_text(config), static_cast<int>(config.priority))[0]
    .as<endpoint_no>();
}

/// The newest has the greatest ordinal.
void insert_secrets(pqxx::transaction_base& transaction, const entered_tenant& tenant, const endpoint_id& id,
                    endpoint_no no, const std::vector<secret>& secrets, const secret_key& data_key) {
  auto ordinal = static_cast<int>(secrets.size());
  for (const auto& each : secrets) {
    const auto sealed = seal_column(data_key, each.text, endpoint_secret_associated_data(id, ordinal));
    transaction.exec_params0(insert_secret_sql, no, ordinal, tenant.no, pqxx::binarystring{sealed});
    --ordinal;
  }
}

} // namespace

std::vector<endpoint_record> create_endpoints(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                              const std::vector<new_endpoint>& endpoints, const secret_key& data_key) {
  const auto source_nos = resolve_sources(transaction, endpoints);
  std::vector<endpoint_record> out;
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    const endpoint_id id{new_uuid(tenant.now, i)};
    const auto no = insert_endpoint(transaction, tenant, id, endpoints[i], source_nos[i]);
    insert_secrets(transaction, tenant, id, no, endpoints[i].config.secrets, data_key);
    if (endpoints[i].config.tls)
      write_endpoint_tls(transaction, tenant, id, endpoints[i].config.tls, data_key);
    out.push_back(get_endpoint(transaction, tenant, id));
    out.back().config.secrets = endpoints[i].config.secrets;
    audit(transaction, tenant.no, tenant.now, "endpoint.create", to_string(id));
  }
  return out;
}

page<endpoint_record> list_endpoints(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                     const page_request& request) {
  static const auto sql = select_sql("e.id < $2::uuid order by e.id desc limit $3");
  const auto rows = transaction.exec_params(sql, tenant.no, parameter(before_of(request)), row_limit(request));
  return read_page<endpoint_record>(rows, request, read_endpoint,
                                    [](const endpoint_record& each) { return each.config.id.value; });
}

endpoint_record get_endpoint(pqxx::transaction_base& transaction, const entered_tenant& tenant, const endpoint_id& id) {
  static const auto sql = select_sql("e.id = $2::uuid");
  const auto rows = transaction.exec_params(sql, tenant.no, parameter(id.value));
  if (rows.empty())
    refuse_unknown("endpoint");
  return read_endpoint(rows[0]);
}

std::string get_endpoint_secret(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                const endpoint_id& id, const secret_key& data_key) {
  const auto rows = transaction.exec_params(newest_secret_sql, tenant.no, parameter(id.value));
  if (rows.empty())
    refuse_unknown("endpoint");
  const auto clear =
    open(data_key, read_bytes(rows[0]["sealed"]), endpoint_secret_associated_data(id, rows[0]["ordinal"].as<int>()));
  if (!clear)
    refuse({500, "secret-unreadable", "the endpoint's secret was sealed with another key"});
  return *clear;
}

void delete_endpoint(pqxx::transaction_base& transaction, const entered_tenant& tenant, const endpoint_id& id) {
  if (transaction.exec_params(delete_sql, tenant.no, parameter(id.value)).affected_rows() != 1)
    refuse_unknown("endpoint");
  audit(transaction, tenant.no, tenant.now, "endpoint.delete", to_string(id));
}

endpoint_record change_endpoint(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                const endpoint_id& id, const endpoint_change& decide, const secret_key& data_key) {
  const auto stored = get_endpoint(transaction, tenant, id);
  auto decided = decide(stored);
  if (!decided)
    refuse(decided.error());
  auto& to = *decided;
  if (!to.sources_named)
    to.fields.sources.clear(); // one of them may be deleted
  const auto source_nos = resolve_sources(transaction, {to.fields});
  const auto& config = to.fields.config;
  const endpoint_lists lists{config, source_nos.front()};
  transaction.exec_params0(update_sql, stored.config.no, config.url, to.fields.description,
                           parameter(lists.event_types), to.sources_named, parameter(lists.sources),
                           parameter(lists.header_names), parameter(lists.header_values), config.max_in_flight,
                           config.timeout.count(), static_cast<int>(config.status), to.disabled_reason,
                           retry_json(config.retry), breaker_json(config.breaker), rate_text(config),
                           static_cast<int>(config.ordering), key_text(config), static_cast<int>(config.priority));
  if (to.tls_named)
    write_endpoint_tls(transaction, tenant, id, config.tls, data_key);
  if (config.status != stored.config.status)
    transaction.exec_params0(transition_sql, parameter(new_uuid(tenant.now)), parameter(tenant.now), tenant.no,
                             stored.config.no, static_cast<int>(stored.config.status), static_cast<int>(config.status));
  audit(transaction, tenant.no, tenant.now, "endpoint.update", to_string(id));
  return get_endpoint(transaction, tenant, id);
}

void rotate_endpoint_secret(pqxx::transaction_base& transaction, const entered_tenant& tenant, const endpoint_id& id,
                            const secret_rotation& rotation, const secret_key& data_key) {
  const auto found = transaction.exec_params(touch_sql, tenant.no, parameter(id.value));
  if (found.empty())
    refuse_unknown("endpoint");
  rotate_secret(transaction, tenant, secret_owner::endpoint, found[0][0].as<endpoint_no>(), rotation, data_key,
                [&](int ordinal) { return endpoint_secret_associated_data(id, ordinal); });
  audit(transaction, tenant.no, tenant.now, "endpoint.rotate-secret", to_string(id));
}

} // namespace postrider
