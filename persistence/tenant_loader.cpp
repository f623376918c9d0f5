#include "persistence/tenant_loader.hpp"

#include "persistence/endpoint_columns.hpp"
#include "persistence/endpoint_tls_columns.hpp"
#include "persistence/lookup_sql.hpp"
#include "persistence/parameters.hpp"
#include "persistence/secret_columns.hpp"
#include "persistence/source_rows.hpp"
#include "persistence/tenant_access.hpp"

#include <pqxx/pqxx>

#include <spdlog/spdlog.h>

#include <cmath>
#include <map>

namespace postrider {

namespace {

milliseconds to_milliseconds(double value) {
  return milliseconds{std::llround(value)};
}

template <class T>
void read_into(T& out, const pqxx::field& field) {
  if (!field.is_null())
    out = field.as<T>();
}
void read_into(milliseconds& out, const pqxx::field& field, double unit = 1.0) {
  if (!field.is_null())
    out = to_milliseconds(field.as<double>() * unit);
}

retry_policy read_retry(const pqxx::row& row) {
  if (!row[6].as<bool>())
    return default_retry_policy();
  retry_policy out;
  read_into(out.base, row[7]);
  read_into(out.factor, row[8]);
  read_into(out.delay_max, row[9]);
  read_into(out.attempts_max, row[10]);
  read_into(out.jitter, row[11]);
  return out; // the schedule comes with the lists
}

breaker_policy read_breaker(const pqxx::row& row, milliseconds timeout) {
  breaker_policy out;
  read_into(out.failures, row[12]);
  read_into(out.failure_rate, row[13]);
  read_into(out.window, row[14], 1'000.0);
  read_into(out.min_requests, row[15]);
  read_into(out.cool_down, row[16]);
  read_into(out.cool_down_max, row[17]);
  read_into(out.jitter, row[18]);
  read_into(out.probes, row[19]);
  out.probe_timeout = timeout + milliseconds{5'000}; // the attempt's own deadline comes first
  return out;
}

endpoint_config read_endpoint(const pqxx::row& row) {
  endpoint_config out;
  out.no = row[0].as<std::int64_t>();
  out.id = {read_uuid(row[1])};
  out.url = row[2].c_str();
  out.max_in_flight = row[3].as<std::uint32_t>();
  out.timeout = milliseconds{row[4].as<std::int64_t>()};
  out.status = static_cast<endpoint_status>(row[5].as<int>());
  out.retry = read_retry(row);
  out.breaker = read_breaker(row, out.timeout);
  if (const auto rate = row["rate_limit_per_s"]; !rate.is_null())
    out.rate_limit_per_s = rate.as<double>();
  read_ordering(row, out);
  out.priority = static_cast<delivery_priority>(row["priority"].as<int>());
  out.breaker_resets = row["breaker_resets"].as<std::uint32_t>();
  return out;
}

enum class list_kind : int { event_type = 0, source = 1, header = 2, delay = 3 };

void add_element(endpoint_config& endpoint, const pqxx::row& row) {
  switch (static_cast<list_kind>(row[1].as<int>())) {
  case list_kind::event_type:
    endpoint.event_types.emplace_back(row[2].c_str());
    break;
  case list_kind::source:
    endpoint.sources.push_back(row[2].as<std::int64_t>());
    break;
  case list_kind::header:
    endpoint.headers.emplace_back(row[2].c_str(), row[3].c_str());
    break;
  case list_kind::delay:
    endpoint.retry.schedule.push_back(to_milliseconds(row[2].as<double>() * 1'000.0));
    break;
  }
}

std::optional<secret_key> open_with_any(std::span<const secret_key> keys, const tenant_id& tenant,
                                        const std::string& sealed) {
  for (const auto& each : keys)
    if (auto opened = open_data_key(each, tenant, sealed))
      return opened;
  spdlog::error("store: the tenant's data key cannot be opened with the master keys that are configured tenant={}",
                to_string(tenant));
  return std::nullopt;
}

// A plan that this node's configuration does not have limits nothing: what providers have signed is not refused for a
// mistake of ours. (Nothing can be created under it: persistence/creation_quota.hpp.)
ingest_quotas read_quotas(const pqxx::row& row, const std::map<std::string, tenant_quotas>& plans) {
  const auto plan = plans.find(row[7].c_str());
  const auto quota = [&](int column,
                         std::optional<std::int64_t> tenant_quotas::*member) -> std::optional<std::int64_t> {
    if (!row[column].is_null())
      return row[column].as<std::int64_t>();
    return plan == plans.end() ? std::nullopt : plan->second.*member;
  };
  return {.per_s = quota(8, &tenant_quotas::ingest_per_s),
          .bytes_per_s = quota(9, &tenant_quotas::ingest_bytes_per_s),
          .backlog = quota(10, &tenant_quotas::backlog)};
}

} // namespace

std::vector<prepared_sql> tenant_loader_statements() {
  return {{"find_tenant", find_tenant_sql},
          {"count_live", count_live_sql},
          {"find_sources", find_sources_sql},
          {"find_source_secrets", find_source_secrets_sql},
          {"find_endpoints", find_endpoints_sql},
          {"find_endpoint_lists", find_endpoint_lists_sql},
          {"find_endpoint_secrets", find_endpoint_secrets_sql}};
}

session_result<std::int64_t> read_live(session& on, tenant_no tenant) {
  return on.call([&](pqxx::connection_base& connection) {
    return pqxx::nontransaction{connection}.exec_prepared1("count_live", tenant)[0].as<std::int64_t>();
  });
}

session_result<tenant_config_ptr> read_tenant(session& on, const tenant_key& key, std::span<const secret_key> keys,
                                              const std::map<std::string, tenant_quotas>& plans) {
  if (!could_be_name(key.slug_or_id))
    return tenant_config_ptr{};
  const auto id = parse_id<tenant_id>(key.slug_or_id);
  const auto id_text = id ? std::optional{to_string(id->value)} : std::nullopt;
  return on.call([&](pqxx::connection_base& connection) -> tenant_config_ptr {
    pqxx::transaction<pqxx::isolation_level::repeatable_read> transaction{connection}; // one version of everything
    const auto found =
      transaction.exec_prepared("find_tenant", key.no, key.slug_or_id, id_text ? id_text->c_str() : nullptr);
    if (found.empty())
      return nullptr;
    auto out = std::make_shared<tenant_config>();
    out->no = found[0][0].as<std::int64_t>();
    out->id = {read_uuid(found[0][1])};
    out->slug = found[0][2].c_str();
    out->shard = static_cast<shard_no>(found[0][3].as<int>());
    out->version = found[0][4].as<std::int64_t>();
    out->enabled = found[0][5].as<bool>();
    out->quotas = read_quotas(found[0], plans);
    const auto data_key = open_with_any(keys, out->id, read_bytes(found[0][6]));

    std::map<std::int64_t, std::size_t> sources;
    for (const auto& row : transaction.exec_prepared("find_sources", out->no)) {
      out->sources.push_back(read_source_config(row, data_key));
      sources.emplace(out->sources.back().no, out->sources.size() - 1);
    }
    for (const auto& row : transaction.exec_prepared("find_source_secrets", out->no))
      add_source_secret(out->sources[sources.at(row[0].as<std::int64_t>())], row, data_key);

    std::map<std::int64_t, std::size_t> endpoints;
    for (const auto& row : transaction.exec_prepared("find_endpoints", out->no)) {
      out->endpoints.push_back(read_endpoint(row));
      // Nothing of a disabled tenant is sent: what it has waits, as for a paused endpoint, until it is enabled again.
      if (!out->enabled && out->endpoints.back().status == endpoint_status::active)
        out->endpoints.back().status = endpoint_status::paused;
      out->endpoints.back().tls = read_endpoint_tls(row, out->endpoints.back().id, data_key);
      endpoints.emplace(out->endpoints.back().no, out->endpoints.size() - 1);
    }
    for (const auto& row : transaction.exec_prepared("find_endpoint_lists", out->no))
      add_element(out->endpoints[endpoints.at(row[0].as<std::int64_t>())], row);
    for (const auto& row : transaction.exec_prepared("find_endpoint_secrets", out->no))
      add_endpoint_secret(out->endpoints[endpoints.at(row[0].as<std::int64_t>())], row, data_key);
    return out;
  });
}

} // namespace postrider
