-- Pages of the supervision tree go through the tenants in the order of their slugs' bytes, whatever the database's collation.
create index tenant_slug_bytes on tenant (slug collate "C") where deleted_at is null;
