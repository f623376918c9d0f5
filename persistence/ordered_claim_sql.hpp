#pragma once

#include <string_view>

/// What a claim on an ordered endpoint runs.
namespace postrider {

/// Of each key that is looked at and free, the first deliveries that are due, none left out: in flight under the fence
/// from now on. A key is not free while it is open in its owner's memory ($10), or while anybody's attempt at one of it
/// may still run: in flight before its deadline. So nothing is sent before the one ahead is final, and after a
/// take-over the former owner's attempt is past its deadline first.
///
/// One index descent finds the next key of a round and one its first rows, in every partition, however many wait behind
/// them. Answers rows of six kinds, with the columns of claim_sql.hpp, the number and the key: 0, a claimed
/// delivery with its event, in an order that keeps each key's; 2, a row in flight past its deadline; 3, the fence
/// holds; 5, a key of which nothing was claimed, and when its first is due; 6, the round's last key, where more may
/// follow it.
///
/// $1 shard  $2 endpoint  $3 fence  $4 now  $5 attempt's deadline  $6 limit  $7 a round's first key or null (none)  $8
/// keys of a round's page  $9 keys that are asked for  $10 keys that are open  $11 null, or: what waits on backoff
/// since before that is due too  $12 rows of a key at most  $13 bytes of bodies at most, but always one delivery
inline constexpr std::string_view ordered_claim_sql = R"sql(
with recursive lease as materialized (
  select fence from shard_lease where shard = $1::smallint and fence = $3::bigint and expires_at > clock_timestamp()
), running as materialized (
  select order_key, min(next_attempt_at) as until from delivery
  where shard = $1::smallint and endpoint_no = $2::bigint and lane = 5 and next_attempt_at > $4::timestamptz
    and next_attempt_at <= $4::timestamptz + interval '5 minutes' and state = 1
    and (select fence from lease) is not null
  group by order_key
), round (order_key, place) as (
  (select order_key, 1 from delivery
   where $7::text is not null and endpoint_no = $2::bigint and order_no is not null and next_attempt_at is not null and order_key >= $7::text
     and (select fence from lease) is not null
   order by order_key limit 1)
  union all
  select (select d.order_key from delivery d
          where d.endpoint_no = $2::bigint and d.order_no is not null and d.next_attempt_at is not null and d.order_key > round.order_key
          order by d.order_key limit 1), round.place + 1
  from round where round.order_key is not null and round.place < $8::integer
), probed as materialized (
  select order_key, min(place) as place
  from (select order_key, place - 1000000 as place from unnest($9::text[]) with ordinality asked (order_key, place)
        union all
        select order_key, place from round where order_key is not null) every
  where (order_key in (select unnest($10::text[]))) is not true and (select fence from lease) is not null
  group by order_key
), lines as materialized (
  select line.*, probed.place
  from probed cross join lateral (
    select front.*, row_number() over by_number as rank,
           bool_and(state in (0, 2) and (next_attempt_at <= $4::timestamptz
                                         or coalesce(state = 2 and updated_at < $11::timestamptz, false))) over by_number as free
    from (select id, tenant_no, event_id, state, fence, attempt_count, step, next_attempt_at, updated_at, order_no, order_key
          from delivery
          where endpoint_no = $2::bigint and order_key = probed.order_key and order_no is not null and next_attempt_at is not null
          order by order_no
          limit (select case when $6::integer = 0 then $12::integer
                             else greatest(1, least($12::integer, $6::integer / greatest(1, count(*)::integer))) end from probed)) front
    window by_number as (order by order_no)) line
  where (probed.order_key in (select order_key from running)) is not true
), chosen as materialized (
  select * from lines where free order by rank, place limit $6::integer
), sized as materialized (
  select chosen.*, event.source_no, event.type, event.provider_event_id, event.content_type, event.headers, event.forward_headers,
         event.body, sum(octet_length(event.body)) over upto as bytes, row_number() over upto as ordinal
  from chosen join event on event.tenant_no = chosen.tenant_no and event.id = chosen.event_id
  window upto as (order by chosen.rank, chosen.place rows unbounded preceding)
), claimed as (
  update delivery
  set state = 1, fence = $3::bigint, next_attempt_at = $5::timestamptz, attempt_count = delivery.attempt_count + 1, updated_at = now()
  from sized
  where (sized.bytes <= $13::bigint or sized.ordinal = 1) and delivery.id = sized.id and delivery.state = sized.state
  returning delivery.id, delivery.event_id, delivery.tenant_no, delivery.attempt_count, delivery.step, delivery.seed, delivery.order_no,
            delivery.order_key, sized.rank, sized.state as was, sized.source_no, sized.type, sized.provider_event_id,
            sized.content_type, sized.headers, sized.forward_headers, sized.body
), counted as (
  insert into tenant_counter (tenant_no, accepted, pending, in_flight, retry_wait, succeeded, dead, cancelled)
  select tenant_no, 0, -count(*) filter (where was = 0), count(*), -count(*) filter (where was = 2), 0, 0, 0
  from claimed group by tenant_no
)
select 0 as kind, claimed.id, claimed.attempt_count, claimed.step, claimed.seed, null::bigint as number,
       claimed.event_id, claimed.tenant_no, claimed.source_no, coalesce(source.name, 'api'), claimed.type, claimed.provider_event_id,
       claimed.content_type, claimed.headers, claimed.forward_headers, claimed.body, null::bigint, 5, claimed.rank, claimed.order_no, claimed.order_key
from claimed left join source on source.no = claimed.source_no
union all
select 2, late.id, late.attempt_count, late.step, null, late.fence, null, null, null, null, null, null, null, null, null, null, null, null,
       late.rank, late.order_no, late.order_key
from (select * from lines where state = 1 and next_attempt_at <= $4::timestamptz order by rank limit 256) late
union all
select 3, null, null, null, null, fence, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null from lease
union all
select 5, null, null, null, null, (extract(epoch from next_attempt_at) * 1000000)::bigint, null, null, null, null, null, null, null,
       null, null, null, null, null, null, null, order_key
from (select order_key, next_attempt_at from lines
      where rank = 1 and (state <> 1 or next_attempt_at > $4::timestamptz)
        and (order_key in (select order_key from claimed)) is not true
      union all
      select order_key, until from running where (order_key in (select order_key from probed)) is true) blocked
union all
select 6, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, order_key
from round where place = $8::integer and order_key is not null
order by 1, 19, 20
)sql";

} // namespace postrider
