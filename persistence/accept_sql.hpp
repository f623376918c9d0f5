#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// What the accept writers run. Arrays are parallel; `u` is the batch.
namespace postrider {

/// The events whose key is new; `d` are their ids.
inline constexpr std::string_view accept_events = R"sql(), e as (
  insert into event (id, tenant_no, source_no, type, provider_event_id, content_type, headers, forward_headers, body)
  select u.* from (select unnest($2::uuid[]) as id, unnest($3::bigint[]), unnest($5::bigint[]), unnest($6::text[]), unnest($7::text[]),
                          unnest($8::text[]), unnest($9::bytea[]), unnest($10::bytea[]), unnest($11::bytea[])) u
  where (u.id in (select event_id from d)) is true
))sql";

/// Their deliveries.
inline constexpr std::string_view accept_deliveries = R"sql(, x as (
  insert into delivery (id, event_id, tenant_no, endpoint_no, fence, next_attempt_at, updated_at, seed, attempt_count, generation, step,
                        shard, state, reason, last_reason, last_status, lane)
  select u.id, u.event_id, u.tenant_no, u.endpoint_no, case when u.rides then u.fence else 0 end,
         case when u.rides then null else now() end, now(), u.seed, case when u.rides then 1 else 0 end, 1, 0,
         u.shard, case when u.rides then 1 else 0 end, 0, 0, 0, u.lane
  from (select v.*, ((v.shard, v.fence) in (select shard, fence from shard_lease where expires_at > clock_timestamp())) is true as rides
        from (select unnest($12::uuid[]) as id, unnest($13::uuid[]) as event_id, unnest($14::bigint[]) as tenant_no,
                     unnest($15::bigint[]) as endpoint_no, unnest($16::smallint[]) as shard, unnest($17::integer[]) as seed,
                     unnest($18::bigint[]) as fence, unnest($20::smallint[]) as lane) v
        where (v.event_id in (select event_id from d)) is true
        offset 0) u
  returning tenant_no, state
))sql";

/// Their deliveries, of which those with a key ($21) get the next number of their endpoint: in the order of $22, the
/// batch's arrival, for the arrays stand in the order of ids. The counter's row stays locked until COMMIT, so
/// the numbers are in the order of commits, and without gaps; rows are locked in the order of endpoints, after all
/// dedupe keys, so that two connections never deadlock.
inline constexpr std::string_view accept_ordered_deliveries = R"sql(, v as materialized (
  select v.* from unnest($12::uuid[], $13::uuid[], $14::bigint[], $15::bigint[], $16::smallint[], $17::integer[], $18::bigint[], $20::smallint[],
                         $21::text[], $22::integer[]) v (id, event_id, tenant_no, endpoint_no, shard, seed, fence, lane, order_key, arrival)
  where (v.event_id in (select event_id from d)) is true
), n as (
  insert into order_counter (endpoint_no, tenant_no, last_no)
  select endpoint_no, tenant_no, count(*) from v where order_key is not null group by endpoint_no, tenant_no order by endpoint_no
  on conflict (endpoint_no) do update set last_no = order_counter.last_no + excluded.last_no
  returning endpoint_no, last_no
), x as (
  insert into delivery (id, event_id, tenant_no, endpoint_no, fence, next_attempt_at, updated_at, seed, attempt_count, generation, step,
                        shard, state, reason, last_reason, last_status, lane, order_no, order_key)
  select u.id, u.event_id, u.tenant_no, u.endpoint_no, case when u.rides then u.fence else 0 end,
         case when u.rides then null else now() end, now(), u.seed, case when u.rides then 1 else 0 end, 1, 0,
         u.shard, case when u.rides then 1 else 0 end, 0, 0, 0, u.lane,
         (select last_no from n where n.endpoint_no = u.endpoint_no and u.order_key is not null) + 1 - u.from_last, u.order_key
  from (select v.*, row_number() over (partition by endpoint_no, order_key is null order by arrival desc) as from_last,
               ((v.shard, v.fence) in (select shard, fence from shard_lease where expires_at > clock_timestamp())) is true as rides
        from v
        offset 0) u
  returning tenant_no, state
))sql";

inline constexpr std::string_view accept_counts_part = R"sql(, c as (
  insert into tenant_counter (tenant_no, accepted, pending, in_flight, retry_wait, succeeded, dead, cancelled)
  select tenant_no, count(*), count(*) filter (where state = 0), count(*) filter (where state = 1), 0, 0, 0, 0 from x group by tenant_no
)
select (select count(*) from d), (select count(*) from x where state = 1)
)sql";

inline std::string accept_tail(bool ordered) {
  return std::string{accept_events} + std::string{ordered ? accept_ordered_deliveries : accept_deliveries} +
         std::string{accept_counts_part};
}

/// What becomes of a key that somebody else writes at the same moment.
enum class same_key : std::uint8_t { fails, left_out };

inline std::string accept_text(same_key others, bool ordered) {
  return std::string{R"sql(
with d as (
  insert into dedupe (key, event_id, day)
  select u.key, u.id, (now() at time zone 'UTC')::date
  from (select unnest($1::uuid[]) as key, unnest($2::uuid[]) as id, unnest($3::bigint[]) as tenant_no, unnest($4::bigint[]) as version) u
  where ((u.tenant_no, u.version) in (select no, config_version from tenant where no = any ($19::bigint[]))) is true
    and not exists (select from dedupe o where o.key = u.key and o.day >= (now() at time zone 'UTC')::date - 7
                                           and o.day <= (now() at time zone 'UTC')::date)
    and (now() at time zone 'UTC')::time >= '00:01'
  order by u.key)sql"} +
         (others == same_key::left_out ? " on conflict do nothing" : "") + " returning event_id" + accept_tail(ordered);
}

/// One implicit transaction for many events: dedupe keys first, sorted, so that two connections never deadlock; then
/// the events whose key is new, their deliveries, and the counters.
///
/// A row is left out, and only then, when its key is taken, today or within the window, or when its plan's config
/// version is not the tenant's any more. A delivery rides (`in_flight`, attempt 1, no due time) if it brings a fence
/// and shard_lease still shows that fence, unexpired; otherwise it is pending and due at once.
///
/// A key that another transaction commits meanwhile, or that the batch has twice, makes the whole statement fail
/// (23505), and nothing is written: accept_contended_sql, which `on conflict` makes a tenth dearer, then decides.
///
/// `in (select …)` under `is true` stays a hashed subplan; as a join it would be a nested loop over the whole batch
/// (plans are pinned). `unnest` stands in the select list: in FROM each array would go through a tuple store. In the
/// first minute of a day it writes nothing: accept_midnight_sql does, in both days' tables.
///
/// $1 key  $2 event id  $3 tenant  $4 version  $5 source  $6 type  $7 provider event id  $8 content type  $9 headers
/// $10 forward headers  $11 body; deliveries: $12 id  $13 event id  $14 tenant  $15 endpoint  $16 shard  $17 seed  $18
/// fence or 0; $19 the batch's tenants, each once; $20 deliveries: lane; with events for ordered endpoints also $21
/// order key or null  $22 arrival
inline const std::string accept_sql = accept_text(same_key::fails, false);
inline const std::string accept_contended_sql = accept_text(same_key::left_out, false);
inline const std::string accept_in_order_sql = accept_text(same_key::left_out, true);

/// The same in the first minute of a day (and a little around it): a key must be new in yesterday's and in today's
/// table, because other transactions may still believe in yesterday.
inline std::string accept_midnight_text(bool ordered) {
  return std::string{R"sql(
with y as (
  insert into dedupe (key, event_id, day)
  select u.key, u.id, (now() at time zone 'UTC')::date - 1
  from (select unnest($1::uuid[]) as key, unnest($2::uuid[]) as id, unnest($3::bigint[]) as tenant_no, unnest($4::bigint[]) as version) u
  where ((u.tenant_no, u.version) in (select no, config_version from tenant where no = any ($19::bigint[]))) is true
    and not exists (select from dedupe o where o.key = u.key and o.day >= (now() at time zone 'UTC')::date - 8
                                           and o.day < (now() at time zone 'UTC')::date - 1)
  order by u.key
  on conflict do nothing
  returning key, event_id
), d as (
  insert into dedupe (key, event_id, day)
  select key, event_id, (now() at time zone 'UTC')::date from y order by key
  on conflict do nothing
  returning event_id
)sql"} + accept_tail(ordered);
}

inline const std::string accept_midnight_sql = accept_midnight_text(false);
inline const std::string accept_in_order_midnight_sql = accept_midnight_text(true);

/// Only when rows were left out: which event has each key. $1 keys  $2 tenants. The event must exist: around midnight a
/// duplicate leaves its key in one of the two days.
inline constexpr std::string_view find_first_sql = R"sql(
select u.ordinal - 1, o.event_id
from unnest($1::uuid[], $2::bigint[]) with ordinality u (key, tenant_no, ordinal)
join dedupe o on o.key = u.key and o.day >= (now() at time zone 'UTC')::date - 8
where exists (select from event where event.tenant_no = u.tenant_no and event.id = o.event_id)
)sql";

/// $1 tenants. One row more, tenant 0: whether it is the first minute of a day.
inline constexpr std::string_view find_versions_sql = R"sql(
select no, config_version from tenant where no = any ($1::bigint[])
union all
select 0, case when (now() at time zone 'UTC')::time < '00:01' then 1 else 0 end
)sql";

/// Which of these deliveries rode, and still do. $1 ids  $2 fences
inline constexpr std::string_view find_rides_sql = R"sql(
select u.ordinal - 1 from unnest($1::uuid[], $2::bigint[]) with ordinality u (id, fence, ordinal)
join delivery on delivery.id = u.id and delivery.fence = u.fence
where delivery.state = 1 and delivery.attempt_count = 1 and delivery.next_attempt_at is null
)sql";

} // namespace postrider
