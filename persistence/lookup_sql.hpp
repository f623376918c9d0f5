#pragma once

#include <string_view>

/// What the lookup session runs: configuration in, runtime out.
namespace postrider {

/// $1 tenant_no (0: by the others)  $2 slug  $3 id or null
inline constexpr std::string_view find_tenant_sql = R"sql(
select no, id, slug, shard, config_version, enabled, data_key, plan, (quotas ->> 'ingest_per_s')::bigint,
       (quotas ->> 'ingest_bytes_per_s')::bigint, (quotas ->> 'backlog')::bigint
from tenant
where deleted_at is null and (no = $1::bigint or ($1::bigint = 0 and slug = $2::text) or ($1::bigint = 0 and id = $3::uuid))
)sql";

/// $1 tenant_no
inline constexpr std::string_view find_sources_sql = R"sql(
select no, id, name, provider, scheme, enabled, on_unverified, dedupe, config, config_sealed from source where tenant_no = $1 and deleted_at is null order by no
)sql";
inline constexpr std::string_view find_source_secrets_sql = R"sql(
select secret.source_no, secret.ordinal, secret.sealed, (extract(epoch from secret.expires_at) * 1000000)::bigint
from source_secret secret join source on source.no = secret.source_no
where source.tenant_no = $1 and source.deleted_at is null and (secret.expires_at is null or secret.expires_at > clock_timestamp())
order by secret.source_no, secret.ordinal desc
)sql";

/// A policy's key that is left out is null here and takes its default. $1 tenant_no
inline constexpr std::string_view find_endpoints_sql = R"sql(
select no, id, url, max_in_flight, timeout_ms, status,
       retry is not null, (retry ->> 'base_ms')::double precision, (retry ->> 'factor')::double precision,
       (retry ->> 'max_ms')::double precision, (retry ->> 'max_attempts')::integer, (retry ->> 'jitter')::double precision,
       (breaker ->> 'failures')::integer, (breaker ->> 'failure_rate')::double precision, (breaker ->> 'window_s')::double precision,
       (breaker ->> 'min_requests')::integer, (breaker ->> 'cool_down_ms')::double precision,
       (breaker ->> 'cool_down_max_ms')::double precision, (breaker ->> 'jitter')::double precision, (breaker ->> 'probes')::integer,
       tls ->> 'ca_pem' as tls_ca_pem, tls ->> 'client_certificate_pem' as tls_client_certificate_pem, tls_client_key_sealed,
       rate_limit_per_s, breaker_resets, ordering, ordering_key, priority
from endpoint where tenant_no = $1 and deleted_at is null order by no
)sql";
/// Lists of an endpoint, one row per element, in order. $1 tenant_no
inline constexpr std::string_view find_endpoint_lists_sql = R"sql(
select endpoint.no, list.kind, list.name, list.value
from endpoint cross join lateral (
  select 0 as kind, type as name, '' as value, ordinal from unnest(event_types) with ordinality types (type, ordinal)
  union all
  select 1, source_no::text, '', ordinal from unnest(source_nos) with ordinality sources (source_no, ordinal)
  union all
  select 2, header ->> 0, header ->> 1, ordinal from jsonb_array_elements(headers) with ordinality headers (header, ordinal)
  union all
  select 3, delay, '', ordinal
  from jsonb_array_elements_text(case when jsonb_typeof(retry -> 'schedule_s') = 'array' then retry -> 'schedule_s' else '[]' end)
       with ordinality delays (delay, ordinal)
) list
where endpoint.tenant_no = $1 and endpoint.deleted_at is null
order by endpoint.no, list.kind, list.ordinal
)sql";
inline constexpr std::string_view find_endpoint_secrets_sql = R"sql(
select secret.endpoint_no, secret.ordinal, secret.sealed, (extract(epoch from secret.expires_at) * 1000000)::bigint
from endpoint_secret secret join endpoint on endpoint.no = secret.endpoint_no
where endpoint.tenant_no = $1 and endpoint.deleted_at is null and (secret.expires_at is null or secret.expires_at > clock_timestamp())
order by secret.endpoint_no, secret.ordinal desc
)sql";

/// $1 tenant_no
inline constexpr std::string_view count_live_sql =
  "select coalesce(sum(pending + in_flight + retry_wait), 0)::bigint from tenant_counter where tenant_no = $1";

/// $1 endpoint_no
inline constexpr std::string_view find_runtime_sql = R"sql(
select tenant_no, breaker_state, opened_in_a_row, (extract(epoch from since) * 1000000)::bigint,
       (extract(epoch from next_probe_at) * 1000000)::bigint, send_window, send_window_threshold,
       (extract(epoch from held_until) * 1000000)::bigint, (extract(epoch from failing_since) * 1000000)::bigint
from endpoint_runtime where endpoint_no = $1
)sql";

/// Only under the shard's fence. $1 endpoint  $2 tenant  $3 state  $4 opened in a row  $5 since  $6 next probe or null
/// $7 shard  $8 fence $9 state's word  $10 cause  $11 node  $12 id of the transition  $13 window or null  $14 its
/// threshold  $15 held until or null  $16 failing since or null
inline constexpr std::string_view save_runtime_sql = R"sql(
with lease as materialized (
  select fence from shard_lease where shard = $7::smallint and fence = $8::bigint
), former as materialized (
  select breaker_state from endpoint_runtime where endpoint_no = $1::bigint
), saved as (
  insert into endpoint_runtime (endpoint_no, tenant_no, breaker_state, opened_in_a_row, since, next_probe_at, fence,
                                send_window, send_window_threshold, held_until, failing_since)
  select $1::bigint, $2::bigint, $3::smallint, $4::integer, $5::timestamptz, $6::timestamptz, fence,
         $13::double precision, $14::double precision, $15::timestamptz, $16::timestamptz from lease
  on conflict (endpoint_no) do update
  set breaker_state = excluded.breaker_state, opened_in_a_row = excluded.opened_in_a_row, since = excluded.since,
      next_probe_at = excluded.next_probe_at, fence = excluded.fence, send_window = excluded.send_window,
      send_window_threshold = excluded.send_window_threshold, held_until = excluded.held_until,
      failing_since = excluded.failing_since, updated_at = clock_timestamp()
  returning endpoint_no
)
insert into transition (id, at, tenant_no, kind, subject_no, from_state, to_state, cause, node_name, fence)
select $12::uuid, clock_timestamp(), $2::bigint, 'breaker', $1::bigint,
       (array['closed', 'open', 'half_open'])[coalesce((select breaker_state from former), 0) + 1], $9, $10, $11, $8::bigint
from saved
where coalesce((select breaker_state from former), 0) <> $3::smallint
on conflict do nothing
)sql";

/// $1 tenant  $2 endpoint  $3 reason  $4 node  $5 id of the transition and of the alert. Nothing changes where it is
/// disabled or deleted already.
inline constexpr std::string_view disable_endpoint_sql = R"sql(
with touched as materialized (
  select touch_tenant($1::bigint), status from endpoint where no = $2::bigint and status <> 2 and deleted_at is null
), disabled as (
  update endpoint set status = 2, disabled_reason = $3, updated_at = clock_timestamp()
  where no = $2::bigint and tenant_no = $1::bigint and status <> 2 and deleted_at is null and exists (select from touched)
  returning no
), alerted as (
  insert into alert (id, tenant_no, endpoint_no, kind, opened_at, detail)
  select $5::uuid, $1::bigint, no, 'endpoint_disabled', clock_timestamp(), $3 from disabled
  on conflict do nothing
)
insert into transition (id, at, tenant_no, kind, subject_no, from_state, to_state, cause, node_name)
select $5::uuid, clock_timestamp(), $1::bigint, 'endpoint', no,
       (array['active', 'paused', 'disabled'])[(select status from touched) + 1], 'disabled', $3, $4
from disabled
on conflict do nothing
)sql";

/// Tenants whose configuration changed since $1 (microseconds; null: $2 ms ago). One row more, tenant 0, with the
/// database's time.
inline constexpr std::string_view changed_tenants_sql = R"sql(
select no, config_version, (extract(epoch from updated_at) * 1000000)::bigint from tenant
where updated_at >= coalesce(to_timestamp($1::double precision / 1000000), now() - $2::bigint * interval '1 ms')
union all
select 0, 0, (extract(epoch from clock_timestamp()) * 1000000)::bigint
)sql";

} // namespace postrider
