#include "persistence/delivery_repository.hpp"

#include "persistence/event_rows.hpp"
#include "persistence/paging.hpp"
#include "persistence/parameters.hpp"

namespace postrider {
namespace {

#define POSTRIDER_DELIVERY_COLUMNS                                                                                     \
  "d.id, d.event_id, e.id as endpoint_id, d.state, d.reason, d.attempt_count, d.generation, d.step, d.order_no,"       \
  " (extract(epoch from d.next_attempt_at) * 1000000)::bigint as next_attempt_at,"                                     \
  " (extract(epoch from d.updated_at) * 1000000)::bigint as updated_at, d.last_reason, d.last_status,"                 \
  " e.status as endpoint_status, (select t.enabled from tenant t where t.no = e.tenant_no) as tenant_enabled,"         \
  " coalesce(r.breaker_state, 0) as breaker_state,"                                                                    \
  " (extract(epoch from r.next_probe_at) * 1000000)::bigint as next_probe_at,"                                         \
  " (extract(epoch from r.held_until) * 1000000)::bigint as held_until, e.rate_limit_per_s"

// The page of each endpoint comes from the index (endpoint_no, id); their newest are the tenant's newest. $2: an
// endpoint or the nil id; $3, $4: ids, from and below; $5: an event or the nil id; $6: a state or -1.
constexpr const char* list_sql =
  "select " POSTRIDER_DELIVERY_COLUMNS " from endpoint e"
  " cross join lateral (select * from delivery x where x.endpoint_no = e.no"
  "   and x.id >= $3::uuid and x.id < $4::uuid and ($5::uuid = $8::uuid or x.event_id = $5::uuid)"
  "   and ($6::smallint = -1 or x.state = $6::smallint) order by x.id desc limit $7) d"
  " left join endpoint_runtime r on r.endpoint_no = e.no"
  " where e.tenant_no = $1 and ($2::uuid = $8::uuid or e.id = $2::uuid) order by d.id desc limit $7";
constexpr const char* get_sql =
  "select " POSTRIDER_DELIVERY_COLUMNS " from delivery d join endpoint e on e.no = d.endpoint_no"
  " left join endpoint_runtime r on r.endpoint_no = e.no"
  " where d.id = $1::uuid and d.tenant_no = $2";
// What one in an order waits for: the first ahead of it, or one behind it that was under way when it came back.
constexpr const char* predecessor_sql =
  "select p.id from delivery d join endpoint e on e.no = d.endpoint_no and e.ordering <> 0"
  " join delivery p on p.endpoint_no = d.endpoint_no and p.order_key = d.order_key"
  " where d.id = $1::uuid and d.state in (0, 2) and p.order_no is not null and p.next_attempt_at is not null"
  " and (p.order_no < d.order_no or (p.state = 1 and p.id <> d.id)) order by p.order_no limit 1";
constexpr const char* attempts_sql = "select number, (extract(epoch from started_at) * 1000000)::bigint as started_at, "
                                     "duration_ms, outcome, reason, http_status, excerpt"
                                     " from delivery_attempt where delivery_id = $1::uuid order by number";

/// The attempt reason's word, with the status where there is one; empty after a success.
std::string last_error(int reason, int status) {
  if (reason == 0)
    return {};
  auto out = std::string{to_string(static_cast<attempt_reason>(reason))};
  return status > 0 ? out + " " + std::to_string(status) : out;
}

delivery_record read_delivery(const pqxx::row& row) {
  delivery_record out;
  out.id = {read_uuid(row["id"])};
  out.event = {read_uuid(row["event_id"])};
  out.endpoint = {read_uuid(row["endpoint_id"])};
  out.state = static_cast<delivery_state>(row["state"].as<int>());
  out.reason = static_cast<delivery_reason>(row["reason"].as<int>());
  out.attempt_count = row["attempt_count"].as<std::uint32_t>();
  out.generation = row["generation"].as<std::uint32_t>();
  out.step = row["step"].as<std::uint32_t>();
  if (const auto order = row["order_no"]; !order.is_null())
    out.order = order.as<std::int64_t>();
  // While in flight the column is the attempt's own deadline, no next attempt.
  if (out.state != delivery_state::in_flight)
    out.next_attempt_at = read_optional_time(row["next_attempt_at"]);
  out.created_at = time_of(out.id.value);
  out.updated_at = read_time(row["updated_at"]);
  out.last_error = last_error(row["last_reason"].as<int>(), row["last_status"].as<int>());
  out.tenant_enabled = row["tenant_enabled"].as<bool>();
  out.endpoint_state = static_cast<endpoint_status>(row["endpoint_status"].as<int>());
  out.breaker = static_cast<breaker_state>(row["breaker_state"].as<int>());
  out.next_probe_at = read_optional_time(row["next_probe_at"]);
  out.held_until = read_optional_time(row["held_until"]);
  if (const auto rate = row["rate_limit_per_s"]; !rate.is_null())
    out.rate_limit_per_s = rate.as<double>();
  return out;
}

attempt_record read_attempt(const delivery_id& delivery, const pqxx::row& row) {
  attempt_record out;
  out.number = row["number"].as<std::uint32_t>();
  out.id = attempt_id_of(delivery, out.number);
  out.started_at = read_time(row["started_at"]);
  out.duration = milliseconds{row["duration_ms"].as<std::int64_t>()};
  out.outcome = static_cast<attempt_outcome>(row["outcome"].as<int>());
  out.reason = static_cast<attempt_reason>(row["reason"].as<int>());
  out.http_status = row["http_status"].as<int>();
  if (!row["excerpt"].is_null())
    out.excerpt = read_bytes(row["excerpt"]);
  return out;
}

/// The ids that the filter leaves, from and below.
std::pair<uuid, uuid> id_bounds(const delivery_filter& filter, const page_request& request) {
  uuid low{};
  auto high = before_of(request);
  if (filter.event) {
    const auto [from, below] = delivery_ids_of(*filter.event);
    low = from;
    high = std::min(high, below);
  }
  if (filter.since)
    low = std::max(low, least_uuid_v7(*filter.since));
  return {low, high};
}

} // namespace

page<delivery_record> list_deliveries(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                      const delivery_filter& filter, const page_request& request) {
  const auto [low, high] = id_bounds(filter, request);
  const auto endpoint = filter.endpoint ? filter.endpoint->value : uuid{};
  const auto event = filter.event ? filter.event->value : uuid{};
  const auto rows =
    transaction.exec_params(list_sql, tenant.no, parameter(endpoint), parameter(low), parameter(high), parameter(event),
                            filter.state ? static_cast<int>(*filter.state) : -1, row_limit(request), parameter(uuid{}));
  return read_page<delivery_record>(rows, request, read_delivery,
                                    [](const delivery_record& each) { return each.id.value; });
}

delivery_record get_delivery(pqxx::transaction_base& transaction, const entered_tenant& tenant, const delivery_id& id) {
  const auto rows = transaction.exec_params(get_sql, parameter(id.value), tenant.no);
  if (rows.empty())
    refuse_unknown("delivery");
  auto out = read_delivery(rows[0]);
  for (const auto& row : transaction.exec_params(attempts_sql, parameter(id.value)))
    out.attempts.push_back(read_attempt(id, row));
  if (out.order)
    for (const auto& row : transaction.exec_params(predecessor_sql, parameter(id.value)))
      out.predecessor = delivery_id{read_uuid(row[0])};
  const bool running = out.state == delivery_state::in_flight;
  if (running && (out.attempts.empty() || out.attempts.back().number < out.attempt_count)) {
    attempt_record current;
    current.number = out.attempt_count;
    current.id = attempt_id_of(id, out.attempt_count);
    out.attempts.push_back(current);
  }
  return out;
}

} // namespace postrider
