#include "persistence/delivery_changes.hpp"

#include "persistence/parameters.hpp"

#include <string>

namespace postrider {
namespace {

// The attempt that a row keeps, its success, gets a row of its own: no live row keeps one. $1 ids  $2 tenant  $3 states
constexpr const char* revive_sql = R"sql(
with chosen as materialized (
  select id, state, attempt_count, last_status, success_started_at, success_duration_ms, success_excerpt from delivery
  where id = any($1::uuid[]) and tenant_no = $2::bigint and state = any($3::smallint[]) order by id for update
), p as (
  update delivery
  set state = 0, reason = 0, step = 0, generation = generation + 1, next_attempt_at = now(), updated_at = now(), cancel_asked = 0,
      lane = case when order_no is null then 4 else 5 end,
      success_started_at = null, success_duration_ms = null, success_excerpt = null
  from chosen where delivery.id = chosen.id
  returning delivery.tenant_no, chosen.state as was
), a as (
  insert into attempt (delivery_id, number, started_at, duration_ms, outcome, reason, http_status, excerpt)
  select id, attempt_count, success_started_at, success_duration_ms, 1, 0, last_status, success_excerpt
  from chosen where success_started_at is not null
), c as (
  insert into tenant_counter (tenant_no, accepted, pending, in_flight, retry_wait, succeeded, dead, cancelled)
  select tenant_no, 0, count(*), 0, 0, -count(*) filter (where was = 3), -count(*) filter (where was = 4),
         -count(*) filter (where was = 5)
  from p group by tenant_no
)
select count(*) from p
)sql";

// What is in flight keeps its state, its deadline and the time its attempt started. $1 ids  $2 tenant  $3 states  $4
// reason
constexpr const char* cancel_head = R"sql(
with chosen as materialized (
  select id, state from delivery
  where id = any($1::uuid[]) and tenant_no = $2::bigint and state = any($3::smallint[]) and cancel_asked < $4::smallint
  order by id for update)sql";
constexpr const char* cancel_tail = R"sql(
), p as (
  update delivery
  set state = case when chosen.state = 1 then 1 else 5 end,
      reason = case when chosen.state = 1 then delivery.reason else $4::smallint end,
      next_attempt_at = case when chosen.state = 1 then delivery.next_attempt_at end,
      updated_at = case when chosen.state = 1 then delivery.updated_at else now() end,
      cancel_asked = $4::smallint
  from chosen where delivery.id = chosen.id
  returning delivery.id, delivery.tenant_no, delivery.endpoint_no, chosen.state as was
), c as (
  insert into tenant_counter (tenant_no, accepted, pending, in_flight, retry_wait, succeeded, dead, cancelled)
  select tenant_no, 0, -count(*) filter (where was = 0), 0, -count(*) filter (where was = 2), 0, 0, count(*)
  from p where was <> 1 group by tenant_no
)
select id, endpoint_no, was = 1 as running from p
)sql";

constexpr const char* guard_sql =
  "select pg_advisory_xact_lock_shared(hashtextextended('postrider erasures of ' || $1::bigint, 0))";
constexpr const char* erase_guard_sql =
  "select pg_advisory_xact_lock(hashtextextended('postrider erasures of ' || $1::bigint, 0))";

pqxx::binarystring ids_parameter(const std::vector<uuid>& ids) {
  binary_array out{array_type::uuid, ids.size(), 16};
  for (const auto& each : ids)
    out.add(each);
  return parameter(out);
}

pqxx::binarystring states_parameter(const std::vector<delivery_state>& states) {
  binary_array out{array_type::int2, states.size(), 2};
  for (const auto each : states)
    out.add(static_cast<std::int16_t>(each));
  return parameter(out);
}

} // namespace

std::int64_t revive_deliveries(pqxx::transaction_base& transaction, tenant_no tenant, const std::vector<uuid>& ids,
                               const std::vector<delivery_state>& states) {
  return transaction.exec_params1(revive_sql, ids_parameter(ids), tenant, states_parameter(states))[0]
    .as<std::int64_t>();
}

std::vector<cancelled_delivery> cancel_deliveries(pqxx::transaction_base& transaction, tenant_no tenant,
                                                  const std::vector<uuid>& ids,
                                                  const std::vector<delivery_state>& states, delivery_reason reason,
                                                  locked_rows others) {
  const auto sql = std::string{cancel_head} + (others == locked_rows::skip ? " skip locked" : "") + cancel_tail;
  std::vector<cancelled_delivery> out;
  for (const auto& row :
       transaction.exec_params(sql, ids_parameter(ids), tenant, states_parameter(states), static_cast<int>(reason)))
    out.push_back({{read_uuid(row[0])}, row[1].as<endpoint_no>(), row[2].as<bool>()});
  return out;
}

void guard_erasures(pqxx::transaction_base& transaction, tenant_no tenant, erasure_guard from) {
  transaction.exec_params(from == erasure_guard::others ? guard_sql : erase_guard_sql, tenant);
}

const std::vector<delivery_state>& live_states() {
  static const std::vector states{delivery_state::pending, delivery_state::in_flight, delivery_state::retry_wait};
  return states;
}

const std::vector<delivery_state>& final_states() {
  static const std::vector states{delivery_state::succeeded, delivery_state::dead, delivery_state::cancelled};
  return states;
}

} // namespace postrider
