#include "persistence/stats_repository.hpp"

#include "persistence/parameters.hpp"

namespace postrider {
namespace {

constexpr const char* counters_sql =
  "select coalesce(sum(pending), 0), coalesce(sum(in_flight), 0), coalesce(sum(retry_wait), 0),"
  " coalesce(sum(succeeded), 0), coalesce(sum(dead), 0), coalesce(sum(cancelled), 0)"
  " from tenant_counter where tenant_no = $1";
// By the index (endpoint_no, id) of each endpoint, the deleted ones too.
constexpr const char* count_sql = "select d.state, count(*) from endpoint e cross join lateral"
                                  " (select state from delivery where endpoint_no = e.no and id >= $2::uuid offset 0) d"
                                  " where e.tenant_no = $1 group by d.state";
// From the event's time, which is that of the delivery's id, to the last change of the row.
constexpr const char* latency_sql = "select percentile_disc(array[0.5, 0.99]) within group (order by took) from ("
                                    " select greatest(0, (extract(epoch from d.updated_at) * 1000)::bigint"
                                    "   - ('x' || left(replace(d.id::text, '-', ''), 12))::bit(48)::bigint) as took"
                                    " from endpoint e cross join lateral (select id, state, updated_at from delivery"
                                    "   where endpoint_no = e.no and id >= $2::uuid order by id desc limit 10000) d"
                                    " where e.tenant_no = $1 and d.state = 3) t";

} // namespace

tenant_stats get_stats(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                       std::optional<wall_time> since) {
  tenant_stats out;
  const auto from = since ? least_uuid_v7(*since) : uuid{};
  if (since) {
    for (const auto& row : transaction.exec_params(count_sql, tenant.no, parameter(from)))
      out.by_state.at(row[0].as<std::size_t>()) = row[1].as<std::int64_t>();
  } else {
    const auto row = transaction.exec_params1(counters_sql, tenant.no);
    for (std::size_t i = 0; i < out.by_state.size(); ++i)
      out.by_state[i] = row[static_cast<pqxx::row::size_type>(i)].as<std::int64_t>();
  }
  const auto row = transaction.exec_params1(latency_sql, tenant.no, parameter(from));
  if (row[0].is_null())
    return out;
  auto parser = row[0].as_array();
  using enum pqxx::array_parser::juncture;
  for (auto [kind, text] = parser.get_next(); kind != done; std::tie(kind, text) = parser.get_next())
    if (kind == string_value)
      (out.latency_p50_ms ? out.latency_p99_ms : out.latency_p50_ms) = std::stoll(text);
  return out;
}

} // namespace postrider
