-- Small functions that several parts share. All idempotent where they change anything.

-- The least UUIDv7 of that millisecond: the bound between two partitions or pages (core/ids.hpp, least_uuid_v7).
create function least_uuid_v7(at timestamptz) returns uuid language sql immutable strict parallel safe as $$
  select (lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid
$$;

-- Says that something of the tenant's configuration changes in this transaction. Called before any other change of it.
create function touch_tenant(changed bigint) returns void language sql as $$
  update tenant set config_version = config_version + 1, updated_at = clock_timestamp() where no = changed
$$;

-- The key of the session-level advisory lock that a living process holds.
create function incarnation_lock(incarnation uuid) returns bigint language sql immutable strict parallel safe as $$
  select ('x' || right(replace(incarnation::text, '-', ''), 16))::bit(64)::bigint
$$;

-- Creates the partitions of one day that do not exist yet; says how many it created. They are attached, not created in place: that
-- blocks neither readers nor writers. The caller holds the advisory lock of ensure_partitions().
create function create_partitions_of(day date) returns integer language plpgsql as $$
declare
  suffix constant text := to_char(day, 'YYYYMMDD');
  low constant uuid := least_uuid_v7(day::timestamp at time zone 'UTC');
  high constant uuid := least_uuid_v7((day + 1)::timestamp at time zone 'UTC');
  created integer := 0;
  parent text;
  options text;
begin
  for parent, options in values
    -- Room in each page for the next version of its rows, so that updates are HOT; dead entries of delivery_due go early.
    ('delivery', 'fillfactor = 45, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 10000,'
                 ' autovacuum_vacuum_insert_threshold = -1, autovacuum_analyze_scale_factor = 0.5'),
    -- Only ever inserted into. Bodies up to some 4 KB stay in their row, uncompressed.
    ('event', 'toast_tuple_target = 4080, autovacuum_vacuum_insert_threshold = -1, autovacuum_analyze_scale_factor = 0.5'),
    ('attempt', 'autovacuum_vacuum_insert_threshold = -1, autovacuum_analyze_scale_factor = 0.5')
  loop
    if to_regclass(parent || '_' || suffix) is null then
      execute format('create table %I (like %I including defaults including storage including compression) with (%s)',
                     parent || '_' || suffix, parent, options);
      execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, parent || '_' || suffix, low, high);
      created := created + 1;
    end if;
  end loop;
  if to_regclass('dedupe_' || suffix) is null then
    execute format('create table %I (like dedupe, primary key (key))'
                   ' with (autovacuum_vacuum_insert_threshold = -1, autovacuum_analyze_scale_factor = 0.5)', 'dedupe_' || suffix);
    execute format('alter table dedupe attach partition %I for values in (%L)', 'dedupe_' || suffix, day);
    created := created + 1;
  end if;
  return created;
end
$$;

-- Partitions of all days from `first` to `last`. Any number of nodes may call it at once.
create function ensure_partitions(first date, last date) returns integer language plpgsql as $$
declare
  created integer := 0;
begin
  perform pg_advisory_xact_lock(hashtextextended('postrider partitions', 0));
  for offset_days in 0 .. last - first loop
    created := created + create_partitions_of(first + offset_days);
  end loop;
  return created;
end
$$;

-- Yesterday to three days ahead.
create function ensure_partitions_ahead() returns integer language sql as $$
  select ensure_partitions((clock_timestamp() at time zone 'UTC')::date - 1, (clock_timestamp() at time zone 'UTC')::date + 3)
$$;

do $$
begin
  -- lz4 costs a tenth of pglz; a PostgreSQL built without it keeps pglz.
  alter table event alter column body set compression lz4;
exception when feature_not_supported then
  null;
end
$$;

select ensure_partitions_ahead();
