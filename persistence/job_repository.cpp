#include "persistence/job_repository.hpp"

#include "persistence/job_batch.hpp"
#include "persistence/parameters.hpp"

#include <algorithm>

namespace postrider {
namespace {

constexpr const char* count_sql = "select count(*) from job where tenant_no = $1 and state = 'running'";
constexpr const char* endpoint_sql =
  "select no from endpoint where tenant_no = $1 and id = $2::uuid and deleted_at is null";
constexpr const char* insert_sql =
  "insert into job (id, tenant_no, kind, endpoint_no, states, event_types, first_id, end_id)"
  " values ($1::uuid, $2, $3, nullif($4::bigint, 0), $5::smallint[], $6::text[], $7::uuid, $8::uuid)";
constexpr const char* get_sql =
  "select id, kind, state, stage, done, total, error, (extract(epoch from created_at) * 1000000)::bigint as created_at,"
  " (extract(epoch from updated_at) * 1000000)::bigint as updated_at from job where tenant_no = $1 and id = $2::uuid";

endpoint_no find_endpoint(pqxx::transaction_base& transaction, const entered_tenant& tenant, const endpoint_id& id) {
  const auto rows = transaction.exec_params(endpoint_sql, tenant.no, parameter(id.value));
  if (rows.empty())
    refuse_unknown("endpoint");
  return rows[0][0].as<endpoint_no>();
}

job_state state_of(std::string_view word) {
  return word == "running" ? job_state::running : word == "done" ? job_state::done : job_state::failed;
}

} // namespace

job_record start_job(pqxx::transaction_base& transaction, const entered_tenant& tenant, const new_job& job) {
  const auto endpoint = job.endpoint ? find_endpoint(transaction, tenant, *job.endpoint) : endpoint_no{0};
  if (transaction.exec_params1(count_sql, tenant.no)[0].as<std::int64_t>() >= running_jobs_max)
    refuse({409, "too-many-jobs", "too many jobs of this tenant are running"});
  binary_array states{array_type::int2, job.states.size(), 2};
  for (const auto each : job.states)
    states.add(static_cast<std::int16_t>(each));
  binary_array types{array_type::text};
  for (const auto& each : job.event_types)
    types.add(std::string_view{each});
  const job_id id{new_uuid(tenant.now)};
  const auto first = job.since ? least_uuid_v7(*job.since) : uuid{};
  const auto now = tenant.now + milliseconds{1}; // what was committed in this millisecond belongs to it
  const auto end = least_uuid_v7(job.until ? std::min(*job.until, now) : now);
  transaction.exec_params0(insert_sql, parameter(id.value), tenant.no, std::string{to_string(job.kind)}, endpoint,
                           parameter(states), parameter(types), parameter(first), parameter(end));
  audit(transaction, tenant.no, tenant.now, "job." + std::string{to_string(job.kind)}, to_string(id));
  return get_job(transaction, tenant, id);
}

job_record get_job(pqxx::transaction_base& transaction, const entered_tenant& tenant, const job_id& id) {
  const auto rows = transaction.exec_params(get_sql, tenant.no, parameter(id.value));
  if (rows.empty())
    refuse_unknown("job");
  const auto& row = rows[0];
  job_record out;
  out.id = {read_uuid(row["id"])};
  out.kind = parse_job_kind(row["kind"].c_str()).value();
  out.state = state_of(row["state"].c_str());
  out.done = row["done"].as<std::int64_t>();
  if (is_counted(static_cast<job_stage>(row["stage"].as<int>())))
    out.total = row["total"].as<std::int64_t>();
  out.error = row["error"].as<std::string>();
  out.created_at = read_time(row["created_at"]);
  out.updated_at = read_time(row["updated_at"]);
  return out;
}

} // namespace postrider
