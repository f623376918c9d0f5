#include "tests/support/fake_management_store.hpp"

#include <algorithm>

namespace postrider::test {

namespace {

constexpr wall_time first_moment{std::chrono::milliseconds{1'700'000'000'000}};

} // namespace

uuid fake_management_store::next_uuid() {
  std::array<std::uint8_t, 10> random{};
  return make_uuid_v7(first_moment + milliseconds{static_cast<std::int64_t>(++ids_)}, random);
}

fake_management_store::tenant_data* fake_management_store::find(const std::string& slug_or_id) {
  for (auto& one : tenants_)
    if (!one.deleted && (one.record.slug == slug_or_id || to_string(one.record.id) == slug_or_id))
      return &one;
  return nullptr;
}

std::string fake_management_store::add_key(api_role role, std::optional<tenant_id> tenant) {
  const std::lock_guard guard{mutex_};
  std::array<std::uint8_t, 32> random{};
  random[0] = static_cast<std::uint8_t>(keys_.size() + 1);
  auto text = make_api_key(random);
  auto& record = keys_[hash_api_key(text)];
  record = {key_id{next_uuid()}, "test", role, tenant, {}, {}, first_moment};
  if (const auto* const owner = tenant ? find(to_string(*tenant)) : nullptr)
    record.tenant_slug = owner->record.slug;
  return text;
}

tenant_id fake_management_store::add_tenant(const std::string& slug) {
  const std::lock_guard guard{mutex_};
  tenant_data data;
  data.record.id = tenant_id{next_uuid()};
  data.record.slug = data.record.name = slug;
  data.record.created_at = data.record.updated_at = first_moment;
  tenants_.push_back(data);
  return data.record.id;
}

void fake_management_store::add_event(const std::string& tenant, event_record event, event_payload payload) {
  const std::lock_guard guard{mutex_};
  const auto id = event.id;
  find(tenant)->events[id] = {std::move(event), std::move(payload)};
}

void fake_management_store::add_delivery(const std::string& tenant, delivery_record delivery) {
  const std::lock_guard guard{mutex_};
  find(tenant)->deliveries.push_back(std::move(delivery));
}

void fake_management_store::find_key(api_key_hash hash, reply<std::optional<api_key_record>> done) {
  run(done, [&]() -> result<std::optional<api_key_record>> {
    const auto found = keys_.find(hash);
    return found == keys_.end() ? std::nullopt : std::optional{found->second};
  });
}

void fake_management_store::create_tenants(std::vector<new_tenant> tenants, reply<std::vector<tenant_record>> done) {
  run(done, [&]() -> result<std::vector<tenant_record>> {
    for (const auto& one : tenants)
      if (find(one.slug) != nullptr)
        return problem{409, "slug-taken", "the slug is taken"};
    std::vector<tenant_record> out;
    for (auto& one : tenants) {
      add_tenant(one.slug);
      auto& record = tenants_.back().record;
      record.name = one.name;
      record.plan = one.plan;
      record.quotas = one.quotas;
      out.push_back(record);
    }
    return out;
  });
}

void fake_management_store::list_tenants(page_request request, reply<page<tenant_record>> done) {
  run(done, [&]() -> result<page<tenant_record>> {
    std::vector<tenant_record> all;
    for (const auto& one : tenants_)
      if (!one.deleted)
        all.push_back(one.record);
    return cut_page(all, request, [](const tenant_record& one) { return one.id.value; });
  });
}

void fake_management_store::get_tenant(std::string slug_or_id, reply<tenant_record> done) {
  with_tenant(slug_or_id, done, [](tenant_data& tenant) -> result<tenant_record> { return tenant.record; });
}

void fake_management_store::delete_tenant(std::string slug_or_id, reply<bool> done) {
  with_tenant(slug_or_id, done, [](tenant_data& tenant) -> result<bool> {
    tenant.deleted = true;
    return true;
  });
}

void fake_management_store::update_tenant(std::string slug_or_id, tenant_patch patch, reply<tenant_record> done) {
  with_tenant(slug_or_id, done, [&](tenant_data& tenant) -> result<tenant_record> {
    auto& record = tenant.record;
    record.name = patch.name.value_or(record.name);
    record.plan = patch.plan.value_or(record.plan);
    record.enabled = patch.enabled.value_or(record.enabled);
    for (const auto& [quota, value] : patch.quotas)
      record.quotas.*quota = value;
    for (auto& [hash, key] : keys_)
      if (key.tenant == record.id)
        key.tenant_enabled = record.enabled;
    return record;
  });
}

void fake_management_store::create_api_key(new_api_key wanted, reply<created_api_key> done) {
  with_tenant(wanted.tenant, done, [&](tenant_data& tenant) -> result<created_api_key> {
    const auto text = add_key(wanted.role, tenant.record.id);
    auto& record = keys_.at(hash_api_key(text));
    record.name = wanted.name;
    record.expires_at = wanted.expires_at;
    return created_api_key{record, text};
  });
}

void fake_management_store::list_api_keys(std::string tenant, page_request request, reply<page<api_key_record>> done) {
  with_tenant(tenant, done, [&](tenant_data& data) -> result<page<api_key_record>> {
    std::map<key_id, api_key_record> sorted;
    for (const auto& [hash, key] : keys_)
      if (key.tenant == data.record.id)
        sorted[key.id] = key;
    std::vector<api_key_record> all;
    for (const auto& [id, key] : sorted)
      all.push_back(key);
    return cut_page(all, request, [](const auto& one) { return one.id.value; });
  });
}

void fake_management_store::revoke_api_key(std::string tenant, key_id id, reply<bool> done) {
  with_tenant(tenant, done, [&](tenant_data& data) -> result<bool> {
    const auto gone =
      std::erase_if(keys_, [&](const auto& one) { return one.second.id == id && one.second.tenant == data.record.id; });
    return gone > 0 ? result<bool>{true} : result<bool>{not_found("key")};
  });
}

void fake_management_store::once(keyed_request_ptr request, const std::function<void()>& ask) {
  const std::lock_guard guard{mutex_};
  const auto found = kept_.find(request->key());
  if (found != kept_.end() && found->second.first == request->fingerprint())
    return request->replay(found->second.second);
  if (found != kept_.end())
    return request->fail({422, "idempotency-key-reused", "used for another request"});
  if (auto kept = request->hold(ask))
    kept_[request->key()] = {request->fingerprint(), std::move(*kept)};
  request->release();
}

void fake_management_store::get_event(std::string tenant, event_id id, reply<event_record> done) {
  with_tenant(tenant, done, [&](tenant_data& data) -> result<event_record> {
    const auto found = data.events.find(id);
    return found == data.events.end() ? result<event_record>{not_found("event")}
                                      : result<event_record>{found->second.first};
  });
}

void fake_management_store::get_payload(std::string tenant, event_id id, reply<event_payload> done) {
  with_tenant(tenant, done, [&](tenant_data& data) -> result<event_payload> {
    const auto found = data.events.find(id);
    return found == data.events.end() ? result<event_payload>{not_found("event")}
                                      : result<event_payload>{found->second.second};
  });
}

void fake_management_store::list_events(std::string tenant, event_filter filter, page_request request,
                                        reply<page<event_record>> done) {
  with_tenant(tenant, done, [&](tenant_data& data) -> result<page<event_record>> {
    std::vector<event_record> all;
    for (const auto& [id, one] : data.events) {
      const auto at = time_of(id.value);
      if ((!filter.type || one.first.type == *filter.type) && (!filter.source || one.first.source == *filter.source) &&
          (!filter.since || at >= *filter.since) && (!filter.until || at < *filter.until))
        all.push_back(one.first);
    }
    return cut_page(all, request, [](const auto& one) { return one.id.value; });
  });
}

void fake_management_store::list_deliveries(std::string tenant, delivery_filter filter, page_request request,
                                            reply<page<delivery_record>> done) {
  with_tenant(tenant, done, [&](tenant_data& data) -> result<page<delivery_record>> {
    std::vector<delivery_record> all;
    for (const auto& one : data.deliveries)
      if ((!filter.state || one.state == *filter.state) && (!filter.endpoint || one.endpoint == *filter.endpoint) &&
          (!filter.event || one.event == *filter.event) && (!filter.since || one.created_at >= *filter.since))
        all.push_back(one);
    return cut_page(all, request, [](const auto& one) { return one.id.value; });
  });
}

void fake_management_store::get_delivery(std::string tenant, delivery_id id, reply<delivery_record> done) {
  with_tenant(tenant, done, [&](tenant_data& data) -> result<delivery_record> {
    for (const auto& one : data.deliveries)
      if (one.id == id)
        return one;
    return not_found("delivery");
  });
}

} // namespace postrider::test
