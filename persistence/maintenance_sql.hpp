#pragma once

#include <cstddef>
#include <string_view>

namespace postrider {

inline constexpr std::string_view ensure_partitions_sql = "select ensure_partitions_ahead()";

/// One statement: a reader sees all rows from before it or the one from after it. Tenants with few rows are left alone.
/// Two nodes never fold at once (the lock is tried, not waited for).
inline constexpr std::string_view fold_counters_sql = R"sql(
with crowded as materialized (
  select tenant_no from tenant_counter group by tenant_no having count(*) > 64 limit 500
), folded as (
  delete from tenant_counter using crowded
  where tenant_counter.tenant_no = crowded.tenant_no
    and pg_try_advisory_xact_lock(hashtextextended('postrider fold ' || crowded.tenant_no, 0))
  returning tenant_counter.*
)
insert into tenant_counter (tenant_no, accepted, pending, in_flight, retry_wait, succeeded, dead, cancelled)
select tenant_no, sum(accepted), sum(pending), sum(in_flight), sum(retry_wait), sum(succeeded), sum(dead), sum(cancelled)
from folded group by tenant_no
)sql";

/// Tables, and whether a detachment that was begun must be brought to its end.
inline constexpr std::string_view expired_dedupe_sql = R"sql(
select child.relname, inhdetachpending from pg_inherits join pg_class child on child.oid = inhrelid
where inhparent = 'dedupe'::regclass and child.relname ~ '^dedupe_[0-9]{8}$'
  and to_date(right(child.relname, 8), 'YYYYMMDD') < (clock_timestamp() at time zone 'UTC')::date - 9
order by inhdetachpending desc, 1 -- while one is pending, no other can be detached
)sql";

/// Tables that were detached and not dropped.
inline constexpr std::string_view detached_dedupe_sql = R"sql(
select relname from pg_class
where relkind = 'r' and relname ~ '^dedupe_[0-9]{8}$' and relnamespace = (select relnamespace from pg_class where oid = 'dedupe'::regclass)
  and to_date(right(relname, 8), 'YYYYMMDD') < (clock_timestamp() at time zone 'UTC')::date - 9
  and not exists (select from pg_inherits where inhrelid = pg_class.oid)
order by 1
)sql";

/// A batch of them. One that is locked is just being taken anew, and lives on.
inline constexpr std::size_t expired_idempotency_keys_batch = 5'000;
inline constexpr std::string_view expired_idempotency_keys_sql = R"sql(
delete from idempotency_key where ctid = any (array(
  select ctid from idempotency_key where created_at < clock_timestamp() - interval '24 hours'
  order by created_at limit 5000 for update skip locked))
)sql";

/// Secrets that ran out an hour ago and were not removed by a later rotation: nobody takes them any more, so no plan
/// changes by it.
inline constexpr std::string_view expired_secrets_sql = R"sql(
with sources as (
  delete from source_secret where expires_at < clock_timestamp() - interval '1 hour'
)
delete from endpoint_secret where expires_at < clock_timestamp() - interval '1 hour'
)sql";

/// Partitions of days that ended more than an hour ago and were never vacuumed since.
inline constexpr std::string_view unfrozen_partitions_sql = R"sql(
select child.relname from pg_inherits join pg_class child on child.oid = inhrelid join pg_stat_user_tables stat on stat.relid = child.oid
where inhparent in ('event'::regclass, 'attempt'::regclass, 'dedupe'::regclass) and child.relname ~ '_[0-9]{8}$'
  and to_date(right(child.relname, 8), 'YYYYMMDD') < (clock_timestamp() at time zone 'UTC' - interval '1 hour')::date
  and child.relpages + stat.n_live_tup > 0 and stat.last_vacuum is null and stat.last_autovacuum is null
order by 1 limit 3
)sql";

} // namespace postrider
