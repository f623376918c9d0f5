-- The attempt that succeeded stays in its delivery's own row, which the outcome's statement writes anyway: `attempt` then has the others
-- only. In the row: number attempt_count, outcome 1, reason 0, status last_status. It moves to `attempt` when a person makes the
-- delivery live again, so no live row has one. A long excerpt would not leave room for an update in the row's page: such an
-- attempt goes to `attempt` at once.
alter table delivery
  add column success_started_at timestamptz,  -- null: the row keeps no attempt
  add column success_duration_ms integer,
  add column success_excerpt bytea;

-- All finished attempts. Whoever reads attempts reads them here. It shows to a tenant what its two tables show to it.
create view delivery_attempt with (security_invoker = true) as
select delivery_id, number, started_at, duration_ms, outcome, reason, http_status, excerpt from attempt
union all
select id, attempt_count, success_started_at, success_duration_ms, 1::smallint, 0::smallint, last_status, success_excerpt
from delivery where success_started_at is not null;
grant select on delivery_attempt to postrider_api;
grant insert on attempt to postrider_api;
