#include "net/api_create.hpp"
#include "net/api_patch.hpp"
#include "net/api_routes.hpp"
#include "net/api_source_fields.hpp"

namespace postrider {

namespace {

constexpr std::string_view list_name = "sources";

} // namespace

std::vector<api_route> source_routes(management_store& store) {
  const auto create = [&store](const api_call_ptr& call) {
    auto request = read_create<new_source>(call->body, "sources", read_source);
    if (!request)
      return call->fail(request.error());
    store.create_sources(call->parameters[0], std::move(request->items),
                         [call, batch = request->batch](result<std::vector<source_record>> made) {
                           answer_created(call, made, batch, [](const source_record& one) { return to_json(one); });
                         });
  };
  const auto list = [&store](const api_call_ptr& call) {
    const auto& tenant = call->parameters[0];
    const auto page = read_page(*call, list_name, tenant);
    if (!page)
      return call->fail(page.error());
    store.list_sources(tenant, *page, answer_page<source_record>(call, std::string{list_name}, tenant));
  };
  const auto get = [&store](const api_call_ptr& call) {
    store.get_source(call->parameters[0], call->parameters[1], answer_object<source_record>(call));
  };
  const auto remove = [&store](const api_call_ptr& call) {
    store.delete_source(call->parameters[0], call->parameters[1], answer_deleted(call));
  };
  const auto change = [&store](const api_call_ptr& call) {
    auto patch = parse_json_object(call->body);
    if (!patch)
      return call->fail(patch.error());
    store.change_source(call->parameters[0], call->parameters[1], patch_source(std::move(*patch)),
                        answer_object<source_record>(call));
  };
  const auto rotate = [&store](const api_call_ptr& call) {
    auto rotation = read_one<secret_rotation>(call->body, read_source_rotation);
    if (!rotation)
      return call->fail(rotation.error());
    store.rotate_source_secret(call->parameters[0], call->parameters[1], std::move(*rotation),
                               answer_object<source_record>(call));
  };
  return {
    {"POST", "/v1/tenants/{tenant}/sources", access::admin, create},
    {"GET", "/v1/tenants/{tenant}/sources", access::viewer, list},
    {"GET", "/v1/tenants/{tenant}/sources/{source}", access::viewer, get},
    {"PATCH", "/v1/tenants/{tenant}/sources/{source}", access::admin, change},
    {"DELETE", "/v1/tenants/{tenant}/sources/{source}", access::admin, remove},
    {"POST", "/v1/tenants/{tenant}/sources/{source}/rotate-secret", access::admin, rotate},
  };
}

} // namespace postrider
