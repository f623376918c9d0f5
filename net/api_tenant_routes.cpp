#include "net/api_create.hpp"
#include "net/api_routes.hpp"

#include <algorithm>

namespace postrider {

namespace {

constexpr std::string_view list_name = "tenants";

bool is_slug(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

tenant_quotas read_quotas(json_reader& reader) {
  tenant_quotas out;
  const auto* const object = reader.object("quotas");
  if (object == nullptr)
    return out;
  constexpr std::int64_t most = 1'000'000'000'000;
  json_reader quotas{*object, reader.pointer("quotas"), reader.errors()};
  out.ingest_per_s = quotas.integer("ingest_per_s", 1, most);
  out.ingest_bytes_per_s = quotas.integer("ingest_bytes_per_s", 1, most);
  out.sources = quotas.integer("sources", 0, most);
  out.endpoints = quotas.integer("endpoints", 0, most);
  out.backlog = quotas.integer("backlog", 1, most);
  out.retention_days = quotas.integer("retention_days", 1, 3'650);
  quotas.finish();
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
  out.plan = reader.text("plan", 63).value_or("");
  if (!out.plan.empty() && std::find(plans.begin(), plans.end(), out.plan) == plans.end())
    reader.error("plan", "plan-unknown", "there is no such plan");
  out.quotas = read_quotas(reader);
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
  return {
    {"POST", "/v1/tenants", access::operator_, create},
    {"GET", "/v1/tenants", access::operator_, list},
    {"GET", "/v1/tenants/{tenant}", access::viewer,
     [&store](const api_call_ptr& call) { store.get_tenant(call->parameters[0], answer_object<tenant_record>(call)); }},
    {"DELETE", "/v1/tenants/{tenant}", access::operator_,
     [&store](const api_call_ptr& call) { store.delete_tenant(call->parameters[0], answer_deleted(call)); }},
  };
}

std::vector<api_route> api_routes(management_store& store, const api_options& options) {
  auto out = tenant_routes(store, options);
  for (auto& table : {source_routes(store), verify_routes(store), endpoint_routes(store, options), event_routes(store),
                      delivery_routes(store)})
    out.insert(out.end(), table.begin(), table.end());
  return out;
}

} // namespace postrider
