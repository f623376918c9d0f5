#pragma once

#include "actors/ingest.hpp"
#include "actors/inspection.hpp"
#include "core/metrics.hpp"
#include "core/secret_box.hpp"
#include "net/api_auth.hpp"
#include "net/api_router.hpp"
#include "net/api_routes.hpp"
#include "net/ingest_routes.hpp"
#include "persistence/management_store.hpp"

#include <memory>
#include <string>

namespace postrider {

/// What both listeners of a node serve (api.md, "Listeners"), over one management store.
class node_routes {
public:
  /// The parts of the node that routes reach; they outlive the routes.
  struct reach {
    ingest_gate& gate;
    std::shared_ptr<ingest_admission> admission;
    inspection& actors;
    const readiness& ready;
    std::shared_ptr<metrics> counts;
    std::string name; ///< of the node
  };
  node_routes(const management_store_options& store, const api_options& api, const reach& node);
  /// LISTENER must not call it any more.
  ~node_routes();
  node_routes(const node_routes&) = delete;
  node_routes& operator=(const node_routes&) = delete;

  http_handler& public_listener() noexcept { return public_; }
  http_handler& operator_listener() noexcept { return operator_; }

private:
  postgres_management_store store_;
  api_auth auth_;
  api_worker worker_;
  ingest_routes ingest_;
  api_router public_api_;
  prefix_routes public_;
  api_router operator_;
};

} // namespace postrider
