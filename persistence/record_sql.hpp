#pragma once

#include <string_view>

/// What the outcome writer runs.
namespace postrider {

/// Guarded writes of a whole batch in one implicit transaction: a row changes only while it is still in the state,
/// under the fence and at the attempt that the writer saw (and, for a release, claimed until the same time); the
/// attempt's row and the counters follow from what changed: no attempt's row can be there before, since a row is at an
/// attempt once (and `on conflict` would cost a quarter of the statement). An attempt that succeeded stays in the
/// delivery's row if its excerpt is short (migration 0009_kept_success). A row that somebody has asked to cancel, and
/// that would go on living, becomes `cancelled` instead; one that failed goes on in the lane for retries, unless it is
/// a replay; of an event that was erased no excerpt is kept. Answers the ordinals (from 0) that missed, and, marked,
/// those that were cancelled. Neither of the columns that it changes on a ride's success is indexed, so that update is
/// HOT.
///
/// $1 id  $2 from  $3 fence  $4 to  $5 reason  $6 step  $7 due or null  $8 uncount (1 or 0)  $9 number; the attempt's
/// row, all null where there is none: $10 started  $11 duration in ms  $12 outcome  $13 reason  $14 status  $15
/// excerpt; $16 claimed until or null
inline constexpr std::string_view record_sql = R"sql(
with u as materialized (
  select *, (becomes = 3 and outcome = 1 and coalesce(octet_length(excerpt), 0) <= 64) is true as kept
  from (select unnest($1::uuid[]) as id, unnest($2::smallint[]) as was, unnest($3::bigint[]) as fence, unnest($4::smallint[]) as becomes,
               unnest($5::smallint[]) as reason, unnest($6::smallint[]) as step, unnest($7::timestamptz[]) as due,
               unnest($8::integer[]) as uncount, unnest($9::integer[]) as number, unnest($10::timestamptz[]) as started_at,
               unnest($11::integer[]) as duration_ms, unnest($12::smallint[]) as outcome, unnest($13::smallint[]) as attempt_reason,
               unnest($14::smallint[]) as http_status, unnest($15::bytea[]) as excerpt, unnest($16::timestamptz[]) as claimed_until,
               generate_series(1, cardinality($1::uuid[])) as ordinal) b
), p as (
  update delivery
  set state = case when delivery.cancel_asked > 0 and u.becomes in (0, 2) then 5 else u.becomes end,
      reason = case when delivery.cancel_asked > 0 and u.becomes in (0, 2) then delivery.cancel_asked else u.reason end,
      next_attempt_at = case when delivery.cancel_asked > 0 and u.becomes in (0, 2) then null else u.due end,
      lane = case when u.outcome = 2 and u.becomes = 2 and delivery.lane < 3 then 3 else delivery.lane end,
      step = u.step, updated_at = now(),
      attempt_count = delivery.attempt_count - u.uncount, last_reason = coalesce(u.attempt_reason, delivery.last_reason),
      last_status = coalesce(u.http_status, delivery.last_status),
      success_started_at = case when u.kept then u.started_at end, success_duration_ms = case when u.kept then u.duration_ms end,
      success_excerpt = case when u.kept and delivery.cancel_asked <> 8 then u.excerpt end
  from u
  where delivery.id = u.id and delivery.state = u.was and delivery.fence = u.fence and delivery.attempt_count = u.number
    and (u.uncount = 0 or delivery.next_attempt_at is not distinct from u.claimed_until)
  returning delivery.id, delivery.tenant_no, u.was, delivery.state as becomes, u.becomes as wanted, u.number, u.started_at, u.duration_ms, u.outcome, u.attempt_reason,
            u.http_status, case when delivery.cancel_asked = 8 then null else u.excerpt end as excerpt, u.ordinal,
            u.kept
), a as (
  insert into attempt (delivery_id, number, started_at, duration_ms, outcome, reason, http_status, excerpt)
  select id, number, started_at, duration_ms, outcome, attempt_reason, http_status, excerpt from p where outcome is not null and not kept
), c as (
  insert into tenant_counter (tenant_no, accepted, pending, in_flight, retry_wait, succeeded, dead, cancelled)
  select tenant_no, 0,
         count(*) filter (where becomes = 0) - count(*) filter (where was = 0),
         count(*) filter (where becomes = 1) - count(*) filter (where was = 1),
         count(*) filter (where becomes = 2) - count(*) filter (where was = 2),
         count(*) filter (where becomes = 3) - count(*) filter (where was = 3),
         count(*) filter (where becomes = 4) - count(*) filter (where was = 4),
         count(*) filter (where becomes = 5) - count(*) filter (where was = 5)
  from p group by tenant_no
)
select ordinal - 1, false from u where (ordinal in (select ordinal from p)) is not true
union all
select ordinal - 1, true from p where becomes <> wanted
)sql";

/// What missed rows are now. $1 ids
inline constexpr std::string_view find_deliveries_sql = R"sql(
select u.ordinal - 1, delivery.state, delivery.fence, delivery.attempt_count
from unnest($1::uuid[]) with ordinality u (id, ordinal) join delivery on delivery.id = u.id
)sql";

} // namespace postrider
