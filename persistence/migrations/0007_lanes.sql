-- In which of its endpoint's queues a delivery waits (core/delivery_lane.hpp): 0 live_high, 1 live_medium, 2 live_low, 3 retry,
-- 4 replay. A claim takes from each by weight, so each has its own stretch of the index. Only failures and people change it, with the
-- due time: all other updates stay HOT.
alter table delivery add column lane smallint not null default 1;
update delivery set lane = 3 where next_attempt_at is not null and state = 2 and step > 0;

drop index delivery_due;
create index delivery_due on delivery (shard, endpoint_no, lane, next_attempt_at) where next_attempt_at is not null;
