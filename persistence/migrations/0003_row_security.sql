-- The management API's transactions run as postrider_api (`set local role`) with `postrider.tenant` set to the tenant_no, so that a
-- forgotten condition shows nothing of another tenant. The engine's connections own the tables and are not restricted. Partitions
-- carry no grant: they are reached through their parents only.

do $$
begin
  if not exists (select from pg_roles where rolname = 'postrider_api') then
    begin
      create role postrider_api nologin;
    exception
      when duplicate_object or unique_violation then
        null; -- another database of this server made it just now
      when insufficient_privilege then
        raise exception 'role "postrider_api" does not exist and "%" may not create roles', current_user
          using hint = format('Let a superuser run: create role postrider_api nologin; grant postrider_api to %I;', current_user);
    end;
  end if;
  if not pg_has_role(current_user, 'postrider_api', 'member') then
    begin
      execute format('grant postrider_api to %I', current_user);
    exception when insufficient_privilege then
      raise exception '"%" is not a member of role "postrider_api" and may not make itself one', current_user
        using hint = format('Let a superuser run: grant postrider_api to %I;', current_user);
    end;
  end if;
  execute format('grant usage on schema %I to postrider_api', current_schema());
end
$$;

create function current_tenant_no() returns bigint language sql stable parallel safe as $$
  select nullif(current_setting('postrider.tenant', true), '')::bigint
$$;

do $$
declare
  secured text;
begin
  foreach secured in array array['source', 'source_secret', 'endpoint', 'endpoint_secret', 'endpoint_runtime', 'order_counter', 'api_key',
                                 'event', 'delivery', 'tenant_counter', 'transition', 'quarantine', 'idempotency_key', 'audit_log',
                                 'alert'] loop
    execute format('grant select, insert, update, delete on %I to postrider_api', secured);
    execute format('alter table %I enable row level security', secured);
    execute format('create policy tenant_only on %I to postrider_api using (tenant_no = current_tenant_no())'
                   ' with check (tenant_no = current_tenant_no())', secured);
  end loop;
end
$$;

grant select, insert, update on tenant to postrider_api;
alter table tenant enable row level security;
create policy tenant_only on tenant to postrider_api using (no = current_tenant_no()) with check (no = current_tenant_no());

-- An attempt is visible where its delivery is.
grant select, update on attempt to postrider_api;
alter table attempt enable row level security;
create policy tenant_only on attempt to postrider_api
  using (exists (select from delivery where delivery.id = attempt.delivery_id))
  with check (exists (select from delivery where delivery.id = attempt.delivery_id));
