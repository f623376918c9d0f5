#include "persistence/accept_batch.hpp"

#include "core/failpoint.hpp"
#include "persistence/accept_sql.hpp"
#include "persistence/binary_array.hpp"
#include "persistence/parameters.hpp"

#include <pqxx/pqxx>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <map>
#include <unordered_map>

namespace postrider {

namespace {

constexpr std::string_view unique_violation = "23505";

binary_array tenants_of(std::span<const queued_accept> items) {
  std::vector<tenant_no> tenants;
  tenants.reserve(items.size());
  for (const auto& each : items)
    tenants.push_back(each.item->what->tenant);
  std::sort(tenants.begin(), tenants.end());
  tenants.erase(std::unique(tenants.begin(), tenants.end()), tenants.end());
  binary_array out{array_type::int8, tenants.size()};
  for (const auto each : tenants)
    out.add(each);
  return out;
}

/// The arrays of one accept statement.
struct accept_parameters {
  explicit accept_parameters(std::span<const queued_accept> items)
      : keys{array_type::uuid, items.size(), 16}
      , ids{array_type::uuid, items.size(), 16}
      , tenants{array_type::int8, items.size()}
      , versions{array_type::int8, items.size()}
      , sources{array_type::int8, items.size()}
      , types{array_type::text, items.size(), 24}
      , provider_ids{array_type::text, items.size(), 40}
      , content_types{array_type::text, items.size(), 20}
      , headers{array_type::bytea, items.size(), 512}
      , forward_headers{array_type::bytea, items.size(), 128}
      , bodies{array_type::bytea, items.size(), average_body(items)}
      , distinct_tenants{tenants_of(items)} {
    std::vector<const queued_accept*> sorted;
    sorted.reserve(items.size());
    for (const auto& each : items)
      sorted.push_back(&each);
    std::int32_t arrival = 0;
    for (const auto& each : items)
      arrivals_of.emplace(each.item.get(), arrival++);
    // Rows in the order of their ids go to the right edge of each index. The keys are sorted by the statement.
    std::sort(sorted.begin(), sorted.end(), [](const queued_accept* left, const queued_accept* right) {
      return left->item->what->id < right->item->what->id;
    });
    for (const auto* each : sorted)
      add(*each->item);
  }

  static std::size_t average_body(std::span<const queued_accept> items) {
    std::size_t sum = 0;
    for (const auto& each : items)
      sum += each.item->what->body.size();
    return sum / std::max<std::size_t>(1, items.size()) + 1;
  }

  void add(const accept_item& item) {
    const auto& what = *item.what;
    keys.add(item.dedupe_key);
    ids.add(what.id.value);
    tenants.add(what.tenant);
    versions.add(item.config_version);
    sources.add(what.source);
    types.add(std::string_view{what.type});
    provider_ids.add(std::string_view{what.provider_event_id});
    content_types.add(std::string_view{what.content_type});
    headers.add(std::string_view{what.headers});
    forward_headers.add(std::string_view{what.forward_headers});
    bodies.add(std::string_view{what.body});
    for (const auto& each : item.deliveries) {
      delivery_ids.add(each.id.value);
      delivery_events.add(what.id.value);
      delivery_tenants.add(what.tenant);
      endpoints.add(each.endpoint);
      shards.add(item.shard);
      seeds.add(std::bit_cast<std::int32_t>(each.seed));
      fences.add(each.ride ? each.under : fence{0});
      lanes.add(static_cast<std::int16_t>(each.order_key ? delivery_lane::in_order : each.lane));
      if (each.order_key)
        order_keys.add(std::string_view{*each.order_key});
      else
        order_keys.add_null();
      ordered = ordered || each.order_key;
      arrivals.add(arrivals_of.at(&item));
    }
  }

  binary_array keys, ids, tenants, versions, sources, types, provider_ids, content_types, headers, forward_headers,
    bodies;
  binary_array delivery_ids{array_type::uuid}, delivery_events{array_type::uuid}, delivery_tenants{array_type::int8},
    endpoints{array_type::int8}, shards{array_type::int2}, seeds{array_type::int4}, fences{array_type::int8},
    lanes{array_type::int2};
  binary_array order_keys{array_type::text, 1, 24}, arrivals{array_type::int4};
  binary_array distinct_tenants;
  std::unordered_map<const accept_item*, std::int32_t> arrivals_of;
  bool ordered = false;
};

/// One event twice in a batch: its provider sent it in parallel.
bool has_equal_keys(std::span<const queued_accept> items) {
  std::vector<uuid> keys;
  keys.reserve(items.size());
  for (const auto& each : items)
    keys.push_back(each.item->dedupe_key);
  std::sort(keys.begin(), keys.end());
  return std::adjacent_find(keys.begin(), keys.end()) != keys.end();
}

session_result<accept_counts> run_accept(session& on, const char* statement, const accept_parameters& p) {
  return on.call([&](pqxx::connection_base& connection) {
    pqxx::nontransaction transaction{connection};
    if (p.ids.size() > 0)
      POSTRIDER_FAILPOINT_CUT("accept.unheard", ::shutdown(on.descriptor(), SHUT_RD));
    const auto run = [&](const auto&... more) {
      return transaction.exec_prepared1(
        statement, parameter(p.keys), parameter(p.ids), parameter(p.tenants), parameter(p.versions),
        parameter(p.sources), parameter(p.types), parameter(p.provider_ids), parameter(p.content_types),
        parameter(p.headers), parameter(p.forward_headers), parameter(p.bodies), parameter(p.delivery_ids),
        parameter(p.delivery_events), parameter(p.delivery_tenants), parameter(p.endpoints), parameter(p.shards),
        parameter(p.seeds), parameter(p.fences), parameter(p.distinct_tenants), parameter(p.lanes), parameter(more)...);
    };
    const auto row = p.ordered ? run(p.order_keys, p.arrivals) : run();
    return accept_counts{row[0].as<std::size_t>(), row[1].as<std::size_t>()};
  });
}

std::map<tenant_no, std::int64_t> read_versions(const pqxx::result& rows) {
  std::map<tenant_no, std::int64_t> out;
  for (const auto& row : rows)
    out.emplace(row[0].as<std::int64_t>(), row[1].as<std::int64_t>());
  return out;
}

} // namespace

std::vector<prepared_sql> accept_statements() {
  return {{"accept", accept_sql},
          {"accept_contended", accept_contended_sql},
          {"accept_midnight", accept_midnight_sql},
          {"accept_in_order", accept_in_order_sql},
          {"accept_in_order_midnight", accept_in_order_midnight_sql},
          {"find_first", find_first_sql},
          {"find_versions", find_versions_sql},
          {"find_rides", find_rides_sql}};
}

session_result<accept_counts> write_accepts(session& on, std::span<const queued_accept> items, bool midnight) {
  const accept_parameters p{items};
  if (p.ordered)
    return run_accept(on, midnight ? "accept_in_order_midnight" : "accept_in_order", p);
  if (midnight)
    return run_accept(on, "accept_midnight", p);
  if (has_equal_keys(items))
    return run_accept(on, "accept_contended", p);
  auto counts = run_accept(on, "accept", p);
  if (!counts && counts.error().sqlstate == unique_violation)
    return run_accept(on, "accept_contended", p);
  return counts;
}

session_result<accept_findings> find_accepts(session& on, std::span<const queued_accept> items) {
  binary_array keys{array_type::uuid, items.size(), 16};
  binary_array tenants{array_type::int8, items.size()};
  for (const auto& each : items) {
    keys.add(each.item->dedupe_key);
    tenants.add(each.item->what->tenant);
  }
  const auto distinct = tenants_of(items);
  return on.call([&](pqxx::connection_base& connection) {
    accept_findings out;
    out.events.resize(items.size());
    pqxx::nontransaction transaction{connection};
    for (const auto& row : transaction.exec_prepared("find_first", parameter(keys), parameter(tenants)))
      out.events.at(row[0].as<std::size_t>()).push_back({read_uuid(row[1])});
    const auto versions = read_versions(transaction.exec_prepared("find_versions", parameter(distinct)));
    out.first_minute_of_day = versions.at(0) != 0;
    for (const auto& each : items) {
      const auto found = versions.find(each.item->what->tenant);
      out.version_current.push_back(found != versions.end() && found->second == each.item->config_version);
    }
    return out;
  });
}

session_result<void> read_rides(session& on, std::span<queued_accept> items) {
  std::vector<planned_delivery*> asked;
  binary_array ids{array_type::uuid};
  binary_array fences{array_type::int8};
  for (auto& each : items)
    for (auto& delivery : each.item->deliveries)
      if (delivery.ride) {
        ids.add(delivery.id.value);
        fences.add(delivery.under);
        asked.push_back(&delivery);
      }
  if (asked.empty())
    return {};
  const auto rode = on.call([&](pqxx::connection_base& connection) {
    std::vector<std::size_t> out;
    for (const auto& row :
         pqxx::nontransaction{connection}.exec_prepared("find_rides", parameter(ids), parameter(fences)))
      out.push_back(row[0].as<std::size_t>());
    return out;
  });
  if (!rode)
    return rode.error();
  for (auto* each : asked)
    each->ride = false;
  for (const auto index : *rode)
    asked.at(index)->ride = true;
  return {};
}

} // namespace postrider
