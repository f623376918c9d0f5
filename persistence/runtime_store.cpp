#include "persistence/runtime_store.hpp"

#include "persistence/lookup_sql.hpp"
#include "persistence/parameters.hpp"

#include <pqxx/pqxx>

namespace postrider {

std::vector<prepared_sql> runtime_statements() {
  return {
    {"find_runtime", find_runtime_sql}, {"save_runtime", save_runtime_sql}, {"disable_endpoint", disable_endpoint_sql}};
}

session_result<std::optional<endpoint_runtime>> read_runtime(session& on, endpoint_no endpoint) {
  return on.call([&](pqxx::connection_base& connection) -> std::optional<endpoint_runtime> {
    const auto rows = pqxx::nontransaction{connection}.exec_prepared("find_runtime", endpoint);
    if (rows.empty())
      return std::nullopt;
    const auto row = rows[0];
    endpoint_runtime out{row[0].as<std::int64_t>(),  endpoint,          static_cast<breaker_state>(row[1].as<int>()),
                         row[2].as<std::uint32_t>(), read_time(row[3]), read_optional_time(row[4])};
    if (!row[5].is_null())
      out.clock.window = row[5].as<double>();
    out.clock.threshold = row[6].as<double>();
    out.clock.held_until = read_optional_time(row[7]);
    out.failing_since = read_optional_time(row[8]);
    return out;
  });
}

session_result<void> write_runtime(session& on, const runtime_write& write) {
  const auto& now = write.now;
  const auto time = [](const std::optional<wall_time>& at) {
    return at ? std::optional{parameter(*at)} : std::nullopt;
  };
  const auto probe = time(now.next_probe_at);
  const auto held = time(now.clock.held_until);
  const auto failing = time(now.failing_since);
  const auto window = now.clock.window ? std::optional{pqxx::to_string(*now.clock.window)} : std::nullopt;
  return on.call([&](pqxx::connection_base& connection) {
    pqxx::nontransaction{connection}.exec_prepared(
      "save_runtime", now.endpoint, now.tenant, static_cast<int>(now.state), now.opened_in_a_row, parameter(now.since),
      probe ? probe->c_str() : nullptr, write.shard, write.under, std::string{to_string(now.state)}, write.cause,
      write.node, to_string(write.transition), window ? window->c_str() : nullptr, now.clock.threshold,
      held ? held->c_str() : nullptr, failing ? failing->c_str() : nullptr);
  });
}

session_result<void> write_disabled(session& on, tenant_no tenant, endpoint_no endpoint, const std::string& reason,
                                    const std::string& node, const uuid& transition) {
  return on.call([&](pqxx::connection_base& connection) {
    pqxx::nontransaction{connection}.exec_prepared("disable_endpoint", tenant, endpoint, reason, node,
                                                   to_string(transition));
  });
}

} // namespace postrider
