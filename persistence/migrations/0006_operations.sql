-- What people ask of deliveries and endpoints: cancelling, resetting a breaker, erasing, and jobs over many deliveries.

-- A person's wish to cancel a delivery whose attempt is running: that attempt decides. 0: nobody asked; else the number of the
-- reason (cancelled_by_user, erased) with which the row becomes `cancelled` where it would go on living otherwise. Every statement
-- that ends an attempt looks at it. Not indexed: updates stay HOT.
alter table delivery add column cancel_asked smallint not null default 0;

-- How often an operator has reset the breaker; part of the configuration, so that the owner of the endpoint hears of it.
alter table endpoint add column breaker_resets integer not null default 0;

-- Work over many deliveries of one tenant, a batch per transaction, by whichever node locks the row first. The cursor is committed
-- with the batch's own changes: after a crash any node goes on from there, and nothing is done twice.
create table job (
  id uuid primary key,                    -- job_…
  tenant_no bigint not null,
  kind text not null check (kind in ('retry', 'cancel', 'replay', 'replay_missing')),
  endpoint_no bigint,                     -- null: all of the tenant's
  states smallint[] not null,             -- of deliveries
  event_types text[] not null default '{}', -- patterns; empty: all
  first_id uuid not null,                 -- deliveries, and events, from that id …
  end_id uuid not null,                   -- … and below this one: what is newer than the job is none of its business
  state text not null default 'running' check (state in ('running', 'done', 'failed')),
  stage smallint not null default 0,      -- persistence/job_batch.hpp
  endpoint_cursor bigint not null default 0, -- number of the endpoint that is gone through; 0: none yet
  id_cursor uuid not null default '00000000-0000-0000-0000-000000000000', -- the last of it that was looked at
  total bigint not null default 0,        -- as far as it is counted
  done bigint not null default 0,         -- deliveries that were changed or made
  failures integer not null default 0,    -- batches in a row
  error text not null default '',         -- for people
  next_batch_at timestamptz not null default '-infinity',
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0.0);
create index job_running on job (next_batch_at) where state = 'running';
create index job_by_tenant on job (tenant_no, id);

grant select, insert on job to postrider_api;
alter table job enable row level security;
create policy tenant_only on job to postrider_api using (tenant_no = current_tenant_no()) with check (tenant_no = current_tenant_no());

-- Publishing goes through the management API: it writes the keys of what it accepts. They are hashes that begin with the tenant.
grant select, insert on dedupe to postrider_api;
