-- The whole schema. Words are those of the public interface; numbers of states, reasons, roles are those of the enums in core/.
--
-- Rules that hold for every table:
--   * A tenant's row never refers to another tenant's. `tenant_no`, `source_no`, `endpoint_no` stand for the ids inside rows.
--   * Whoever changes a tenant, one of its sources or endpoints, or a secret of them calls touch_tenant() FIRST in that transaction
--     (one lock order for all), or stale routing plans would be taken for fresh ones.
--   * Secrets are stored sealed; persistence/secret_columns.hpp says with which key and which associated data.
--   * event, delivery, attempt and dedupe are partitioned by day (UTC). The day of a row is the time inside its UUIDv7.
--   * No index names delivery.state, not even in its predicate: only then are the engine's updates HOT.

-- ------------------------------------------------------------------------------------------------------------ configuration

create table cluster_setting (            -- facts that all nodes share: fingerprint of the certificate authority, the insecure key of --dev
  name text primary key,
  value bytea not null,
  created_at timestamptz not null default clock_timestamp()
);

create table tenant (
  no bigint generated always as identity primary key,
  id uuid not null unique,                -- ten_…
  slug text not null,
  name text not null,
  plan text not null default '',          -- '': none
  quotas jsonb not null default '{}',     -- keys of the interface; a key left out is not limited
  shard smallint not null check (shard between 0 and 63),
  config_version bigint not null default 1, -- grows with every change of the tenant, its sources, endpoints, secrets
  enabled boolean not null default true,
  data_key bytea not null,                -- 32 bytes sealed by the master key
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(), -- of the tenant or of anything of its configuration
  deleted_at timestamptz
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
create unique index tenant_slug on tenant (slug) where deleted_at is null;
create index tenant_updated_at on tenant (updated_at);

create table source (
  no bigint generated always as identity primary key,
  id uuid not null unique,                -- src_…
  tenant_no bigint not null references tenant (no),
  name text not null,
  provider text not null,
  scheme text not null,
  config jsonb not null default '{}',     -- without its secret keys
  config_sealed bytea,                    -- its secret keys as one JSON object, sealed; ordinal "config" in the associated data
  enabled boolean not null default true,
  on_unverified smallint not null default 0 check (on_unverified between 0 and 1),
  dedupe smallint not null default 0 check (dedupe between 0 and 2),
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  deleted_at timestamptz
);
create unique index source_name on source (tenant_no, name) where deleted_at is null;
create index source_by_tenant on source (tenant_no, id);

create table source_secret (
  source_no bigint not null references source (no),
  ordinal integer not null,               -- grows with each rotation, never used twice: newest first is `order by ordinal desc`
  tenant_no bigint not null,
  sealed bytea not null,
  expires_at timestamptz,                 -- rotated out, still valid until then
  created_at timestamptz not null default clock_timestamp(),
  primary key (source_no, ordinal)
);
create index source_secret_by_tenant on source_secret (tenant_no);

create table endpoint (
  no bigint generated always as identity primary key,
  id uuid not null unique,                -- ep_…
  tenant_no bigint not null references tenant (no),
  url text not null,
  description text not null default '',
  event_types text[] not null default '{}',  -- patterns; empty: all
  source_nos bigint[] not null default '{}', -- in the order given; empty: all, published events included
  filter jsonb,
  headers jsonb not null default '[]',    -- array of [name, value], in the order given
  max_in_flight integer not null default 32 check (max_in_flight between 1 and 1000),
  rate_limit_per_s double precision check (rate_limit_per_s > 0),
  timeout_ms integer not null default 15000 check (timeout_ms between 100 and 60000),
  ordering smallint not null default 0 check (ordering between 0 and 2), -- 0 parallel, 1 fifo, 2 fifo per ordering_key
  ordering_key text,                      -- `json:/customer/id` or `header:NAME`
  priority smallint not null default 1 check (priority between 0 and 2), -- 0 high, 1 medium, 2 low
  signing jsonb not null default '{"profile": "standard"}',
  retry jsonb,                            -- null: default; else the interface's keys: {"schedule_s": […], "jitter"} or
                                          -- {"base_ms", "factor", "max_ms", "max_attempts", "jitter"}
  breaker jsonb,                          -- null: defaults; else the interface's keys, those left out take the default
  tls jsonb,                              -- {"ca_pem", "client_certificate_pem"}
  tls_client_key_sealed bytea,            -- ordinal "client_key" in the associated data
  status smallint not null default 0 check (status between 0 and 2),     -- 0 active, 1 paused, 2 disabled
  disabled_reason text not null default '',
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  deleted_at timestamptz
);
create index endpoint_by_tenant on endpoint (tenant_no, id);

create table endpoint_secret (
  endpoint_no bigint not null references endpoint (no),
  ordinal integer not null,               -- as in source_secret
  tenant_no bigint not null,
  sealed bytea not null,
  expires_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  primary key (endpoint_no, ordinal)
);
create index endpoint_secret_by_tenant on endpoint_secret (tenant_no);

-- What the engine learnt about an endpoint: written by the owner of its shard on each change of the breaker, read back at start.
create table endpoint_runtime (
  endpoint_no bigint primary key,
  tenant_no bigint not null,
  breaker_state smallint not null,        -- 0 closed, 1 open, 2 half_open
  opened_in_a_row integer not null,
  since timestamptz not null,
  next_probe_at timestamptz,
  fence bigint not null,                  -- who wrote it
  updated_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

-- The order of an ordered endpoint's events is the order in which this row was locked, that is, the order of commits.
create table order_counter (
  endpoint_no bigint primary key,
  tenant_no bigint not null,
  last_no bigint not null default 0
) with (fillfactor = 20, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.0);

create table api_key (
  id uuid primary key,                    -- key_…
  tenant_no bigint references tenant (no), -- null: operator
  name text not null,
  role smallint not null check (role between 0 and 2), -- 0 operator, 1 tenant_admin, 2 tenant_viewer
  hash bytea not null unique,             -- SHA-256 of the key's text
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz not null default clock_timestamp()
);
create index api_key_by_tenant on api_key (tenant_no, id);

-- ------------------------------------------------------------------------------------------------------------ the hot path

create table event (
  id uuid not null,                       -- evt_…; its time is received_at
  tenant_no bigint not null,
  source_no bigint not null,              -- 0: published by the tenant itself
  priority smallint,                      -- of a published event: 0 high, 1 medium, 2 low; null: the endpoint's
  type text not null,
  provider_event_id text not null,
  content_type text not null,
  headers bytea not null,                 -- `name: value\r\n` each, without credentials
  forward_headers bytea not null,         -- those that go to endpoints, in the same form
  body bytea not null,
  erased_at timestamptz,
  primary key (tenant_no, id)             -- also serves the lists of a tenant
) partition by range (id);

create table delivery (
  id uuid primary key,                    -- dlv_…; its time is created_at and lies at most a minute after that of its event, also
                                          -- when the delivery is made later (replay): so the deliveries of an event are found by
                                          -- (endpoint_no, id), and leave the database on the same day
  event_id uuid not null,
  tenant_no bigint not null,
  endpoint_no bigint not null,
  fence bigint not null,                  -- of whoever claimed it last; 0: nobody yet
  next_attempt_at timestamptz,            -- pending, retry_wait: when it is due. in_flight: the attempt's deadline, or null when the
                                          -- first attempt rode on the accept commit. Final: null
  updated_at timestamptz not null,
  seed integer not null,                  -- of its jitter: 32 bits
  attempt_count integer not null,         -- attempts over all generations, the running one and interrupted ones included
  generation integer not null,            -- from 1; +1 by retry and replay
  step smallint not null,                 -- failed attempts of this generation
  shard smallint not null,
  state smallint not null,
  reason smallint not null,               -- 0: none
  last_reason smallint not null,          -- of the last attempt; 0: none
  last_status smallint not null,          -- its HTTP status; 0: none
  order_no bigint,                        -- ordered endpoints only: from 1, without gaps
  order_key text
) partition by range (id);
create index delivery_due on delivery (shard, endpoint_no, next_attempt_at) where next_attempt_at is not null;
create index delivery_by_endpoint on delivery (endpoint_no, id);

-- A finished attempt. The one that is running has no row yet: it is number attempt_count of a delivery that is in_flight.
create table attempt (
  delivery_id uuid not null,
  number integer not null,
  started_at timestamptz not null,
  duration_ms integer not null,
  outcome smallint not null,              -- 1 succeeded, 2 failed, 3 interrupted
  reason smallint not null,               -- 0: none
  http_status smallint not null,          -- 0: there was no response
  excerpt bytea,                          -- of the response's body
  primary key (delivery_id, number)
) partition by range (delivery_id);

-- Which events were accepted, one small table a day, so that its unique index stays in memory. Rows go to the day of acceptance.
-- Each partition has the unique index on `key` alone.
create table dedupe (
  key uuid not null,                      -- first 16 bytes of SHA-256 over source, type and provider event id
  event_id uuid not null,
  day date not null
) partition by list (day);

-- accepted = pending + in_flight + retry_wait + succeeded + dead + cancelled, as deltas written by the transactions that change the
-- deliveries. The sum over a tenant's rows is the truth; maintenance folds old rows into one.
create table tenant_counter (
  tenant_no bigint not null,
  accepted bigint not null,
  pending bigint not null,
  in_flight bigint not null,
  retry_wait bigint not null,
  succeeded bigint not null,
  dead bigint not null,
  cancelled bigint not null
) with (autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_insert_threshold = -1);
create index tenant_counter_by_tenant on tenant_counter (tenant_no);

-- ------------------------------------------------------------------------------------------------------------ cluster

create table node (
  name text primary key,
  incarnation uuid not null,              -- of the process; it holds the advisory lock of incarnation_lock(incarnation)
  backend_pid integer not null,           -- of the session that holds it
  address text not null default '',       -- where peers reach it; '': it takes no peers
  state smallint not null,                -- 0 live, 1 draining, 2 gone
  version text not null default '',
  started_at timestamptz not null,
  heartbeat_at timestamptz not null
) with (fillfactor = 20, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0.0);

create table shard_lease (
  shard smallint primary key check (shard between 0 and 63),
  owner uuid,                             -- incarnation; null: nobody
  node_name text not null default '',
  epoch bigint not null default 0,
  fence bigint not null default 0,        -- epoch << 20 | 20 random bits
  expires_at timestamptz not null default '-infinity',
  renewed_at timestamptz not null default '-infinity',
  low_water uuid                          -- no delivery with a lower id has an open first attempt; null: not known
) with (fillfactor = 20, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0.0);
insert into shard_lease (shard) select generate_series(0, 63);

-- Changes of breakers, endpoints and shards, and what operators did to them. Deliveries have their attempts instead.
create table transition (
  id uuid primary key,                    -- UUIDv7
  at timestamptz not null,
  tenant_no bigint,                       -- null: of the cluster
  kind text not null,                     -- breaker, endpoint, shard, operator
  subject_no bigint not null,             -- endpoint_no, shard
  from_state text not null,
  to_state text not null,
  cause text not null,
  node_name text not null default '',
  fence bigint not null default 0
);
create index transition_by_subject on transition (kind, subject_no, id);
create index transition_by_tenant on transition (tenant_no, id);

-- ------------------------------------------------------------------------------------------------------------ around it

-- Webhooks that were not verified and whose source keeps them: never routed; at most 1,000 a source.
create table quarantine (
  id uuid primary key,                    -- evt_…
  tenant_no bigint not null,
  source_no bigint not null,
  reason text not null,
  content_type text not null,
  headers bytea not null,
  body bytea not null
);
create index quarantine_by_source on quarantine (source_no, id);
create index quarantine_by_tenant on quarantine (tenant_no, id);

create table idempotency_key (
  tenant_no bigint not null,              -- 0: an operator's, outside of any tenant
  key text not null,
  request_hash bytea not null,            -- SHA-256 over method, path and body
  status smallint,                        -- null: the first is still running
  response bytea,                         -- without secrets
  created_at timestamptz not null default clock_timestamp(),
  primary key (tenant_no, key)
);
create index idempotency_key_created_at on idempotency_key (created_at);

create table audit_log (
  id uuid primary key,                    -- aud_…
  at timestamptz not null,
  tenant_no bigint,
  actor text not null,
  action text not null,
  target text not null,
  before jsonb,                           -- secrets redacted
  after jsonb,
  address text not null default '',
  previous_hash bytea,                    -- chain, so that a removed or changed row shows
  hash bytea
);
create index audit_log_by_tenant on audit_log (tenant_no, id);

create table alert (
  id uuid primary key,                    -- alr_…
  tenant_no bigint not null,
  endpoint_no bigint,
  kind text not null,
  state smallint not null default 0 check (state between 0 and 2), -- 0 open, 1 acknowledged, 2 closed
  count bigint not null default 1,
  opened_at timestamptz not null,
  acknowledged_at timestamptz,
  escalated_at timestamptz,
  closed_at timestamptz,
  detail text not null default ''
);
create index alert_by_tenant on alert (tenant_no, id);
