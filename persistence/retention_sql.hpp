#pragma once

#include <string_view>

/// What persistence/retention.cpp runs. Numbers of states and reasons: core/delivery_state.hpp.
namespace postrider {

inline constexpr std::string_view database_time_sql =
  "select (extract(epoch from clock_timestamp()) * 1000000)::bigint";

inline constexpr std::string_view begin_retention_sql =
  "select pg_try_advisory_lock(hashtextextended('postrider retention', 0))";
inline constexpr std::string_view end_retention_sql =
  "select pg_advisory_unlock(hashtextextended('postrider retention', 0))";

/// How long each tenant's rows are kept; deleted tenants' as others'. $1 days by plan as JSON  $2 the most
#define POSTRIDER_KEPT                                                                                                 \
  "kept as materialized (select no as tenant_no, greatest(1, least(coalesce((quotas ->> 'retention_days')::integer,"   \
  " ($1::jsonb ->> plan)::integer, $2::integer), $2::integer)) as days from tenant)"

/// The longest that anybody keeps.
inline constexpr std::string_view longest_retention_sql =
  "with " POSTRIDER_KEPT " select coalesce(max(days), $2::integer) from kept";

/// Live deliveries that are near their end, by endpoint: alerts are opened, brought up to date and closed. Live rows
/// are those of the index delivery_due, so this costs what is live, not what is stored. $3 now
inline constexpr std::string_view warn_of_expiry_sql = "with " POSTRIDER_KEPT R"sql(,
near as materialized (
  select delivery.tenant_no, endpoint_no, count(*) as count, min(days) as days
  from delivery join kept on kept.tenant_no = delivery.tenant_no
  where next_attempt_at is not null
    and id < least_uuid_v7($3::timestamptz - (select min(days) from kept) * interval '12 hours')
    and id < least_uuid_v7($3::timestamptz - days * interval '1 day' + least(days * interval '12 hours', interval '1 day'))
  group by delivery.tenant_no, endpoint_no
), closed as (
  update alert set state = 2, closed_at = $3::timestamptz
  where kind = 'deliveries_expire' and state < 2 and not exists (select from near where near.endpoint_no = alert.endpoint_no)
), counted as (
  update alert set count = near.count from near
  where kind = 'deliveries_expire' and state < 2 and near.endpoint_no = alert.endpoint_no and alert.count <> near.count
)
insert into alert (id, tenant_no, endpoint_no, kind, count, opened_at, detail)
select (left(least_uuid_v7($3::timestamptz)::text, 15) || right(gen_random_uuid()::text, 21))::uuid, tenant_no, endpoint_no,
       'deliveries_expire', count, $3::timestamptz, format('deliveries that wait are given up when they are %s days old', days)
from near
where not exists (select from alert where kind = 'deliveries_expire' and state < 2 and alert.endpoint_no = near.endpoint_no)
)sql";

/// A batch of live deliveries that were kept long enough. One that is being written, or whose request runs, has its
/// turn in a later round. An attempt that is open past its deadline was counted and perhaps sent: it gets its row, as
/// interrupted (like close_tail in claim_sql.hpp); its owner's outcome then misses, for the row is final. Answers how
/// many, by tenant. $3 now
inline constexpr std::string_view expire_deliveries_sql = "with " POSTRIDER_KEPT R"sql(,
due as materialized (
  select id, state, attempt_count, updated_at from delivery join kept on kept.tenant_no = delivery.tenant_no
  where next_attempt_at is not null and (state <> 1 or next_attempt_at < $3::timestamptz)
    and id < least_uuid_v7($3::timestamptz - (select min(days) from kept) * interval '1 day')
    and id < least_uuid_v7($3::timestamptz - days * interval '1 day')
  limit 2000 for update of delivery skip locked
), expired as (
  update delivery
  set state = 4, reason = 5, next_attempt_at = null, updated_at = $3::timestamptz,
      last_reason = case when due.state = 1 then 15 else delivery.last_reason end,
      last_status = case when due.state = 1 then 0 else delivery.last_status end
  from due where delivery.id = due.id
  returning delivery.id, delivery.tenant_no, due.state, due.attempt_count, due.updated_at as started_at
), attempts as (
  insert into attempt (delivery_id, number, started_at, duration_ms, outcome, reason, http_status)
  select id, attempt_count, started_at,
         greatest(0, least(2000000000, extract(epoch from $3::timestamptz - started_at) * 1000))::integer, 3, 15, 0
  from expired where state = 1
  on conflict do nothing
)
insert into tenant_counter (tenant_no, accepted, pending, in_flight, retry_wait, succeeded, dead, cancelled)
select tenant_no, 0, -count(*) filter (where state = 0), -count(*) filter (where state = 1), -count(*) filter (where state = 2),
       0, count(*), 0
from expired group by tenant_no
returning dead
)sql";

/// Tenants that keep less than others do, and until when their rows left. $3 now
inline constexpr std::string_view shorter_retentions_sql = "with " POSTRIDER_KEPT R"sql(
select tenant_no, least_uuid_v7($3::timestamptz - days * interval '1 day'),
       least_uuid_v7($3::timestamptz - days * interval '1 day' - interval '2 minutes')
from kept where days < (select max(days) from kept)
order by tenant_no
)sql";

/// A batch of a tenant's final deliveries, with their attempts. $1 tenant_no  $2 before
inline constexpr std::string_view delete_deliveries_sql = R"sql(
with old as materialized (
  select old.id from endpoint cross join lateral (
    select id from delivery where endpoint_no = endpoint.no and id < $2::uuid and state >= 3 order by endpoint_no, id limit 2000
  ) old
  where tenant_no = $1::bigint limit 2000
), gone as (
  delete from delivery where id = any (array(select id from old)) and id < $2::uuid and state >= 3 returning id
), attempts as (
  delete from attempt where delivery_id in (select id from gone) and delivery_id < $2::uuid
)
select count(*) from gone
)sql";

/// Whether a live delivery of the tenant is older than that: its event must stay. $1 tenant_no  $2 before
inline constexpr std::string_view has_old_live_sql = R"sql(
select exists (
  select from tenant join endpoint on tenant_no = tenant.no join delivery on delivery.shard = tenant.shard and endpoint_no = endpoint.no
  where tenant.no = $1::bigint and next_attempt_at is not null and delivery.id < $2::uuid)
)sql";

/// A batch of a tenant's events. A delivery is at most a minute younger than its event, so `before` lies further back.
/// $1 tenant_no  $2 before
inline constexpr std::string_view delete_events_sql = R"sql(
delete from event where tenant_no = $1::bigint and id < $2::uuid and id = any (array(
  select id from event where tenant_no = $1::bigint and id < $2::uuid order by tenant_no, id limit 2000))
)sql";

/// Partitions of days that nobody keeps any more, in the order in which they go: whoever can still write a delivery can
/// write its attempt, and an event outlives its deliveries; whether a detachment that was begun must be brought to its
/// end; the least id of the day after. $1 days  $2 now
inline constexpr std::string_view expired_partitions_sql = R"sql(
select inhparent::regclass::text, child.relname, inhdetachpending, least_uuid_v7((day + 1)::timestamp at time zone 'UTC'),
       least_uuid_v7((day + 1)::timestamp at time zone 'UTC' + interval '1 minute')
from pg_inherits join pg_class child on child.oid = inhrelid, to_date(right(child.relname, 8), 'YYYYMMDD') day
where inhparent in ('event'::regclass, 'delivery'::regclass, 'attempt'::regclass) and child.relname ~ '^(event|delivery|attempt)_[0-9]{8}$'
  and day < ($2::timestamptz at time zone 'UTC')::date - $1::integer
order by inhdetachpending desc, day, inhparent = 'event'::regclass, inhparent = 'attempt'::regclass -- deliveries first, events last
)sql";

/// Of the first minute after that day: what belongs to its events leaves with them. $1 $2 from and before which id
inline constexpr std::string_view delete_stragglers_sql = R"sql(
with gone as (
  delete from delivery where id >= $1::uuid and id < $2::uuid and event_id < $1::uuid returning id, tenant_no, state
), attempts as (
  delete from attempt where delivery_id in (select id from gone) and delivery_id >= $1::uuid and delivery_id < $2::uuid
)
insert into tenant_counter (tenant_no, accepted, pending, in_flight, retry_wait, succeeded, dead, cancelled)
select tenant_no, 0, -count(*) filter (where state = 0), -count(*) filter (where state = 1), -count(*) filter (where state = 2),
       0, count(*), 0
from gone where state < 3 group by tenant_no
)sql";

/// Tables that were detached and not dropped. $1 days  $2 now
inline constexpr std::string_view detached_partitions_sql = R"sql(
select relname from pg_class
where relkind = 'r' and relname ~ '^(event|delivery|attempt)_[0-9]{8}$'
  and relnamespace = (select relnamespace from pg_class where oid = 'delivery'::regclass)
  and to_date(right(relname, 8), 'YYYYMMDD') < ($2::timestamptz at time zone 'UTC')::date - $1::integer
  and not exists (select from pg_inherits where inhrelid = pg_class.oid)
order by 1
)sql";

/// What is still live in a detached table of deliveries; its quoted name goes between the two.
inline constexpr std::string_view count_last_live_sql_before = R"sql(
insert into tenant_counter (tenant_no, accepted, pending, in_flight, retry_wait, succeeded, dead, cancelled)
select tenant_no, 0, -count(*) filter (where state = 0), -count(*) filter (where state = 1), -count(*) filter (where state = 2),
       0, count(*), 0
from )sql";
inline constexpr std::string_view count_last_live_sql_after = " where state < 3 group by tenant_no";

#undef POSTRIDER_KEPT

} // namespace postrider
