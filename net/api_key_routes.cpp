#include "net/api_create.hpp"
#include "net/api_routes.hpp"

#include <chrono>

namespace postrider {

namespace {

constexpr std::string_view list_name = "api-keys";
constexpr std::size_t name_size_max = 255;

api_role read_role(json_reader& reader) {
  const auto word = reader.text("role", 63, true);
  if (!word)
    return api_role::tenant_viewer;
  const auto role = parse_api_role(*word);
  if (role && *role != api_role::operator_)
    return *role;
  reader.error("role", "bad-format", "it is one of: tenant_admin, tenant_viewer");
  return api_role::tenant_viewer;
}

std::optional<wall_time> read_expiry(json_reader& reader) {
  const auto text = reader.text("expires_at", 64);
  if (!text)
    return std::nullopt;
  const auto at = parse_rfc3339(*text);
  const auto now = std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
  if (!at)
    reader.error("expires_at", "bad-format", "this is no RFC 3339 time");
  else if (*at <= now) // both in milliseconds: in finer units a far year does not fit
    reader.error("expires_at", "not-in-future", "it must lie in the future");
  return at;
}

result<new_api_key> read_key(const api_call& call) {
  const auto object = parse_json_object(call.body);
  if (!object)
    return object.error();
  std::vector<field_error> errors;
  json_reader reader{*object, "", errors};
  new_api_key out;
  out.tenant = call.parameters[0];
  out.name = reader.text("name", name_size_max, true).value_or("");
  out.role = read_role(reader);
  out.expires_at = read_expiry(reader);
  reader.finish();
  if (!errors.empty())
    return validation_failed(std::move(errors));
  return out;
}

} // namespace

std::vector<api_route> key_routes(management_store& store) {
  const auto create = [&store](const api_call_ptr& call) {
    auto wanted = read_key(*call);
    if (!wanted)
      return call->fail(wanted.error());
    store.create_api_key(std::move(*wanted), [call](const result<created_api_key>& made) {
      if (!made)
        return call->fail(made.error());
      auto object = to_json(made->record);
      object["key"] = json_text(made->key);
      call->answer(201, object, {{"cache-control", "no-store"}});
    });
  };
  const auto list = [&store](const api_call_ptr& call) {
    const auto& tenant = call->parameters[0];
    const auto page = read_page(*call, list_name, tenant);
    if (!page)
      return call->fail(page.error());
    store.list_api_keys(tenant, *page, answer_page<api_key_record>(call, std::string{list_name}, tenant));
  };
  const auto revoke = [&store](const api_call_ptr& call) {
    const auto id = parse_id<key_id>(call->parameters[1]);
    if (!id)
      return call->fail(not_found("key"));
    store.revoke_api_key(call->parameters[0], *id, answer_deleted(call));
  };
  return {
    {"POST", "/v1/tenants/{tenant}/api-keys", access::admin, create},
    {"GET", "/v1/tenants/{tenant}/api-keys", access::viewer, list},
    {"DELETE", "/v1/tenants/{tenant}/api-keys/{key}", access::admin, revoke},
  };
}

} // namespace postrider
