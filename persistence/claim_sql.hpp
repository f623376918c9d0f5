#pragma once

#include "core/delivery_state.hpp"

#include <string>
#include <string_view>

/// What the claimer and the sweeper run.
namespace postrider {

/// Claims due deliveries of one endpoint if the shard still shows the fence: counts each attempt and sets its deadline.
/// Of each lane the oldest first, among the lanes by their tags (core/fair_share.hpp): the n-th row of a lane has its
/// lane's tag and n strides more, and the lowest tags are taken. A lane's rows are a stretch of the index of their own,
/// of which no more than the limit and one are read, however many wait there.
///
/// Answers rows of four kinds: 0, a claimed delivery with its event, in order of tags; 1, of each lane the time from
/// which on more is scheduled; 2, a row in flight past its deadline; 3, the fence holds (missing: it does not). Rows of
/// kind 2 are looked for as far as the claim came in their lane: those that lie among a backlog have their turn with
/// it, else each claim would walk over all of that. With a limit of 0 they are looked for everywhere.
///
/// $1 shard  $2 endpoint  $3 fence  $4 now  $5 attempt's deadline  $6 limit  $8 bytes of bodies at most, but always one
/// delivery; by lane, from 0: $7 lower bound: dead index entries below it are not visited  $9 tag  $10 stride  $11 rows
/// at most. `reach_back`: also what waits on backoff (not what is scheduled) since before $12, oldest due time first;
/// it walks over what does not, until it has its limit. `unordered`: without the lane of what stands in an order
/// (ordered_claim_sql.hpp has that).
inline std::string claim_text(bool reach_back, bool unordered) {
  const std::string rows = R"sql(
    select id, tenant_no, event_id, next_attempt_at, state from delivery
    where shard = $1::smallint and endpoint_no = $2::bigint and lane = (l.ordinal - 1)::smallint
      and next_attempt_at >= l.lower and state in (0, 2) and (select fence from lease) is not null)sql";
  const std::string lanes =
    std::string{
      "from (select * from unnest($7::timestamptz[], $9::bigint[], $10::bigint[], $11::integer[]) with ordinality"
      " every (lower, tag, stride, most, ordinal)"} +
    (unordered ? " where ordinal < 6" : "") + ") l";
  const auto tagged = [&](const std::string& more) {
    return "select r.*, l.ordinal - 1 as lane, l.most, row_number() over of_lane as turn,"
           " l.tag + (row_number() over of_lane - 1) * l.stride as tag " +
           lanes + " cross join lateral (" + rows + more +
           " order by next_attempt_at limit least($6::integer, l.most) + 1) r"
           " window of_lane as (partition by l.ordinal order by r.next_attempt_at, r.id rows unbounded preceding)";
  };
  const std::string due = "select * from candidates where next_attempt_at <= $4::timestamptz and turn <= most";
  const std::string reached =
    "select * from (" +
    tagged(" and (next_attempt_at <= $4::timestamptz or (state = 2 and updated_at < $12::timestamptz))") +
    ") r where turn <= most";
  return R"sql(
with lease as materialized (
  select fence from shard_lease where shard = $1::smallint and fence = $3::bigint and expires_at > clock_timestamp()
), candidates as materialized (
  )sql" + tagged({}) +
         R"sql(
), chosen as materialized (
  )sql" + (reach_back ? reached : due) +
         R"sql(
  order by tag, lane limit $6::integer
), sized as materialized (
  select chosen.id, chosen.next_attempt_at, chosen.state, chosen.lane, event.source_no, event.type, event.provider_event_id,
         event.content_type, event.headers, event.forward_headers, event.body,
         sum(octet_length(event.body)) over upto as bytes, row_number() over upto as ordinal
  from chosen join event on event.tenant_no = chosen.tenant_no and event.id = chosen.event_id
  window upto as (order by chosen.tag, chosen.lane rows unbounded preceding)
), claimed as (
  update delivery
  set state = 1, fence = $3::bigint, next_attempt_at = $5::timestamptz, attempt_count = delivery.attempt_count + 1, updated_at = now()
  from sized
  where (sized.bytes <= $8::bigint or sized.ordinal = 1) and delivery.id = sized.id and delivery.state = sized.state
  returning delivery.id, delivery.event_id, delivery.tenant_no, delivery.attempt_count, delivery.step, delivery.seed,
            sized.next_attempt_at as was_due, sized.state as was, sized.source_no, sized.type, sized.provider_event_id,
            sized.content_type, sized.headers, sized.forward_headers, sized.body, sized.ordinal, delivery.lane
), counted as (
  insert into tenant_counter (tenant_no, accepted, pending, in_flight, retry_wait, succeeded, dead, cancelled)
  select tenant_no, 0, -count(*) filter (where was = 0), count(*), -count(*) filter (where was = 2), 0, 0, 0
  from claimed group by tenant_no
), walked as materialized (
  select (l.ordinal - 1)::smallint as lane, l.lower,
         case when $6::integer = 0 then $4::timestamptz else least($4::timestamptz, coalesce(
           (select max(c.next_attempt_at) from candidates c where c.lane = l.ordinal - 1 having count(*) > least($6::integer, l.most)),
           $4::timestamptz)) end as upto
  )sql" + lanes +
         R"sql(
)
select 0 as kind, claimed.id, claimed.attempt_count, claimed.step, claimed.seed, null::bigint as number,
       claimed.event_id, claimed.tenant_no, claimed.source_no, coalesce(source.name, 'api'), claimed.type, claimed.provider_event_id,
       claimed.content_type, claimed.headers, claimed.forward_headers, claimed.body,
       (extract(epoch from claimed.was_due) * 1000000)::bigint, claimed.lane, claimed.ordinal
from claimed left join source on source.no = claimed.source_no
union all
select 1, null, null, null, null, (extract(epoch from min(next_attempt_at)) * 1000000)::bigint,
       null, null, null, null, null, null, null, null, null, null, null, lane, null
from (select lane, next_attempt_at from candidates where (id in (select id from chosen)) is not true
      union all
      select lane, next_attempt_at from sized where bytes > $8::bigint and ordinal > 1) later
group by lane
union all
select 2, late.id, late.attempt_count, late.step, null, late.fence, null, null, null, null, null, null, null, null, null, null, null,
       null, null
from (select r.* from walked cross join lateral (
        select id, attempt_count, step, fence from delivery
        where shard = $1::smallint and endpoint_no = $2::bigint and lane = walked.lane and next_attempt_at >= walked.lower
          and next_attempt_at <= walked.upto and state = 1 and (select fence from lease) is not null
        order by next_attempt_at limit 256) r
      limit 256) late
union all
select 3, null, null, null, null, fence, null, null, null, null, null, null, null, null, null, null, null, null, null from lease
order by 1, 19
)sql";
}

inline const std::string claim_sql = claim_text(false, false);
inline const std::string claim_reaching_back_sql = claim_text(true, false);
inline const std::string claim_unordered_sql = claim_text(false, true);
inline const std::string claim_unordered_reaching_back_sql = claim_text(true, true);

/// What claims whose answer was lost have taken is past its deadline at once: nobody knows of it. $1 shard  $2 endpoint
/// $3 fence  $4 now  $5 the deadlines that these claims gave
inline constexpr std::string_view expose_claimed_sql = R"sql(
update delivery set next_attempt_at = $4::timestamptz
where shard = $1::smallint and endpoint_no = $2::bigint and fence = $3::bigint and state = 1
  and lane = any ('{0, 1, 2, 3, 4, 5}'::smallint[]) and next_attempt_at = any ($5::timestamptz[])
  and exists (select from shard_lease where shard = $1::smallint and fence = $3::bigint and expires_at > clock_timestamp())
)sql";

/// The database's time, to be handed back to it. What began before has an earlier one in its row.
inline constexpr std::string_view asked_at_sql = "select clock_timestamp()::text";

/// Closes `victims` (id, fence) as interrupted: the attempt gets its row, the delivery is due at once, no step of its
/// schedule is used up; one that somebody has asked to cancel becomes `cancelled`. Answers how many victims there were,
/// how many were closed, the last victim's id, and for which shards the lease held: without it nothing was looked at.
inline constexpr std::string_view interrupt_tail = R"sql(
, p as (
  update delivery
  set state = case when delivery.cancel_asked > 0 then 5 else 2 end,
      reason = case when delivery.cancel_asked > 0 then delivery.cancel_asked else delivery.reason end,
      next_attempt_at = case when delivery.cancel_asked > 0 then null else now() end,
      updated_at = now(), last_reason = 15, last_status = 0
  from victims
  where delivery.id = victims.id and delivery.state = 1 and delivery.fence = victims.fence
  returning delivery.id, delivery.tenant_no, delivery.attempt_count, delivery.state as becomes, victims.updated_at as started_at
), a as (
  insert into attempt (delivery_id, number, started_at, duration_ms, outcome, reason, http_status)
  select id, attempt_count, started_at, greatest(0, least(2000000000, extract(epoch from now() - started_at) * 1000))::integer, 3, 15, 0
  from p
  on conflict do nothing
), c as (
  insert into tenant_counter (tenant_no, accepted, pending, in_flight, retry_wait, succeeded, dead, cancelled)
  select tenant_no, 0, 0, -count(*), count(*) filter (where becomes = 2), 0, 0, count(*) filter (where becomes = 5)
  from p group by tenant_no
)
select (select count(*) from victims), (select count(*) from p), (select id from victims order by id desc limit 1), (select shards from held)
)sql";

/// Skip scan, `first`: the earliest scheduled row of each lane of each endpoint, one index descent per lane that has
/// any and partition. Part of a recursive `with`.
inline const std::string scheduled_lanes = R"sql(
first as (
  (select shard, endpoint_no, lane, tenant_no, next_attempt_at from delivery
   where next_attempt_at is not null and shard >= 0
   order by shard, endpoint_no, lane, next_attempt_at limit 1)
  union all
  (select found.shard, found.endpoint_no, found.lane, found.tenant_no, found.next_attempt_at
   from first
   cross join lateral (select shard, endpoint_no, lane, tenant_no, next_attempt_at from delivery
                       where next_attempt_at is not null
                         and (delivery.shard, delivery.endpoint_no, delivery.lane) > (first.shard, first.endpoint_no, first.lane)
                       order by shard, endpoint_no, lane, next_attempt_at limit 1) found)
))sql";

/// Those of my shards whose lease still holds, and the same as one bit each. $1 shards  $2 fences
inline constexpr std::string_view mine_part = R"sql(
mine as materialized (
  select l.shard, l.fence from unnest($1::smallint[], $2::bigint[]) u (shard, fence)
  join shard_lease l on l.shard = u.shard and l.fence = u.fence
  where l.expires_at > clock_timestamp()
), held as materialized (
  select coalesce(bit_or(1::bigint << shard), 0) as shards from mine
))sql";
inline const std::string mine_head = "with " + std::string{mine_part};
inline const std::string recursive_mine_head = "with recursive " + std::string{mine_part};

/// Rows in flight without a due time (first attempts that rode) under another's fence. $3 from id (inclusive)  $4
/// limit. There is no upper bound: the ids of a node whose clock was ahead lie in the future.
inline const std::string interrupt_rides_sql = mine_head + R"sql(
, victims as materialized (
  select id, fence, updated_at from delivery
  where id >= $3::uuid and next_attempt_at is null and state = 1 and exists (select from mine)
    and (shard in (select shard from mine)) is true and ((shard, fence) in (select shard, fence from mine)) is not true
  order by id limit $4::integer
))sql" + std::string{interrupt_tail};

/// Rows in flight with a deadline ahead (claimed) under another's fence: endpoint by endpoint, and only what can be
/// such a row, whatever the backlog. Those past their deadline come up as due: their actor closes them. What stands in
/// an order waits for its deadline, unless nothing of its fence can run any more. $3 limit  $4 the longest time to a
/// deadline, in ms  $5 for each shard that fence, or -1: any
inline const std::string interrupt_claimed_sql = recursive_mine_head + "," + scheduled_lanes + R"sql(
, victims as materialized (
  select running.id, running.fence, running.updated_at
  from first join mine on mine.shard = first.shard
  cross join lateral (
    select id, fence, updated_at from delivery
    where shard = first.shard and endpoint_no = first.endpoint_no and lane = first.lane and next_attempt_at > now()
      and next_attempt_at <= now() + $4::bigint * interval '1 ms' and state = 1 and fence <> mine.fence
      and (order_no is null or (select c.closable in (-1, delivery.fence) from unnest($1::smallint[], $5::bigint[]) c (shard, closable)
                                where c.shard = first.shard))
    limit $3::integer) running
  limit $3::integer
))sql" + std::string{interrupt_tail};

/// All rows in flight of one endpoint but the known ones, and but those of attempts that began after it was asked: run
/// late, by the backend of a connection that was lost, it must not close what the next incarnation started under the
/// same fence. Of what stands in an order only one's own. $1 shards (one)  $2 fences (one)  $3 endpoint  $4 known ids
/// $5 lowest id that may have ridden  $6 when it was asked, by the database's clock
inline const std::string interrupt_endpoint_sql = mine_head + R"sql(
, victims as materialized (
  select id, fence, updated_at from delivery
  where endpoint_no = $3::bigint and shard = any ($1::smallint[]) and next_attempt_at is not null and state = 1
    and updated_at <= $6::timestamptz and exists (select from mine) and (id in (select unnest($4::uuid[]))) is not true
    and (order_no is null or fence = any ($2::bigint[]))
  union all
  select id, fence, updated_at from delivery
  where endpoint_no = $3::bigint and id >= $5::uuid and next_attempt_at is null and state = 1
    and updated_at <= $6::timestamptz and exists (select from mine) and (id in (select unnest($4::uuid[]))) is not true
))sql" + std::string{interrupt_tail};

/// The `victims` (id, fence, state, updated_at) become dead; an attempt that is in flight gets its row as interrupted.
/// Answers how many there were, for which shards the lease held, and `more`.
inline std::string close_tail(delivery_reason reason, const std::string& more = {}) {
  return R"sql(
, p as (
  update delivery
  set state = 4, reason = )sql" +
         std::to_string(static_cast<int>(reason)) + R"sql(, next_attempt_at = null, updated_at = now(),
      last_reason = case when victims.state = 1 then 15 else delivery.last_reason end,
      last_status = case when victims.state = 1 then 0 else delivery.last_status end
  from victims
  where delivery.id = victims.id and delivery.state = victims.state and delivery.fence = victims.fence
  returning delivery.id, delivery.tenant_no, delivery.attempt_count, victims.updated_at as started_at, victims.state as was
), a as (
  insert into attempt (delivery_id, number, started_at, duration_ms, outcome, reason, http_status)
  select id, attempt_count, started_at, greatest(0, least(2000000000, extract(epoch from now() - started_at) * 1000))::integer, 3, 15, 0
  from p where was = 1
  on conflict do nothing
), c as (
  insert into tenant_counter (tenant_no, accepted, pending, in_flight, retry_wait, succeeded, dead, cancelled)
  select tenant_no, 0, -count(*) filter (where was = 0), -count(*) filter (where was = 1), -count(*) filter (where was = 2), 0, count(*), 0
  from p group by tenant_no
)
select (select count(*) from victims), (select shards from held))sql" +
         more;
}

/// A page of a deleted endpoint's live rows, those in flight too: nobody runs them. Who asks may not know an endpoint
/// because it is newer than what he knows: nothing is touched unless it is deleted here. Answers whether it is, too.
/// $1 shards (one)  $2 fences (one)  $3 endpoint  $4 limit  $5 lowest id that may have ridden  $6 tenant
inline const std::string close_deleted_sql = mine_head + R"sql(
, gone as materialized (
  select no from endpoint where no = $3::bigint and tenant_no = $6::bigint and deleted_at is not null
), victims as materialized (
  (select id, fence, state, updated_at from delivery
   where shard = any ($1::smallint[]) and endpoint_no = $3::bigint and next_attempt_at is not null and state < 3
     and exists (select from mine) and exists (select from gone)
   limit $4::integer)
  union all
  (select id, fence, state, updated_at from delivery
   where endpoint_no = $3::bigint and id >= $5::uuid and next_attempt_at is null and state < 3 and exists (select from mine)
     and exists (select from gone)
   limit $4::integer)
))sql" + close_tail(delivery_reason::endpoint_deleted, ", exists (select from gone)");

/// A page of the live rows of one endpoint of a deleted tenant. An attempt that runs may end and record its outcome
/// until its deadline; a first attempt that rode gets one by expose_rides_sql. $1 shards (one)  $2 fences (one)  $3
/// endpoint  $4 limit
inline const std::string close_tenant_deleted_sql = mine_head + R"sql(
, victims as materialized (
  select id, fence, state, updated_at from delivery
  where shard = any ($1::smallint[]) and endpoint_no = $3::bigint and next_attempt_at is not null
    and (state in (0, 2) or (state = 1 and next_attempt_at <= now())) and exists (select from mine)
  limit $4::integer
))sql" + close_tail(delivery_reason::tenant_deleted);

/// Rides of my own that are open for long: they get a due time, so that the due poll shows them to their actor, who
/// decides. $3 from id $4 below id. Answers how many, and for which shards the lease held.
inline const std::string expose_rides_sql = mine_head + R"sql(
, exposed as (
  update delivery set next_attempt_at = now()
  where id >= $3::uuid and id < $4::uuid and next_attempt_at is null and state = 1 and exists (select from mine)
    and ((shard, fence) in (select shard, fence from mine)) is true
  returning id
)
select (select count(*) from exposed), (select shards from held)
)sql";

/// Those of these rides that are there and mine get a due time, likewise. $3 ids. Answers which.
inline const std::string expose_doubtful_sql = mine_head + R"sql(
update delivery set next_attempt_at = now()
where id = any ($3::uuid[]) and next_attempt_at is null and state = 1 and exists (select from mine)
  and ((shard, fence) in (select shard, fence from mine)) is true
returning id
)sql";

/// Of each endpoint with something scheduled the earliest row is looked at. $1 shards  $2 only what is due by then  $3
/// false: of endpoints that may not send (paused, disabled, or their tenant is) nothing, for it waits; those that are
/// deleted are told, for what they have is closed. A deleted tenant's are left out: they are closed, not sent.
inline const std::string due_endpoints_sql = "with recursive " + scheduled_lanes + R"sql(
select tenant_no, endpoint_no, (extract(epoch from min(next_attempt_at)) * 1000000)::bigint from first
where (shard in (select unnest($1::smallint[]))) is true and next_attempt_at <= $2::timestamptz
  and (select deleted_at from tenant where no = first.tenant_no) is null
  and ($3::boolean or (select deleted_at is not null or (status = 0 and (select enabled from tenant where no = first.tenant_no))
                       from endpoint where no = first.endpoint_no) is not false)
group by tenant_no, endpoint_no
)sql";

/// Which endpoints of deleted tenants have something scheduled. $1 shards
inline const std::string deleted_endpoints_sql = "with recursive " + scheduled_lanes + R"sql(
select distinct shard, endpoint_no from first
where (shard in (select unnest($1::smallint[]))) is true and (select deleted_at from tenant where no = first.tenant_no) is not null
)sql";

} // namespace postrider
