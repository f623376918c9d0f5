#include "persistence/endpoint_operations.hpp"

#include "persistence/endpoint_repository.hpp"
#include "persistence/parameters.hpp"
#include "persistence/published_rows.hpp"

namespace postrider {
namespace {

constexpr const char* status_sql =
  "update endpoint set status = $2::smallint, updated_at = clock_timestamp() where no = $1";
constexpr const char* transition_sql =
  "insert into transition (id, at, tenant_no, kind, subject_no, from_state, to_state, cause)"
  " values ($1::uuid, $2::timestamptz, $3, $4, $5, $6, $7, $8)";
constexpr const char* count_reset_sql =
  "update endpoint set breaker_resets = breaker_resets + 1, updated_at = clock_timestamp() where no = $1";
constexpr const char* close_breaker_sql =
  "insert into endpoint_runtime (endpoint_no, tenant_no, breaker_state, opened_in_a_row, since, fence)"
  " values ($1, $2, 0, 0, clock_timestamp(), 0)"
  " on conflict (endpoint_no) do update set breaker_state = 0, opened_in_a_row = 0, since = excluded.since,"
  " next_probe_at = null, updated_at = clock_timestamp() where endpoint_runtime.breaker_state <> 0";

void note(pqxx::transaction_base& transaction, const entered_tenant& tenant, const std::string& kind, endpoint_no no,
          std::string_view from, std::string_view to, const std::string& cause) {
  transaction.exec_params0(transition_sql, parameter(new_uuid(tenant.now)), parameter(tenant.now), tenant.no, kind, no,
                           std::string{from}, std::string{to}, cause);
}

void refuse_disabled(const endpoint_record& endpoint) {
  if (endpoint.config.status == endpoint_status::disabled)
    refuse({409, "endpoint-disabled", "the endpoint is disabled; enable it first"});
}

endpoint_record change_status(pqxx::transaction_base& transaction, const entered_tenant& tenant, const endpoint_id& id,
                              endpoint_status wanted) {
  const auto stored = get_endpoint(transaction, tenant, id);
  refuse_disabled(stored);
  if (stored.config.status == wanted)
    return stored;
  const bool pause = wanted == endpoint_status::paused;
  transaction.exec_params0(status_sql, stored.config.no, static_cast<int>(wanted));
  note(transaction, tenant, "endpoint", stored.config.no, pause ? "active" : "paused", pause ? "paused" : "active",
       pause ? "paused_by_user" : "resumed_by_user");
  audit(transaction, tenant.no, tenant.now, pause ? "endpoint.pause" : "endpoint.resume", to_string(id));
  return get_endpoint(transaction, tenant, id);
}

} // namespace

endpoint_record pause_endpoint(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                               const endpoint_id& id) {
  return change_status(transaction, tenant, id, endpoint_status::paused);
}

endpoint_record resume_endpoint(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                const endpoint_id& id) {
  return change_status(transaction, tenant, id, endpoint_status::active);
}

endpoint_record reset_breaker(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                              const endpoint_id& id) {
  const auto stored = get_endpoint(transaction, tenant, id);
  transaction.exec_params0(count_reset_sql, stored.config.no);
  transaction.exec_params0(close_breaker_sql, stored.config.no, tenant.no);
  note(transaction, tenant, "operator", stored.config.no, to_string(stored.breaker), to_string(breaker_state::closed),
       "breaker_reset");
  audit(transaction, tenant.no, tenant.now, "endpoint.reset-breaker", to_string(id));
  return get_endpoint(transaction, tenant, id);
}

made_test test_endpoint(pqxx::transaction_base& transaction, const entered_tenant& tenant, const endpoint_id& id) {
  const auto endpoint = get_endpoint(transaction, tenant, id);
  refuse_disabled(endpoint);
  made_event made;
  made.id = {new_uuid(tenant.now)};
  made.type = "postrider.test";
  made.provider_event_id = to_string(made.id);
  made.content_type = "application/json";
  made.body = R"({"type":"postrider.test","endpoint_id":")" + to_string(id) + R"(","created_at":")" +
              to_rfc3339(tenant.now) + "\"}";
  insert_events(transaction, tenant.no, {made});
  order_key_reader keys{{}, made.body};
  insert_deliveries(transaction, tenant.no, shard_of_tenant(transaction, tenant.no),
                    {{later_delivery_id(made.id, endpoint.config.no), made.id, endpoint.config.no, tenant.now,
                      live_lane(endpoint.config.priority), order_key_for(endpoint.config, keys)}});
  audit(transaction, tenant.no, tenant.now, "endpoint.test", to_string(id));
  return {made.id, endpoint.config.no};
}

shard_no shard_of_tenant(pqxx::transaction_base& transaction, tenant_no tenant) {
  return static_cast<shard_no>(transaction.exec_params1("select shard from tenant where no = $1", tenant)[0].as<int>());
}

} // namespace postrider
