#include "persistence/delivery_operations.hpp"

#include "persistence/delivery_repository.hpp"
#include "persistence/event_repository.hpp"
#include "persistence/event_rows.hpp"
#include "persistence/parameters.hpp"

namespace postrider {
namespace {

// The row is locked: nothing else changes it until the end of the transaction.
constexpr const char* find_sql =
  "select d.state, d.endpoint_no, e.deleted_at is not null as endpoint_deleted,"
  " (select v.erased_at is not null from event v where v.tenant_no = d.tenant_no and v.id = d.event_id) is not false "
  "as gone"
  " from delivery d join endpoint e on e.no = d.endpoint_no where d.id = $1::uuid and d.tenant_no = $2 for update of d";
constexpr const char* erase_sql =
  "update event set body = ''::bytea, headers = ''::bytea, forward_headers = ''::bytea, erased_at = clock_timestamp()"
  " where tenant_no = $1 and id = $2::uuid and erased_at is null";
constexpr const char* deliveries_sql = "select id from delivery where tenant_no = $1 and id >= $2::uuid and id < "
                                       "$3::uuid and event_id = $4::uuid order by id";
constexpr const char* excerpts_sql =
  "update attempt set excerpt = null where delivery_id = any($1::uuid[]) and excerpt is not null";
constexpr const char* kept_excerpts_sql =
  "update delivery set success_excerpt = null where id = any($1::uuid[]) and success_excerpt is not null";

pqxx::row find(pqxx::transaction_base& transaction, const entered_tenant& tenant, const delivery_id& id) {
  const auto rows = transaction.exec_params(find_sql, parameter(id.value), tenant.no);
  if (rows.empty())
    refuse_unknown("delivery");
  return rows[0];
}

} // namespace

changed_delivery retry_delivery(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                const delivery_id& id) {
  guard_erasures(transaction, tenant.no, erasure_guard::others);
  const auto row = find(transaction, tenant, id);
  if (!is_final(static_cast<delivery_state>(row["state"].as<int>())))
    refuse({409, "delivery-live", "the delivery is under way; only a final one can be retried"});
  if (row["endpoint_deleted"].as<bool>())
    refuse({409, "endpoint-deleted", "the endpoint of the delivery is deleted"});
  if (row["gone"].as<bool>())
    refuse({409, "payload-erased", "the payload was erased"});
  revive_deliveries(transaction, tenant.no, {id.value}, final_states());
  audit(transaction, tenant.no, tenant.now, "delivery.retry", to_string(id));
  return {get_delivery(transaction, tenant, id), row["endpoint_no"].as<endpoint_no>()};
}

changed_delivery cancel_delivery(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                 const delivery_id& id) {
  const auto row = find(transaction, tenant, id);
  if (is_final(static_cast<delivery_state>(row["state"].as<int>())))
    refuse({409, "delivery-final", "the delivery has ended already"});
  cancel_deliveries(transaction, tenant.no, {id.value}, live_states(), delivery_reason::cancelled_by_user);
  audit(transaction, tenant.no, tenant.now, "delivery.cancel", to_string(id));
  return {get_delivery(transaction, tenant, id), row["endpoint_no"].as<endpoint_no>()};
}

erased_event erase_event(pqxx::transaction_base& transaction, const entered_tenant& tenant, const event_id& id) {
  guard_erasures(transaction, tenant.no, erasure_guard::ours);
  if (transaction.exec_params(erase_sql, tenant.no, parameter(id.value)).affected_rows() == 1)
    audit(transaction, tenant.no, tenant.now, "event.erase", to_string(id));
  const auto [low, high] = delivery_ids_of(id);
  std::vector<uuid> ids;
  binary_array wanted{array_type::uuid};
  for (const auto& row :
       transaction.exec_params(deliveries_sql, tenant.no, parameter(low), parameter(high), parameter(id.value))) {
    ids.push_back(read_uuid(row[0]));
    wanted.add(ids.back());
  }
  erased_event out;
  out.cancelled = cancel_deliveries(transaction, tenant.no, ids, live_states(), delivery_reason::erased);
  // After it: whoever wrote an attempt's end before us has committed by now, and whoever comes later sees the mark.
  transaction.exec_params0(excerpts_sql, parameter(wanted));
  transaction.exec_params0(kept_excerpts_sql, parameter(wanted));
  out.record = get_event(transaction, tenant, id);
  return out;
}

} // namespace postrider
