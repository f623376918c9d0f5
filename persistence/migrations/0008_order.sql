-- Deliveries in order (docs/decisions/0014): found by key, in the order of the key's bytes, and by number.
alter table delivery alter column order_key type text collate "C";
update endpoint set ordering_key = null where ordering <> 2;
-- They are all in a lane of their own, 5 in_order, also those that failed or were replayed: no claim of what is parallel walks over them.
-- Of live ones alone: a row leaves it with its due time. Neither is ever null where the other is not.
create index delivery_in_order on delivery (endpoint_no, order_key, order_no) where order_no is not null and next_attempt_at is not null;
