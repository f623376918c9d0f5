#include "daemon/node_routes.hpp"

#include "net/api_operations.hpp"
#include "net/openapi_routes.hpp"
#include "net/operator_routes.hpp"

#include <iterator>
#include <utility>

namespace postrider {

namespace {

/// What both listeners serve: `/v1/…` and its document.
std::vector<api_route> documented(postgres_management_store& store, const api_options& api) {
  auto routes = api_routes(store, api);
  for (auto more : {operation_routes(store.operations()), openapi_routes()})
    routes.insert(routes.end(), std::move_iterator{more.begin()}, std::move_iterator{more.end()});
  return routes;
}

std::vector<api_route> with_operations(std::vector<api_route> routes, const node_routes::reach& node,
                                       operator_reads& reads) {
  auto more = operator_routes({node.actors, reads, node.ready, *node.counts, node.name});
  routes.insert(routes.end(), std::move_iterator{more.begin()}, std::move_iterator{more.end()});
  return routes;
}

} // namespace

node_routes::node_routes(const management_store_options& store, const api_options& api, const reach& node)
    : store_{store, *node.counts}
    , auth_{store_}
    , ingest_{node.gate, node.admission}
    , public_api_{documented(store_, api), auth_, worker_}
    , public_{{{"/in/", &ingest_}, {"/v1/", &public_api_}, {"/openapi.json", &public_api_}}}
    , operator_{with_operations(documented(store_, api), node, store_.operators()), auth_, worker_} {}

node_routes::~node_routes() {
  worker_.stop();
  store_.stop(); // its callbacks reach into everything below
}

} // namespace postrider
