#include "persistence/event_repository.hpp"

#include "persistence/event_rows.hpp"

namespace postrider {
namespace {

constexpr const char* get_sql =
  "select " POSTRIDER_EVENT_COLUMNS
  " from event v left join source s on s.no = v.source_no where v.tenant_no = $1 and v.id = $2::uuid";
constexpr const char* payload_sql =
  "select content_type, body, erased_at is not null as erased from event where tenant_no = $1 and id = $2::uuid";
constexpr const char* counts_sql =
  "select state, count(*) from delivery"
  " where tenant_no = $1 and id >= $2::uuid and id < $3::uuid and event_id = $4::uuid group by state order by state";

} // namespace

event_record get_event(pqxx::transaction_base& transaction, const entered_tenant& tenant, const event_id& id) {
  const auto rows = transaction.exec_params(get_sql, tenant.no, parameter(id.value));
  if (rows.empty())
    refuse_unknown("event");
  auto out = read_event(rows[0]);
  const auto [low, high] = delivery_ids_of(id);
  for (const auto& count :
       transaction.exec_params(counts_sql, tenant.no, parameter(low), parameter(high), parameter(id.value)))
    out.deliveries.emplace_back(static_cast<delivery_state>(count[0].as<int>()), count[1].as<std::int64_t>());
  return out;
}

event_payload get_payload(pqxx::transaction_base& transaction, const entered_tenant& tenant, const event_id& id) {
  const auto rows = transaction.exec_params(payload_sql, tenant.no, parameter(id.value));
  if (rows.empty())
    refuse_unknown("event");
  if (rows[0]["erased"].as<bool>())
    refuse({410, "payload-erased", "the payload was erased"});
  return {rows[0]["content_type"].as<std::string>(), read_bytes(rows[0]["body"])};
}

} // namespace postrider
