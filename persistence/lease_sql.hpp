#pragma once

#include <string_view>

/// What the lease keeper runs. All times are the database's clock_timestamp().
namespace postrider {

/// Held by the session as long as the process lives. $1 incarnation
inline constexpr std::string_view hold_incarnation_sql = "select pg_try_advisory_lock(incarnation_lock($1::uuid))";
/// Whether nobody holds it; leaves it free. $1 incarnation
inline constexpr std::string_view incarnation_is_gone_sql = R"sql(
select case when pg_try_advisory_lock(incarnation_lock($1::uuid)) then pg_advisory_unlock(incarnation_lock($1::uuid)) else false end
)sql";
/// Ends the backend that holds it, unless that is this session. $1 incarnation
inline constexpr std::string_view end_incarnation_sql = R"sql(
select pg_terminate_backend(pid) from pg_locks
where locktype = 'advisory' and objsubid = 1 and granted and pid <> pg_backend_pid()
  and database = (select oid from pg_database where datname = current_database())
  and classid::bigint = (incarnation_lock($1::uuid) >> 32) & 4294967295 and objid::bigint = incarnation_lock($1::uuid) & 4294967295
)sql";

/// Serialises processes that start under one name; to the end of the transaction. $1 name
inline constexpr std::string_view lock_node_name_sql =
  "select pg_advisory_xact_lock(hashtextextended('postrider node ' || $1::text, 0))";
/// $1 name
inline constexpr std::string_view find_node_sql =
  "select incarnation, (extract(epoch from heartbeat_at) * 1000000)::bigint from node where name = $1";
/// $1 name  $2 incarnation  $3 address  $4 version
inline constexpr std::string_view register_node_sql = R"sql(
insert into node (name, incarnation, backend_pid, address, state, version, started_at, heartbeat_at)
values ($1, $2::uuid, pg_backend_pid(), $3, 0, $4, clock_timestamp(), clock_timestamp())
on conflict (name) do update
set incarnation = excluded.incarnation, backend_pid = excluded.backend_pid, address = excluded.address, state = 0,
    version = excluded.version, heartbeat_at = excluded.heartbeat_at,
    started_at = case when node.incarnation = excluded.incarnation then node.started_at else excluded.started_at end
)sql";

/// Renews all leases and the heartbeat in one statement; answers the shards that are still mine, and one row with shard
/// -1: whether the node is still mine. $1 incarnation  $2 name  $3 ttl in ms  $4 shards, sorted  $5 fences  $6 low
/// waters, null: keep  $7 node state
inline constexpr std::string_view renew_leases_sql = R"sql(
with held as (
  update shard_lease
  set expires_at = clock_timestamp() + $3::bigint * interval '1 ms', renewed_at = clock_timestamp(),
      low_water = coalesce(u.low_water, shard_lease.low_water)
  from unnest($4::smallint[], $5::bigint[], $6::uuid[]) u (shard, fence, low_water)
  where shard_lease.shard = u.shard and shard_lease.fence = u.fence and shard_lease.owner = $1::uuid
  returning shard_lease.shard
), alive as (
  update node set heartbeat_at = clock_timestamp(), state = $7 where name = $2 and incarnation = $1::uuid returning name
)
select shard from held union all select -1 from alive
)sql";

/// Takes those of the shards that nobody holds, whose lease is over, that were the former incarnation's, or that are
/// mine without my knowing (the answer of an earlier take was lost). $1 incarnation  $2 name  $3 ttl in ms  $4 shards,
/// sorted  $5 20 random bits each $6 former incarnation, which is gone, or null. Answers too of which fence nothing
/// runs any more: -1, of none (the former owner gave it up as its last act, or is gone); the fence before, where it was
/// mine; 0, nothing is known.
inline constexpr std::string_view take_leases_sql = R"sql(
update shard_lease
set owner = $1::uuid, node_name = $2, epoch = shard_lease.epoch + 1, fence = ((shard_lease.epoch + 1) << 20) | u.chance,
    expires_at = clock_timestamp() + $3::bigint * interval '1 ms', renewed_at = clock_timestamp()
from unnest($4::smallint[], $5::integer[]) u (shard, chance) join shard_lease former on former.shard = u.shard
where shard_lease.shard = u.shard
  and (shard_lease.owner is null or shard_lease.expires_at < clock_timestamp() or shard_lease.owner = $6::uuid
       or shard_lease.owner = $1::uuid)
returning shard_lease.shard, shard_lease.epoch, shard_lease.fence, shard_lease.low_water,
          case when former.owner is null or former.owner = $6::uuid then -1 when former.owner = $1::uuid then former.fence else 0 end
)sql";

/// Gives everything up at once. $1 incarnation  $2 name  $3 shards, sorted  $4 low waters, null: keep
inline constexpr std::string_view release_leases_sql = R"sql(
with given_up as (
  update shard_lease
  set owner = null, expires_at = '-infinity', low_water = coalesce(u.low_water, shard_lease.low_water)
  from unnest($3::smallint[], $4::uuid[]) u (shard, low_water)
  where shard_lease.shard = u.shard and shard_lease.owner = $1::uuid
)
update node set state = 2, heartbeat_at = clock_timestamp() where name = $2 and incarnation = $1::uuid
)sql";

/// For the clock's offset.
inline constexpr std::string_view clock_sql = "select (extract(epoch from clock_timestamp()) * 1000000)::bigint";

} // namespace postrider
