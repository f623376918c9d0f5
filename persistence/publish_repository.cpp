#include "persistence/publish_repository.hpp"

#include "core/signature.hpp"
#include "persistence/endpoint_columns.hpp"
#include "persistence/parameters.hpp"
#include "persistence/published_rows.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace postrider {
namespace {

// Nobody changes its configuration until we commit; others may publish at the same time.
constexpr const char* lock_sql = "select shard, enabled from tenant where no = $1 for share";
constexpr const char* endpoints_sql =
  "select no, status, event_types, source_nos, ordering, ordering_key, priority from "
  "endpoint where tenant_no = $1 and deleted_at is null"
  " and status < 2 order by no";
constexpr const char* midnight_sql = "select (now() at time zone 'UTC')::time < '00:01'";
// As in persistence/accept_sql.hpp. $1 keys  $2 event ids  $3 days back
constexpr const char* keys_sql = R"sql(
insert into dedupe (key, event_id, day)
select u.key, u.id, (now() at time zone 'UTC')::date - $3::integer
from unnest($1::uuid[], $2::uuid[]) u (key, id)
where not exists (select from dedupe o where o.key = u.key and o.day >= (now() at time zone 'UTC')::date - $3::integer - 7
                                         and o.day < (now() at time zone 'UTC')::date - $3::integer)
order by u.key
on conflict do nothing
returning event_id
)sql";
// Of today alone, for events whose key was new yesterday. $1 keys  $2 event ids
constexpr const char* keys_today_sql =
  "insert into dedupe (key, event_id, day) select u.key, u.id, (now() at time zone 'UTC')::date"
  " from unnest($1::uuid[], $2::uuid[]) u (key, id) order by u.key on conflict do nothing returning event_id";
// $1 keys  $2 tenant
constexpr const char* first_sql =
  "select u.ordinal - 1, o.event_id from unnest($1::uuid[]) with ordinality u (key, ordinal)"
  " join dedupe o on o.key = u.key and o.day >= (now() at time zone 'UTC')::date - 8"
  " where exists (select from event where event.tenant_no = $2 and event.id = o.event_id)";

/// What `matches` and `order_key_for` look at.
std::vector<endpoint_config> read_targets(pqxx::transaction_base& transaction, const entered_tenant& tenant) {
  std::vector<endpoint_config> out;
  for (const auto& row : transaction.exec_params(endpoints_sql, tenant.no)) {
    auto& one = out.emplace_back();
    one.no = row["no"].as<endpoint_no>();
    one.status = static_cast<endpoint_status>(row["status"].as<int>());
    one.event_types = read_texts(row["event_types"]);
    one.sources = read_numbers(row["source_nos"]);
    one.priority = static_cast<delivery_priority>(row["priority"].as<int>());
    read_ordering(row, one);
  }
  return out;
}

/// One id of the request, and the event that it would become.
struct keyed_event {
  uuid key;
  event_id id;
};

struct key_arrays {
  explicit key_arrays(const std::vector<keyed_event>& all) {
    for (const auto& each : all) {
      keys.add(each.key);
      ids.add(each.id.value);
    }
  }
  binary_array keys{array_type::uuid}, ids{array_type::uuid};
};

std::set<event_id> ids_of(const pqxx::result& rows) {
  std::set<event_id> out;
  for (const auto& row : rows)
    out.insert({read_uuid(row[0])});
  return out;
}

/// Those whose key was new.
std::set<event_id> take_keys(pqxx::transaction_base& transaction, std::vector<keyed_event> all) {
  std::sort(all.begin(), all.end(), [](const auto& left, const auto& right) { return left.key < right.key; });
  const bool midnight = transaction.exec1(midnight_sql)[0].as<bool>();
  const key_arrays wanted{all};
  const auto taken =
    ids_of(transaction.exec_params(keys_sql, parameter(wanted.keys), parameter(wanted.ids), midnight ? 1 : 0));
  if (!midnight)
    return taken;
  std::erase_if(all, [&](const keyed_event& each) { return !taken.contains(each.id); });
  const key_arrays left{all};
  return ids_of(transaction.exec_params(keys_today_sql, parameter(left.keys), parameter(left.ids)));
}

/// Who has these keys.
std::map<uuid, event_id> find_first(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                    const std::vector<uuid>& keys) {
  binary_array wanted{array_type::uuid, keys.size(), 16};
  for (const auto& each : keys)
    wanted.add(each);
  std::map<uuid, event_id> out;
  for (const auto& row : transaction.exec_params(first_sql, parameter(wanted), tenant.no))
    out[keys.at(row[0].as<std::size_t>())] = {read_uuid(row[1])};
  return out;
}

/// `deliver_at` and order exclude each other: it would hold up all that comes behind it.
void check_order(const std::vector<new_event>& events, const std::vector<endpoint_config>& targets) {
  problem wrong{422, "validation-failed", "an event with deliver_at matches an ordered endpoint"};
  for (const auto& event : events)
    if (event.deliver_at && std::any_of(targets.begin(), targets.end(), [&](const endpoint_config& each) {
          return each.ordering != delivery_ordering::parallel && matches(each, 0, event.type);
        }))
      wrong.errors.push_back(
        {event.at + "/deliver_at", "endpoint-ordered", "an endpoint that takes events in order matches it"});
  if (!wrong.errors.empty())
    refuse(std::move(wrong));
}

/// The answers in the order of the events: a new id each, or the first's where the key was taken.
std::vector<published_event> settle(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                    const std::vector<new_event>& events) {
  std::vector<published_event> out;
  std::vector<uuid> keys(events.size());
  std::map<uuid, event_id> owners; // of keys; the same may stand in a batch twice
  std::vector<keyed_event> keyed;
  for (std::size_t i = 0; i < events.size(); ++i) {
    out.push_back({{new_uuid(tenant.now, i)}, false});
    if (!events[i].id)
      continue;
    keys[i] = dedupe_key(source_id{tenant.id.value}, {}, *events[i].id);
    if (owners.emplace(keys[i], out[i].id).second)
      keyed.push_back({keys[i], out[i].id});
  }
  const auto fresh = take_keys(transaction, keyed);
  std::vector<uuid> known;
  for (const auto& each : keyed)
    if (!fresh.contains(each.id))
      known.push_back(each.key);
  const auto found = find_first(transaction, tenant, known);
  for (const auto& key : known) {
    const auto first = found.find(key);
    if (first == found.end()) // its event has left the database before its key
      refuse(store_unavailable("the first event of this id cannot be read; try again"));
    owners[key] = first->second;
  }
  for (std::size_t i = 0; i < events.size(); ++i)
    if (events[i].id && owners.at(keys[i]) != out[i].id)
      out[i] = {owners.at(keys[i]), true};
  return out;
}

/// The event's own word counts, else the endpoint's.
delivery_lane lane_of(const new_event& event, const endpoint_config& endpoint) {
  return live_lane(event.priority ? static_cast<delivery_priority>(*event.priority) : endpoint.priority);
}

} // namespace

publication publish(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                    const std::vector<new_event>& events) {
  const auto locked = transaction.exec_params1(lock_sql, tenant.no);
  if (!locked["enabled"].as<bool>())
    refuse({403, "tenant-disabled", "the tenant is disabled"});
  const auto targets = read_targets(transaction, tenant);
  check_order(events, targets);
  publication out{settle(transaction, tenant, events), {}};
  std::vector<made_event> made;
  std::vector<made_delivery> deliveries;
  std::set<endpoint_no> due;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const auto& event = events[i];
    const auto& id = out.events[i].id;
    if (out.events[i].duplicate)
      continue;
    made.push_back(
      {id, event.type, event.id.value_or(to_string(id)), event.content_type, event.payload, event.priority});
    const auto at = std::max(tenant.now, event.deliver_at.value_or(tenant.now));
    order_key_reader keys{{}, event.payload};
    for (const auto& each : targets)
      if (matches(each, 0, event.type)) {
        deliveries.push_back(
          {later_delivery_id(id, each.no), id, each.no, at, lane_of(event, each), order_key_for(each, keys)});
        if (at == tenant.now)
          due.insert(each.no);
      }
  }
  insert_events(transaction, tenant.no, made);
  insert_deliveries(transaction, tenant.no, static_cast<shard_no>(locked["shard"].as<int>()), deliveries);
  out.due.assign(due.begin(), due.end());
  return out;
}

} // namespace postrider
