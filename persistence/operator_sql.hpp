#pragma once

#include <string_view>

/// What operators read. All of it on the connections of the management API, as the tables' owner: an operator sees
/// every tenant.
namespace postrider {

/// A batch of tenants in the tree's order. $1 shards  $2 from that slug on  $3 how many
inline constexpr std::string_view resting_tenants_sql = R"sql(
select no, slug, shard, enabled, (extract(epoch from created_at) * 1000000)::bigint
from tenant
where deleted_at is null and shard = any($1::smallint[]) and slug collate "C" >= $2
order by slug collate "C" limit $3
)sql";

/// Their children, at most $2 of each kind and tenant, in the tree's order. $1 tenant numbers, in order  $3 deliveries,
/// $4 verifiers: wanted  $5 endpoint id, $6 source name: of the first tenant only what follows (null: all)
inline constexpr std::string_view resting_children_sql = R"sql(
select t.at, x.part, x.id, x.name, x.since, x.status
from unnest($1::bigint[]) with ordinality t (no, at)
cross join lateral (
  (select 1 as part, e.id, '' as name,
          (extract(epoch from greatest(e.created_at, r.since)) * 1000000)::bigint as since, e.status
   from endpoint e left join endpoint_runtime r on r.endpoint_no = e.no
   where $3 and e.tenant_no = t.no and e.deleted_at is null and (t.at > 1 or $5::uuid is null or e.id > $5::uuid)
   order by e.id limit $2)
  union all
  (select 2, null, s.name, (extract(epoch from s.created_at) * 1000000)::bigint, 0
   from source s
   where $4 and s.tenant_no = t.no and s.deleted_at is null and s.enabled
     and (t.at > 1 or $6::text is null or s.name collate "C" > $6::text)
   order by s.name collate "C" limit $2)
) x
order by t.at, x.part, x.id, x.name collate "C"
)sql";

/// $1 slug  $2 shards
inline constexpr std::string_view resting_tenant_sql = R"sql(
select no, shard, (extract(epoch from created_at) * 1000000)::bigint, config_version, enabled
from tenant where slug = $1 and deleted_at is null and shard = any($2::smallint[])
)sql";
/// How much its supervisor would have below it. $1 tenant number
inline constexpr std::string_view resting_children_counts_sql = R"sql(
select (select count(*) from source where tenant_no = $1 and deleted_at is null),
       (select count(*) from endpoint where tenant_no = $1 and deleted_at is null)
)sql";
/// $1 tenant number  $2 name
inline constexpr std::string_view resting_source_sql = R"sql(
select (extract(epoch from created_at) * 1000000)::bigint
from source where tenant_no = $1 and name = $2 and deleted_at is null and enabled
)sql";
/// $1 tenant number  $2 id
inline constexpr std::string_view resting_endpoint_sql = R"sql(
select e.no, (extract(epoch from greatest(e.created_at, r.since)) * 1000000)::bigint, e.max_in_flight,
       coalesce(r.breaker_state, 0), (extract(epoch from r.since) * 1000000)::bigint,
       (extract(epoch from r.next_probe_at) * 1000000)::bigint, e.status
from endpoint e left join endpoint_runtime r on r.endpoint_no = e.no
where e.tenant_no = $1 and e.id = $2::uuid and e.deleted_at is null
)sql";
/// Of each lane with any: the earliest due row, and how many are scheduled, counted up to a thousand. $1 shard  $2
/// endpoint number
inline constexpr std::string_view resting_backlog_sql = R"sql(
select l.lane, (extract(epoch from min(d.next_attempt_at)) * 1000000)::bigint, count(*)
from generate_series(0, 5) l (lane)
cross join lateral (select next_attempt_at from delivery
                    where shard = $1 and endpoint_no = $2 and lane = l.lane::smallint and next_attempt_at is not null
                    order by next_attempt_at limit 1000) d
group by l.lane
)sql";
/// What the last deliveries that were tried say of their last attempt. Looked for among the newest thousand alone: in
/// front of them may wait a backlog that nobody has tried, of any length. $1 endpoint number
inline constexpr std::string_view resting_outcomes_sql = R"sql(
select last_reason, last_status
from (select id, attempt_count, last_reason, last_status from delivery
      where endpoint_no = $1 order by id desc limit 1000) d
where attempt_count > 0 order by id desc limit 10
)sql";
/// Of its breaker, and of itself (paused, disabled). $1 endpoint number
inline constexpr std::string_view resting_transitions_sql = R"sql(
select (extract(epoch from at) * 1000000)::bigint, from_state, to_state, cause
from (values ('breaker'), ('endpoint')) k (kind)
cross join lateral (select id, at, from_state, to_state, cause from transition t
                    where t.kind = k.kind and t.subject_no = $1 order by t.id desc limit 20) of_kind
order by id desc limit 20
)sql";

/// Nodes and what they hold; a node that was not heard of for as long as a lease lasts is gone, whatever it said last.
/// $1 ttl of leases in ms
inline constexpr std::string_view cluster_nodes_sql = R"sql(
select n.name, n.incarnation, n.address,
       case when n.state = 2 or n.heartbeat_at < clock_timestamp() - $1::bigint * interval '1 ms' then 2 else n.state end as state,
       greatest(0, (extract(epoch from clock_timestamp() - n.heartbeat_at) * 1000)::bigint)
from node n order by state = 2, n.name limit 1000
)sql";
inline constexpr std::string_view cluster_shards_sql = R"sql(
select owner, shard, epoch from shard_lease where owner is not null and expires_at > clock_timestamp() order by shard
)sql";

} // namespace postrider
