#include "persistence/event_list.hpp"

#include "persistence/event_rows.hpp"
#include "persistence/paging.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>

namespace postrider {
namespace {

constexpr std::string_view published_source = "api";

// Whatever is called by that name in the list: sources that were deleted keep it there.
constexpr const char* sources_sql = "select no from source where tenant_no = $1 and (id = $2::uuid or name = $3)";
// $2, $3: ids, from and below; $4: rows to look at; $5: a type, or null; $6: sources; $7: whether any
// will do; $8: ids wanted.
constexpr const char* slice_sql =
  "with slice as materialized (select id, type, source_no from event"
  "   where tenant_no = $1 and id >= $2::uuid and id < $3::uuid order by id desc limit $4),"
  " found as (select id from slice where ($5::text is null or type = $5)"
  "   and ($7::boolean or source_no = any($6::bigint[])) order by id desc limit $8)"
  " select id, true as found from found union all (select id, false from slice order by id limit 1)"
  " union all select null, count(*) < $4 from slice";
constexpr const char* events_sql =
  "select " POSTRIDER_EVENT_COLUMNS " from event v left join source s on s.no = v.source_no"
  " where v.tenant_no = $1 and v.id = any($2::uuid[]) order by v.id desc";
// $2, $3: from and below, of each millisecond in which one of the events $4 was received: a descent of the primary key
// each, whatever else there is in between.
constexpr const char* counts_sql =
  "select d.event_id, d.state, count(*) from unnest($2::uuid[], $3::uuid[]) w (low, high) cross join lateral"
  " (select event_id, state from delivery where tenant_no = $1 and id >= w.low and id < w.high"
  "   and event_id = any($4::uuid[]) offset 0) d"
  " group by d.event_id, d.state order by d.event_id, d.state";

mono_time now() {
  return std::chrono::steady_clock::now();
}

/// One search for a page's ids.
struct search {
  uuid low{}, high{}; ///< ids from and below; `high` goes down to the lowest that was looked at
  std::optional<std::string> type{};
  std::optional<std::vector<source_no>> sources{};
  std::vector<uuid> found{};
  bool at_end = false; ///< nothing is left below
};

std::vector<source_no> sources_of(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                  const std::string& name_or_id) {
  std::vector<source_no> out;
  if (name_or_id == published_source)
    out.push_back(0);
  if (!could_be_name(name_or_id))
    return out;
  const auto id = parse_id<source_id>(name_or_id);
  for (const auto& row :
       transaction.exec_params(sources_sql, tenant.no, parameter(id ? id->value : uuid{}), name_or_id))
    out.push_back(row[0].as<source_no>());
  return out;
}

/// Looks at up to `rows` more, and takes up to `wanted` of them.
void search_slice(pqxx::transaction_base& transaction, const entered_tenant& tenant, search& state, std::int64_t rows,
                  std::size_t wanted) {
  binary_array sources{array_type::int8};
  if (state.sources)
    for (const auto no : *state.sources)
      sources.add(no);
  for (const auto& row : transaction.exec_params(slice_sql, tenant.no, parameter(state.low), parameter(state.high),
                                                 rows, state.type ? state.type->c_str() : nullptr, parameter(sources),
                                                 !state.sources, wanted)) {
    if (row["id"].is_null())
      state.at_end = row["found"].as<bool>();
    else if (row["found"].as<bool>())
      state.found.push_back(read_uuid(row["id"]));
    else
      state.high = read_uuid(row["id"]);
  }
  std::sort(state.found.begin(), state.found.end(), std::greater{}); // a union promises no order
}

binary_array ids_of(const std::vector<uuid>& ids) {
  binary_array out{array_type::uuid, ids.size(), 16};
  for (const auto& id : ids)
    out.add(id);
  return out;
}

/// Of the events from `first` to below `end`, which are newest first.
void count_deliveries(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                      std::vector<event_record>& events, std::size_t first, std::size_t end) {
  binary_array ids{array_type::uuid}, lows{array_type::uuid}, highs{array_type::uuid};
  std::optional<uuid> last;
  for (auto i = first; i < end; ++i) {
    ids.add(events[i].id.value);
    const auto [low, high] = delivery_ids_of(events[i].id);
    if (std::exchange(last, low) == low)
      continue; // of the same millisecond as the one before
    lows.add(low);
    highs.add(high);
  }
  for (const auto& row :
       transaction.exec_params(counts_sql, tenant.no, parameter(lows), parameter(highs), parameter(ids))) {
    const auto id = read_uuid(row[0]);
    const auto of = std::find_if(events.begin() + static_cast<std::ptrdiff_t>(first), events.end(),
                                 [&](const event_record& each) { return each.id.value == id; });
    if (of != events.end())
      of->deliveries.emplace_back(static_cast<delivery_state>(row[1].as<int>()), row[2].as<std::int64_t>());
  }
}

} // namespace

page<event_record> list_events(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                               const event_filter& filter, const page_request& request,
                               const event_list_bounds& bounds) {
  const auto began = now();
  search state{.low = filter.since ? least_uuid_v7(*filter.since) : uuid{}, .high = before_of(request)};
  if (filter.until)
    state.high = std::min(state.high, least_uuid_v7(*filter.until));
  state.type = filter.type;
  if (filter.source)
    state.sources = sources_of(transaction, tenant, *filter.source);
  const bool nowhere = state.sources && state.sources->empty();
  const auto wanted = request.limit + 1; // one more tells whether there is a next page
  const auto slice = state.type || state.sources ? bounds.slice : static_cast<std::int64_t>(wanted);
  while (!nowhere && !state.at_end && state.found.size() < wanted) {
    search_slice(transaction, tenant, state, slice, wanted - state.found.size());
    if (now() - began >= bounds.searching)
      break;
  }
  page<event_record> out;
  if (state.found.size() == wanted) {
    state.found.pop_back();
    out.next = state.found.back();
  } else if (!nowhere && !state.at_end) {
    out.next = state.high;
  }
  if (state.found.empty())
    return out;
  for (const auto& row : transaction.exec_params(events_sql, tenant.no, parameter(ids_of(state.found))))
    out.data.push_back(read_event(row));
  for (std::size_t first = 0; first < out.data.size();) {
    const auto end = std::min(first + bounds.run, out.data.size());
    count_deliveries(transaction, tenant, out.data, first, end);
    first = end;
    if (first < out.data.size() && now() - began >= bounds.counting) {
      out.data.resize(first);
      out.next = out.data.back().id.value;
    }
  }
  return out;
}

} // namespace postrider
