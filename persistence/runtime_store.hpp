#pragma once

#include "actors/store.hpp"
#include "persistence/session.hpp"

#include <optional>
#include <string>
#include <vector>

/// The endpoints' runtime (breaker) and what the engine itself changes of their configuration.
namespace postrider {

std::vector<prepared_sql> runtime_statements();

session_result<std::optional<endpoint_runtime>> read_runtime(session& on, endpoint_no endpoint);

/// What `save_runtime` hands over. `transition` is the id of the row it leaves, so that a repeated write leaves one.
struct runtime_write {
  endpoint_runtime now;
  shard_no shard = 0;
  fence under = 0;
  std::string cause;
  std::string node;
  uuid transition;
};
session_result<void> write_runtime(session& on, const runtime_write& write);

session_result<void> write_disabled(session& on, tenant_no tenant, endpoint_no endpoint, const std::string& reason,
                                    const std::string& node, const uuid& transition);

} // namespace postrider
