#include "tests/support/store_conformance.hpp"

#include "tests/support/conformance_steps.hpp"

#include <functional>
#include <ostream>

namespace postrider::tests {

namespace {

using namespace std::chrono_literals;

/// A key of our own: the store only compares it.
uuid key_of(const conformance_tenant& tenant, const std::string& provider_event_id) {
  uuid out;
  const auto low = std::hash<std::string>{}(provider_event_id + "/" + std::to_string(tenant.source));
  const auto high = std::hash<std::string>{}(std::to_string(tenant.no) + "/" + provider_event_id);
  std::memcpy(out.bytes.data(), &high, 8);
  std::memcpy(out.bytes.data() + 8, &low, 8);
  return out;
}

} // namespace

std::ostream& operator<<(std::ostream& out, const conformance_case& which) {
  return out << which.name;
}

std::vector<conformance_case> conformance_cases() {
  auto out = accept_cases();
  for (auto more : {delivery_cases(), lane_cases(), order_cases(), cancel_cases(), configuration_cases()})
    out.insert(out.end(), more.begin(), more.end());
  return out;
}

accept_item_ptr make_accept_item(wall_time now, const conformance_tenant& tenant, const std::string& provider_event_id,
                                 std::size_t rides, fence under) {
  auto what = std::make_shared<event>();
  what->id = {make_uuid_v7(now, random_bits())};
  what->tenant = tenant.no;
  what->source = tenant.source;
  what->source_name = "github";
  what->type = "push";
  what->provider_event_id = provider_event_id;
  what->content_type = "application/json";
  what->headers = "x-github-event: push\r\n";
  what->forward_headers = "x-github-event: push\r\n";
  what->body = "{\"id\":\"" + provider_event_id + "\"}";
  auto out = std::make_unique<accept_item>();
  out->what = std::move(what);
  out->dedupe_key = key_of(tenant, provider_event_id);
  out->config_version = tenant.version;
  out->shard = tenant.shard;
  out->deadline = std::chrono::steady_clock::now() + 5s;
  for (const auto endpoint : tenant.endpoints) {
    planned_delivery each;
    each.id = {make_uuid_v7(now, random_bits())};
    each.endpoint = endpoint;
    each.seed = static_cast<std::uint32_t>(0xdead0000U + out->deliveries.size());
    each.ride = out->deliveries.size() < rides;
    each.under = each.ride ? under : 0;
    out->deliveries.push_back(std::move(each));
  }
  return out;
}

} // namespace postrider::tests
