#include "net/api_create.hpp"
#include "net/api_routes.hpp"

#include <boost/json/object.hpp>

#include <algorithm>
#include <array>

namespace postrider {

namespace {

constexpr std::string_view list_name = "tenants";

bool is_slug(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

struct quota_field {
  std::string_view name;
  std::int64_t least, most;
  tenant_patch::quota member;
};
constexpr std::int64_t quota_max = 1'000'000'000'000;
constexpr std::array<quota_field, 6> quota_fields{{
  {"ingest_per_s", 1, quota_max, &tenant_quotas::ingest_per_s},
  {"ingest_bytes_per_s", 1, quota_max, &tenant_quotas::ingest_bytes_per_s},
  {"sources", 0, quota_max, &tenant_quotas::sources},
  {"endpoints", 0, quota_max, &tenant_quotas::endpoints},
  {"backlog", 1, quota_max, &tenant_quotas::backlog},
  {"retention_days", 1, 3'650, &tenant_quotas::retention_days},
}};

/// Whether the object has that field, be it null.
bool has(const boost::json::object& object, std::string_view name) {
  return object.contains({name.data(), name.size()});
}

/// Each quota that is named, with its value; null: the plan's. Null in place of all of them: the plan's for each.
decltype(tenant_patch::quotas) read_quotas(json_reader& reader, bool all_null) {
  decltype(tenant_patch::quotas) out;
  const auto* const object = reader.object("quotas");
  if (object == nullptr) {
    if (all_null)
      for (const auto& field : quota_fields)
        out.emplace_back(field.member, std::nullopt);
    return out;
  }
  json_reader quotas{*object, reader.pointer("quotas"), reader.errors()};
  for (const auto& [name, least, most, member] : quota_fields) {
    const auto value = quotas.integer(name, least, most);
    if (has(*object, name))
      out.emplace_back(member, value);
  }
  quotas.finish();
  return out;
}

/// Empty: none.
std::string read_plan(json_reader& reader, const std::vector<std::string>& plans) {
  auto out = reader.text("plan", 63).value_or("");
  if (!out.empty() && std::find(plans.begin(), plans.end(), out) == plans.end())
    reader.error("plan", "plan-unknown", "there is no such plan");
  return out;
}

new_tenant read_tenant(json_reader& reader, const std::vector<std::string>& plans) {
  new_tenant out;
  if (auto slug = reader.text("slug", 63, true)) {
    if (!is_slug(*slug))
      reader.error("slug", "bad-format", "1 to 63 of a-z, 0-9 and - are allowed");
    out.slug = std::move(*slug);
  }
  out.name = reader.text("name", 255, true).value_or("");
  out.plan = read_plan(reader, plans);
  for (const auto& [quota, value] : read_quotas(reader, false))
    out.quotas.*quota = value;
  return out;
}

/// A merge patch (RFC 7396): null restores the default of what has one.
result<tenant_patch> read_patch(const std::string& body, const std::vector<std::string>& plans) {
  const auto object = parse_json_object(body);
  if (!object)
    return object.error();
  std::vector<field_error> errors;
  json_reader reader{*object, "", errors};
  tenant_patch out;
  if (has(*object, "slug")) {
    reader.take("slug");
    reader.error("slug", "immutable", "a slug stands in the URLs that providers call; it cannot change");
  }
  if (has(*object, "name"))
    out.name = reader.text("name", 255, true);
  if (has(*object, "plan"))
    out.plan = read_plan(reader, plans);
  if (const auto* const quotas = object->if_contains("quotas"))
    out.quotas = read_quotas(reader, quotas->is_null());
  if (has(*object, "enabled"))
    out.enabled = reader.boolean("enabled").value_or(true);
  reader.finish();
  if (!errors.empty())
    return validation_failed(std::move(errors));
  return out;
}

} // namespace

std::vector<api_route> tenant_routes(management_store& store, const api_options& options) {
  const auto create = [&store, plans = options.plans](const api_call_ptr& call) {
    auto request = read_create<new_tenant>(call->body, "tenants",
                                           [&plans](json_reader& reader) { return read_tenant(reader, plans); });
    if (!request)
      return call->fail(request.error());
    store.create_tenants(std::move(request->items),
                         [call, batch = request->batch](result<std::vector<tenant_record>> made) {
                           answer_created(call, made, batch, [](const tenant_record& one) { return to_json(one); });
                         });
  };
  const auto list = [&store](const api_call_ptr& call) {
    const auto page = read_page(*call, list_name, "");
    if (!page)
      return call->fail(page.error());
    store.list_tenants(*page, answer_page<tenant_record>(call, std::string{list_name}, ""));
  };
  const auto update = [&store, plans = options.plans](const api_call_ptr& call) {
    auto patch = read_patch(call->body, plans);
    if (!patch)
      return call->fail(patch.error());
    store.update_tenant(call->parameters[0], std::move(*patch), answer_object<tenant_record>(call));
  };
  return {
    {"POST", "/v1/tenants", access::operator_, create},
    {"GET", "/v1/tenants", access::operator_, list},
    {"GET", "/v1/tenants/{tenant}", access::viewer,
     [&store](const api_call_ptr& call) { store.get_tenant(call->parameters[0], answer_object<tenant_record>(call)); }},
    {"PATCH", "/v1/tenants/{tenant}", access::operator_, update},
    {"DELETE", "/v1/tenants/{tenant}", access::operator_,
     [&store](const api_call_ptr& call) { store.delete_tenant(call->parameters[0], answer_deleted(call)); }},
  };
}

std::vector<api_route> api_routes(management_store& store, const api_options& options) {
  auto out = tenant_routes(store, options);
  for (auto& table : {key_routes(store), source_routes(store), verify_routes(store), endpoint_routes(store, options),
                      event_routes(store), delivery_routes(store)})
    out.insert(out.end(), table.begin(), table.end());
  return out;
}

} // namespace postrider
