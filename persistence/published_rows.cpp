#include "persistence/published_rows.hpp"

#include "persistence/parameters.hpp"
#include "persistence/random_bytes.hpp"

#include <bit>

namespace postrider {
namespace {

// $1 tenant  $2 id  $3 type  $4 provider event id  $5 content type  $6 body  $7 priority
constexpr const char* events_sql = R"sql(
insert into event (id, tenant_no, source_no, priority, type, provider_event_id, content_type, headers, forward_headers, body)
select u.id, $1::bigint, 0, u.priority, u.type, u.provider_event_id, u.content_type, ''::bytea, ''::bytea, u.body
from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::smallint[])
     u (id, type, provider_event_id, content_type, body, priority)
)sql";

// Ids that are there already take no number: they are looked for first, and whoever makes the same deliveries holds the
// same job's row. $1 tenant  $2 shard  $3 id  $4 event  $5 endpoint  $6 due  $7 seed  $8 order key or null  $9 lane
constexpr const char* deliveries_sql = R"sql(
with v as materialized (
  select u.* from unnest($3::uuid[], $4::uuid[], $5::bigint[], $6::timestamptz[], $7::integer[], $8::text[], $9::smallint[])
                  with ordinality u (id, event_id, endpoint_no, due, seed, order_key, lane, arrival)
  where not exists (select from delivery o where o.id = u.id)
), n as (
  insert into order_counter (endpoint_no, tenant_no, last_no)
  select endpoint_no, $1::bigint, count(*) from v where order_key is not null group by endpoint_no order by endpoint_no
  on conflict (endpoint_no) do update set last_no = order_counter.last_no + excluded.last_no
  returning endpoint_no, last_no
), x as (
  insert into delivery (id, event_id, tenant_no, endpoint_no, fence, next_attempt_at, updated_at, seed, attempt_count, generation, step,
                        shard, state, reason, last_reason, last_status, lane, order_no, order_key)
  select u.id, u.event_id, $1::bigint, u.endpoint_no, 0, u.due, now(), u.seed, 0, 1, 0, $2::smallint, 0, 0, 0, 0, u.lane,
         (select last_no from n where n.endpoint_no = u.endpoint_no and u.order_key is not null) + 1 - u.from_last, u.order_key
  from (select v.*, row_number() over (partition by endpoint_no, order_key is null order by arrival desc) as from_last from v) u
  order by u.id
  returning tenant_no
), c as (
  insert into tenant_counter (tenant_no, accepted, pending, in_flight, retry_wait, succeeded, dead, cancelled)
  select tenant_no, count(*), count(*), 0, 0, 0, 0, 0 from x group by tenant_no
)
select count(*) from x
)sql";

/// Maps numbers to well mixed ones, one to one (splitmix64).
std::uint64_t mixed(std::uint64_t value) noexcept {
  value += 0x9e3779b97f4a7c15ULL;
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31U);
}

} // namespace

void insert_events(pqxx::transaction_base& transaction, tenant_no tenant, const std::vector<made_event>& events) {
  binary_array ids{array_type::uuid, events.size(), 16};
  binary_array types{array_type::text}, provider_ids{array_type::text}, content_types{array_type::text},
    bodies{array_type::bytea}, priorities{array_type::int2};
  for (const auto& each : events) {
    ids.add(each.id.value);
    types.add(std::string_view{each.type});
    provider_ids.add(std::string_view{each.provider_event_id});
    content_types.add(std::string_view{each.content_type});
    bodies.add(std::string_view{each.body});
    priorities.add(each.priority ? std::optional{static_cast<std::int16_t>(*each.priority)} : std::nullopt);
  }
  transaction.exec_params0(events_sql, tenant, parameter(ids), parameter(types), parameter(provider_ids),
                           parameter(content_types), parameter(bodies), parameter(priorities));
}

std::int64_t insert_deliveries(pqxx::transaction_base& transaction, tenant_no tenant, shard_no shard,
                               const std::vector<made_delivery>& deliveries) {
  binary_array ids{array_type::uuid, deliveries.size(), 16}, events{array_type::uuid, deliveries.size(), 16};
  binary_array endpoints{array_type::int8}, dues{array_type::timestamptz}, seeds{array_type::int4},
    order_keys{array_type::text}, lanes{array_type::int2};
  for (const auto& each : deliveries) {
    ids.add(each.id.value);
    events.add(each.event.value);
    endpoints.add(each.endpoint);
    dues.add(each.due);
    seeds.add(std::bit_cast<std::int32_t>(random_bytes<4>()));
    lanes.add(static_cast<std::int16_t>(each.order_key ? delivery_lane::in_order : each.lane));
    if (each.order_key)
      order_keys.add(std::string_view{*each.order_key});
    else
      order_keys.add_null();
  }
  return transaction
    .exec_params1(deliveries_sql, tenant, static_cast<int>(shard), parameter(ids), parameter(events),
                  parameter(endpoints), parameter(dues), parameter(seeds), parameter(order_keys), parameter(lanes))[0]
    .as<std::int64_t>();
}

delivery_id later_delivery_id(const event_id& event, endpoint_no endpoint) noexcept {
  // The event's own chance, moved by a number of the endpoint's: as unlikely to meet another id as the event's is.
  auto mask = mixed(static_cast<std::uint64_t>(endpoint));
  delivery_id out{event.value};
  for (std::size_t i = 16; i-- > 9; mask >>= 8U)
    out.value.bytes[i] = static_cast<std::uint8_t>(out.value.bytes[i] ^ (mask & 0xffU));
  return out;
}

} // namespace postrider
