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
    return endpoint_runtime{row[0].as<std::int64_t>(),  endpoint,          static_cast<breaker_state>(row[1].as<int>()),
                            row[2].as<std::uint32_t>(), read_time(row[3]), read_optional_time(row[4])};
  });
}

session_result<void> write_runtime(session& on, const runtime_write& write) {
  const auto& now = write.now;
  const auto probe = now.next_probe_at ? std::optional{parameter(*now.next_probe_at)} : std::nullopt;
  return on.call([&](pqxx::connection_base& connection) {
    pqxx::nontransaction{connection}.exec_prepared(
      "save_runtime", now.endpoint, now.tenant, static_cast<int>(now.state), now.opened_in_a_row, parameter(now.since),
      probe ? probe->c_str() : nullptr, write.shard, write.under, std::string{to_string(now.state)}, write.cause,
      write.node, to_string(write.transition));
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
