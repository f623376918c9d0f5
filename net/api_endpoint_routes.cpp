#include "net/api_create.hpp"
#include "net/api_endpoint_patch.hpp"
#include "net/api_patch.hpp"
#include "net/api_routes.hpp"

namespace postrider {

namespace {

constexpr std::string_view list_name = "endpoints";

/// The endpoint that the path names; nothing: the call was answered.
std::optional<endpoint_id> named_endpoint(const api_call& call) {
  const auto id = parse_id<endpoint_id>(call.parameters[1]);
  if (!id)
    call.fail(not_found("endpoint"));
  return id;
}

void answer_secret(const api_call& call, std::string_view secret) {
  http_response response;
  response.body = "{\"secret\":";
  append_json_string(response.body, secret);
  response.body += '}';
  response.headers.emplace_back("cache-control", "no-store");
  call.answer(std::move(response));
}

} // namespace

std::vector<api_route> endpoint_routes(management_store& store, const api_options& options) {
  const auto create = [&store, options](const api_call_ptr& call) {
    auto request = read_create<new_endpoint>(
      call->body, "endpoints", [&options](json_reader& reader) { return read_endpoint(reader, options); });
    if (!request)
      return call->fail(request.error());
    store.create_endpoints(call->parameters[0], std::move(request->items),
                           [call, batch = request->batch](result<std::vector<endpoint_record>> made) {
                             answer_created(call, made, batch,
                                            [](const endpoint_record& one) { return to_json(one, true); });
                           });
  };
  const auto list = [&store](const api_call_ptr& call) {
    const auto& tenant = call->parameters[0];
    const auto page = read_page(*call, list_name, tenant);
    if (!page)
      return call->fail(page.error());
    store.list_endpoints(tenant, *page, answer_page<endpoint_record>(call, std::string{list_name}, tenant));
  };
  const auto get = [&store](const api_call_ptr& call) {
    if (const auto id = named_endpoint(*call))
      store.get_endpoint(call->parameters[0], *id, answer_object<endpoint_record>(call));
  };
  const auto secret = [&store](const api_call_ptr& call) {
    if (const auto id = named_endpoint(*call))
      store.get_endpoint_secret(call->parameters[0], *id, [call](result<std::string> found) {
        found ? answer_secret(*call, *found) : call->fail(found.error());
      });
  };
  const auto remove = [&store](const api_call_ptr& call) {
    if (const auto id = named_endpoint(*call))
      store.delete_endpoint(call->parameters[0], *id, answer_deleted(call));
  };
  const auto change = [&store, options](const api_call_ptr& call) {
    const auto id = named_endpoint(*call);
    if (!id)
      return;
    auto patch = parse_json_object(call->body);
    if (!patch)
      return call->fail(patch.error());
    store.change_endpoint(call->parameters[0], *id, patch_endpoint(std::move(*patch), options),
                          answer_object<endpoint_record>(call));
  };
  const auto rotate = [&store](const api_call_ptr& call) {
    const auto id = named_endpoint(*call);
    if (!id)
      return;
    const auto rotation = read_one<secret_rotation>(call->body, read_endpoint_rotation);
    if (!rotation)
      return call->fail(rotation.error());
    store.rotate_endpoint_secret(call->parameters[0], *id, *rotation,
                                 [call, secret = rotation->secret](result<bool> done) {
                                   done ? answer_secret(*call, secret) : call->fail(done.error());
                                 });
  };
  return {
    {"POST", "/v1/tenants/{tenant}/endpoints", access::admin, create},
    {"GET", "/v1/tenants/{tenant}/endpoints", access::viewer, list},
    {"GET", "/v1/tenants/{tenant}/endpoints/{endpoint}", access::viewer, get},
    {"GET", "/v1/tenants/{tenant}/endpoints/{endpoint}/secret", access::admin, secret},
    {"PATCH", "/v1/tenants/{tenant}/endpoints/{endpoint}", access::admin, change},
    {"DELETE", "/v1/tenants/{tenant}/endpoints/{endpoint}", access::admin, remove},
    {"POST", "/v1/tenants/{tenant}/endpoints/{endpoint}/rotate-secret", access::admin, rotate},
  };
}

} // namespace postrider
