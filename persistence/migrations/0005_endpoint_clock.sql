-- What an endpoint bears, beside its breaker: how many requests at once, until when it asked to be left alone, since when it has done
-- nothing but fail.
alter table endpoint_runtime
  add column send_window double precision,                       -- null: as wide as the endpoint's max_in_flight
  add column send_window_threshold double precision not null default 0,
  add column held_until timestamptz,
  add column failing_since timestamptz;
