#include "persistence/job_batch.hpp"

#include "persistence/endpoint_columns.hpp"
#include "persistence/event_rows.hpp"
#include "persistence/parameters.hpp"
#include "persistence/published_rows.hpp"

#include <algorithm>
#include <map>

namespace postrider {
namespace {

constexpr const char* take_sql =
  "select id, tenant_no, kind, coalesce(endpoint_no, 0) as only_endpoint, states, event_types, first_id, end_id, stage,"
  " endpoint_cursor, id_cursor from job where state = 'running' and next_batch_at <= clock_timestamp()"
  " order by next_batch_at limit 1 for update skip locked";
// Of a tenant's endpoints the next; of a job of one endpoint that one. $3: 0, or the one
constexpr const char* next_endpoint_sql = "select min(no) from endpoint where tenant_no = $1 and no > $2 and "
                                          "($3::bigint = 0 or no = $3) and deleted_at is null";
constexpr const char* deliveries_sql =
  "select d.id, d.state, d.cancel_asked, v.type, (v.id is null or v.erased_at is not null) as gone from"
  " (select id, state, event_id, cancel_asked from delivery where endpoint_no = $1 and tenant_no = $2 and id > $3::uuid"
  "   and id >= $4::uuid and id < $5::uuid order by id limit $6) d"
  " left join event v on v.tenant_no = $2 and v.id = d.event_id order by d.id";
constexpr const char* events_sql =
  "select id, source_no, type, erased_at is not null as gone from event where tenant_no = $1 and id > $2::uuid"
  " and id >= $3::uuid and id < $4::uuid order by id limit $5";
constexpr const char* contents_sql =
  "select id, headers, body from event where tenant_no = $1 and id = any ($2::uuid[])";
// Which of the events $2 have a delivery to the endpoint $1; $3, $4: from and below, of each one's millisecond.
constexpr const char* delivered_sql =
  "select u.event_id from unnest($2::uuid[], $3::uuid[], $4::uuid[]) u (event_id, low, high)"
  " where exists (select from delivery d where d.endpoint_no = $1 and d.id >= u.low and d.id < u.high"
  "   and d.event_id = u.event_id)";
constexpr const char* endpoint_sql = "select e.status, e.event_types, e.source_nos, e.ordering, e.ordering_key, "
                                     "t.shard, t.enabled from endpoint e join tenant t on t.no = e.tenant_no"
                                     " where e.no = $1 and e.deleted_at is null and t.deleted_at is null";
constexpr const char* backlog_sql = "select count(*) from (select from delivery where shard = $1::smallint and "
                                    "endpoint_no = $2 and lane in (4, 5) and next_attempt_at <= now()"
                                    " and state in (0, 2) order by next_attempt_at limit $3) d";
constexpr const char* store_sql =
  "update job set stage = $2::smallint, endpoint_cursor = $3, id_cursor = $4::uuid, total = total + $5, done = done + "
  "$6,"
  " state = $7, next_batch_at = clock_timestamp() + $8 * interval '1 ms', failures = 0, updated_at = clock_timestamp()"
  " where id = $1::uuid";
constexpr const char* failed_sql = "update job set failures = failures + 1, state = case when failures + 1 >= 20 then "
                                   "'failed' else state end, error = $2,"
                                   " next_batch_at = clock_timestamp() + interval '1 s', updated_at = clock_timestamp()"
                                   " where id = $1::uuid and state = 'running'";
constexpr const char* old_sql = "delete from job where id in (select id from job where state <> 'running'"
                                " and updated_at < clock_timestamp() - interval '30 days' limit 1000)";

constexpr milliseconds pause_after_changes{40}; // of one job, on whichever node: 1,250 rows a second
constexpr milliseconds pause_of_backlog{250};

/// What a batch needs to know of the endpoint.
struct job_endpoint {
  endpoint_config config;
  shard_no shard = 0;
  bool sends = false; ///< it, and its tenant, are active
};

std::optional<job_endpoint> read_job_endpoint(pqxx::transaction_base& transaction, endpoint_no no) {
  const auto rows = transaction.exec_params(endpoint_sql, no);
  if (rows.empty())
    return std::nullopt;
  job_endpoint out;
  out.config.no = no;
  out.config.status = static_cast<endpoint_status>(rows[0]["status"].as<int>());
  out.config.event_types = read_texts(rows[0]["event_types"]);
  out.config.sources = read_numbers(rows[0]["source_nos"]);
  read_ordering(rows[0], out.config);
  out.shard = static_cast<shard_no>(rows[0]["shard"].as<int>());
  out.sends = out.config.status == endpoint_status::active && rows[0]["enabled"].as<bool>();
  return out;
}

bool wants_type(const running_job& job, std::string_view type) {
  return job.event_types.empty() ||
         std::any_of(job.event_types.begin(), job.event_types.end(),
                     [&](const std::string& pattern) { return matches_event_type(pattern, type); });
}

bool wants(const running_job& job, const pqxx::row& row) {
  const auto state = static_cast<delivery_state>(row["state"].as<int>());
  if (std::find(job.states.begin(), job.states.end(), state) == job.states.end())
    return false;
  if (job.kind == job_kind::cancel)
    return row["cancel_asked"].as<int>() == 0 && wants_type(job, row["type"].as<std::string>(""));
  return !row["gone"].as<bool>() && wants_type(job, row["type"].as<std::string>(""));
}

/// A page of rows: those that are meant, and where it ends.
struct job_page {
  std::vector<uuid> meant;
  uuid last{};
  bool at_end = false; ///< nothing is behind it
};

job_page read_deliveries(pqxx::transaction_base& transaction, const running_job& job, int limit) {
  const auto rows = transaction.exec_params(deliveries_sql, job.endpoint, job.tenant, parameter(job.cursor),
                                            parameter(job.first), parameter(job.end), limit);
  job_page out;
  out.at_end = static_cast<int>(rows.size()) < limit;
  for (const auto& row : rows) {
    out.last = read_uuid(row["id"]);
    if (wants(job, row))
      out.meant.push_back(out.last);
  }
  return out;
}

/// Events that match the endpoint as it is now, and have no delivery to it.
job_page read_missing(pqxx::transaction_base& transaction, const running_job& job, const job_endpoint& endpoint,
                      int limit) {
  const auto rows = transaction.exec_params(events_sql, job.tenant, parameter(job.cursor), parameter(job.first),
                                            parameter(job.end), limit);
  job_page out;
  out.at_end = static_cast<int>(rows.size()) < limit;
  binary_array ids{array_type::uuid}, lows{array_type::uuid}, highs{array_type::uuid};
  for (const auto& row : rows) {
    out.last = read_uuid(row["id"]);
    const auto type = row["type"].as<std::string>();
    if (row["gone"].as<bool>() || !wants_type(job, type) ||
        !matches(endpoint.config, row["source_no"].as<source_no>(), type))
      continue;
    const auto [low, high] = delivery_ids_of(event_id{out.last});
    out.meant.push_back(out.last);
    ids.add(out.last);
    lows.add(low);
    highs.add(high);
  }
  for (const auto& row :
       transaction.exec_params(delivered_sql, job.endpoint, parameter(ids), parameter(lows), parameter(highs)))
    std::erase(out.meant, read_uuid(row[0]));
  return out;
}

/// Rows that others held are looked at again: the page ends before the first of them.
void go_back_to_left(job_page& page, const std::vector<cancelled_delivery>& done, const uuid& start) {
  auto before = start;
  for (const auto& each : page.meant) {
    const bool found = std::any_of(done.begin(), done.end(), [&](const auto& one) { return one.id.value == each; });
    if (!found) {
      page.last = before;
      page.at_end = false;
      return;
    }
    before = each;
  }
}

/// Those of an ordered endpoint go behind what it has, in the order of the events' ids.
std::vector<made_delivery> missing_deliveries(pqxx::transaction_base& transaction, const running_job& job,
                                              const job_endpoint& endpoint, const job_page& page) {
  std::vector<made_delivery> out;
  std::map<uuid, std::string> keys;
  if (endpoint.config.order_key) {
    binary_array ids{array_type::uuid, page.meant.size(), 16};
    for (const auto& each : page.meant)
      ids.add(each);
    for (const auto& row : transaction.exec_params(contents_sql, job.tenant, parameter(ids))) {
      const auto headers = read_bytes(row["headers"]);
      const auto body = read_bytes(row["body"]);
      keys[read_uuid(row["id"])] = order_key_reader{headers, body}.key_at(*endpoint.config.order_key);
    }
  }
  const auto now =
    from_unix_us(transaction.exec1("select (extract(epoch from now()) * 1000000)::bigint")[0].as<std::int64_t>());
  const bool ordered = endpoint.config.ordering != delivery_ordering::parallel;
  for (const auto& each : page.meant) {
    auto& made = out.emplace_back(made_delivery{
      later_delivery_id(event_id{each}, job.endpoint), event_id{each}, job.endpoint, now, delivery_lane::replay, {}});
    if (ordered)
      made.order_key = keys[each]; // none: the empty one
  }
  return out;
}

job_batch change(pqxx::transaction_base& transaction, const running_job& job, const job_endpoint& endpoint,
                 job_page& page) {
  job_batch out;
  if (job.stage == job_stage::make_deliveries) {
    out.changed =
      insert_deliveries(transaction, job.tenant, endpoint.shard, missing_deliveries(transaction, job, endpoint, page));
  } else if (job.kind == job_kind::cancel) {
    const auto done = cancel_deliveries(transaction, job.tenant, page.meant, job.states,
                                        delivery_reason::cancelled_by_user, locked_rows::skip);
    go_back_to_left(page, done, job.cursor);
    out.changed = static_cast<std::int64_t>(done.size());
    std::copy_if(done.begin(), done.end(), std::back_inserter(out.running),
                 [](const cancelled_delivery& each) { return each.running; });
    return out;
  } else {
    out.changed = revive_deliveries(transaction, job.tenant, page.meant, job.states);
  }
  if (out.changed > 0)
    out.due.push_back(job.endpoint);
  return out;
}

bool is_backlogged(pqxx::transaction_base& transaction, const running_job& job, const job_endpoint& endpoint) {
  if (job.kind == job_kind::cancel || !is_counted(job.stage) || !endpoint.sends)
    return false; // what is not sent crowds out nothing
  return transaction.exec_params1(backlog_sql, static_cast<int>(endpoint.shard), job.endpoint, due_backlog_max)[0]
           .as<int>() >= due_backlog_max;
}

/// After the last endpoint; nothing: the job is done.
std::optional<job_stage> next_stage(const running_job& job) {
  const bool missing = job.kind == job_kind::replay_missing;
  switch (job.stage) {
  case job_stage::count_deliveries:
    return missing ? job_stage::count_events : job_stage::change_deliveries;
  case job_stage::count_events:
    return job_stage::change_deliveries;
  case job_stage::change_deliveries:
    return missing ? std::optional{job_stage::make_deliveries} : std::nullopt;
  case job_stage::make_deliveries:
    break;
  }
  return std::nullopt;
}

/// The next endpoint, or the next stage; false: there is none.
bool go_on(pqxx::transaction_base& transaction, running_job& job) {
  const auto next = transaction.exec_params1(next_endpoint_sql, job.tenant, job.endpoint, job.only)[0];
  job.cursor = {};
  job.endpoint = next.is_null() ? 0 : next.as<endpoint_no>();
  if (job.endpoint != 0)
    return true;
  const auto stage = next_stage(job);
  job.stage = stage.value_or(job.stage);
  return stage.has_value();
}

void store(pqxx::transaction_base& transaction, const running_job& job, std::int64_t counted, std::int64_t changed,
           bool over, milliseconds pause) {
  transaction.exec_params0(store_sql, parameter(job.id), static_cast<int>(job.stage), job.endpoint,
                           parameter(job.cursor), counted, changed, std::string{over ? "done" : "running"},
                           pause.count());
}

} // namespace

std::optional<running_job> take_job(pqxx::transaction_base& transaction) {
  const auto rows = transaction.exec(take_sql);
  if (rows.empty())
    return std::nullopt;
  const auto& row = rows[0];
  running_job out;
  out.id = read_uuid(row["id"]);
  out.tenant = row["tenant_no"].as<tenant_no>();
  out.kind = parse_job_kind(row["kind"].c_str()).value();
  out.only = row["only_endpoint"].as<endpoint_no>();
  for (const auto each : read_numbers(row["states"]))
    out.states.push_back(static_cast<delivery_state>(each));
  out.event_types = read_texts(row["event_types"]);
  out.first = read_uuid(row["first_id"]);
  out.end = read_uuid(row["end_id"]);
  out.stage = static_cast<job_stage>(row["stage"].as<int>());
  out.endpoint = row["endpoint_cursor"].as<endpoint_no>();
  out.cursor = read_uuid(row["id_cursor"]);
  return out;
}

job_batch run_batch(pqxx::transaction_base& transaction, running_job job) {
  const auto endpoint = job.endpoint == 0 ? std::nullopt : read_job_endpoint(transaction, job.endpoint);
  if (!endpoint) { // the first, or it was deleted meanwhile
    const bool more = go_on(transaction, job);
    store(transaction, job, 0, 0, !more, milliseconds{0});
    return {};
  }
  if (is_backlogged(transaction, job, *endpoint)) {
    store(transaction, job, 0, 0, false, pause_of_backlog);
    job_batch out;
    out.waits = true;
    return out;
  }
  const bool counts = !is_counted(job.stage);
  const bool of_events = job.stage == job_stage::count_events || job.stage == job_stage::make_deliveries;
  const auto limit = counts ? count_page : change_page;
  if (!counts)
    guard_erasures(transaction, job.tenant, erasure_guard::others);
  auto page = of_events ? read_missing(transaction, job, *endpoint, limit) : read_deliveries(transaction, job, limit);
  auto out = counts ? job_batch{} : change(transaction, job, *endpoint, page);
  const auto counted = counts ? static_cast<std::int64_t>(page.meant.size()) : 0;
  if (!page.last.is_nil())
    job.cursor = page.last;
  const bool more = !page.at_end || go_on(transaction, job);
  store(transaction, job, counted, out.changed, !more, out.changed > 0 ? pause_after_changes : milliseconds{0});
  return out;
}

void note_failure(pqxx::transaction_base& transaction, const uuid& job, const std::string& detail) {
  transaction.exec_params0(failed_sql, parameter(job), detail);
}

void delete_old_jobs(pqxx::transaction_base& transaction) {
  transaction.exec0(old_sql);
}

} // namespace postrider
