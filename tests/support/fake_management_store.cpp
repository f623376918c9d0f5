#include "tests/support/fake_management_store.hpp"

#include <algorithm>

namespace postrider::test {

namespace {

constexpr wall_time first_moment{std::chrono::milliseconds{1'700'000'000'000}};

template <class Record, class Id>
result<page<Record>> cut_page(const std::vector<Record>& all, const page_request& request, Id id_of) {
  page<Record> out;
  for (auto it = all.rbegin(); it != all.rend(); ++it) { // ids grow, so the newest stand last
    if (request.before && !(id_of(*it) < *request.before))
      continue;
    if (out.data.size() == request.limit) {
      out.next = id_of(out.data.back());
      break;
    }
    out.data.push_back(*it);
  }
  return out;
}

endpoint_record without_secrets(endpoint_record record) {
  record.config.secrets.clear();
  return record;
}

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

template <class T, class Work>
void fake_management_store::run(reply<T>& done, Work work) {
  if (silent)
    return;
  if (away)
    return done(store_unavailable());
  const std::lock_guard guard{mutex_};
  done(work());
}

template <class T, class Work>
void fake_management_store::with_tenant(const std::string& tenant, reply<T>& done, Work work) {
  run(done, [&]() -> result<T> {
    auto* const found = find(tenant);
    if (found == nullptr)
      return not_found("tenant");
    return work(*found);
  });
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

void fake_management_store::show(source_record& record, const new_source& given) {
  record.name = given.name;
  record.provider = given.provider;
  record.scheme = given.scheme;
  record.enabled = given.enabled;
  record.on_unverified = given.on_unverified;
  record.dedupe = given.dedupe;
  record.secret_count = given.secrets.size();
  record.config = given.settings.plain;
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

void fake_management_store::create_sources(std::string tenant, std::vector<new_source> sources,
                                           reply<std::vector<source_record>> done) {
  with_tenant(tenant, done, [&](tenant_data& data) -> result<std::vector<source_record>> {
    std::vector<source_record> out;
    for (const auto& one : sources) {
      const auto same = [&one](const source_record& other) { return other.name == one.name; };
      if (std::any_of(data.sources.begin(), data.sources.end(), same))
        return problem{409, "name-taken", "the name is taken"};
      source_record record;
      record.id = source_id{next_uuid()};
      record.tenant_slug = data.record.slug;
      show(record, one);
      data.given[to_string(record.id)] = one;
      out.push_back(record);
      auto& rules = data.rules[to_string(record.id)];
      rules.rules = rules_of(one.scheme, one.settings);
      rules.config = settings_map(one.settings);
      for (const auto& secret : one.secrets)
        rules.secrets.push_back({secret, {}});
    }
    data.sources.insert(data.sources.end(), out.begin(), out.end());
    return out;
  });
}

void fake_management_store::list_sources(std::string tenant, page_request request, reply<page<source_record>> done) {
  with_tenant(tenant, done, [&](tenant_data& data) {
    return cut_page(data.sources, request, [](const auto& one) { return one.id.value; });
  });
}

void fake_management_store::get_source(std::string tenant, std::string name_or_id, reply<source_record> done) {
  with_tenant(tenant, done, [&](tenant_data& data) -> result<source_record> {
    for (const auto& one : data.sources)
      if (one.name == name_or_id || to_string(one.id) == name_or_id)
        return one;
    return not_found("source");
  });
}

void fake_management_store::get_source_rules(std::string tenant, std::string name_or_id, reply<source_config> done) {
  with_tenant(tenant, done, [&](tenant_data& data) -> result<source_config> {
    for (const auto& one : data.sources)
      if (one.name == name_or_id || to_string(one.id) == name_or_id)
        return data.rules.at(to_string(one.id));
    return not_found("source");
  });
}

void fake_management_store::delete_source(std::string tenant, std::string name_or_id, reply<bool> done) {
  with_tenant(tenant, done, [&](tenant_data& data) -> result<bool> {
    const auto gone = std::erase_if(
      data.sources, [&](const auto& one) { return one.name == name_or_id || to_string(one.id) == name_or_id; });
    return gone > 0 ? result<bool>{true} : result<bool>{not_found("source")};
  });
}

void fake_management_store::change_source(std::string tenant, std::string name_or_id, source_change change,
                                          reply<source_record> done) {
  with_tenant(tenant, done, [&](tenant_data& data) -> result<source_record> {
    for (auto& one : data.sources) {
      if (one.name != name_or_id && to_string(one.id) != name_or_id)
        continue;
      auto& given = data.given.at(to_string(one.id));
      auto to = change({one, given});
      if (!to)
        return to.error();
      const auto taken = [&](const source_record& other) { return other.name == to->name && other.id != one.id; };
      if (std::any_of(data.sources.begin(), data.sources.end(), taken))
        return problem{409, "name-taken", "the name is taken"};
      to->secrets = given.secrets;
      given = std::move(*to);
      auto& rules = data.rules.at(to_string(one.id));
      rules.rules = rules_of(given.scheme, given.settings);
      rules.config = settings_map(given.settings);
      show(one, given);
      return one;
    }
    return not_found("source");
  });
}

void fake_management_store::rotate_source_secret(std::string tenant, std::string name_or_id, secret_rotation rotation,
                                                 reply<source_record> done) {
  with_tenant(tenant, done, [&](tenant_data& data) -> result<source_record> {
    for (auto& one : data.sources) {
      if (one.name != name_or_id && to_string(one.id) != name_or_id)
        continue;
      auto& given = data.given.at(to_string(one.id));
      if (rotation.overlap.count() == 0)
        given.secrets.clear();
      given.secrets.insert(given.secrets.begin(), rotation.secret);
      rotations.push_back(std::move(rotation));
      show(one, given);
      return one;
    }
    return not_found("source");
  });
}

void fake_management_store::create_endpoints(std::string tenant, std::vector<new_endpoint> endpoints,
                                             reply<std::vector<endpoint_record>> done) {
  with_tenant(tenant, done, [&](tenant_data& data) -> result<std::vector<endpoint_record>> {
    std::vector<endpoint_record> out;
    for (auto& one : endpoints) {
      endpoint_record record;
      record.config = std::move(one.config);
      record.config.id = endpoint_id{next_uuid()};
      record.description = one.description;
      for (std::size_t i = 0; i < one.sources.size(); ++i) {
        const auto same = [&](const source_record& source) {
          return source.name == one.sources[i] || to_string(source.id) == one.sources[i];
        };
        const auto found = std::find_if(data.sources.begin(), data.sources.end(), same);
        if (found == data.sources.end())
          return problem{422,
                         "validation-failed",
                         "",
                         {{one.sources_at + "/" + std::to_string(i), "source-unknown", "no such source"}},
                         {}};
        record.source_ids.push_back(to_string(found->id));
      }
      out.push_back(std::move(record));
    }
    data.endpoints.insert(data.endpoints.end(), out.begin(), out.end());
    return out;
  });
}

void fake_management_store::list_endpoints(std::string tenant, page_request request,
                                           reply<page<endpoint_record>> done) {
  with_tenant(tenant, done, [&](tenant_data& data) -> result<page<endpoint_record>> {
    std::vector<endpoint_record> all;
    for (const auto& one : data.endpoints)
      all.push_back(without_secrets(one));
    return cut_page(all, request, [](const auto& one) { return one.config.id.value; });
  });
}

void fake_management_store::get_endpoint(std::string tenant, endpoint_id id, reply<endpoint_record> done) {
  with_tenant(tenant, done, [&](tenant_data& data) -> result<endpoint_record> {
    for (const auto& one : data.endpoints)
      if (one.config.id == id)
        return without_secrets(one);
    return not_found("endpoint");
  });
}

void fake_management_store::get_endpoint_secret(std::string tenant, endpoint_id id, reply<std::string> done) {
  with_tenant(tenant, done, [&](tenant_data& data) -> result<std::string> {
    for (const auto& one : data.endpoints)
      if (one.config.id == id)
        return one.config.secrets.front().text;
    return not_found("endpoint");
  });
}

void fake_management_store::delete_endpoint(std::string tenant, endpoint_id id, reply<bool> done) {
  with_tenant(tenant, done, [&](tenant_data& data) -> result<bool> {
    const auto gone = std::erase_if(data.endpoints, [&](const auto& one) { return one.config.id == id; });
    return gone > 0 ? result<bool>{true} : result<bool>{not_found("endpoint")};
  });
}

void fake_management_store::change_endpoint(std::string tenant, endpoint_id id, endpoint_change change,
                                            reply<endpoint_record> done) {
  with_tenant(tenant, done, [&](tenant_data& data) -> result<endpoint_record> {
    for (auto& one : data.endpoints) {
      if (one.config.id != id)
        continue;
      auto to = change(without_secrets(one));
      if (!to)
        return to.error();
      auto secrets = std::move(one.config.secrets);
      if (!to->tls_named)
        to->fields.config.tls = one.config.tls;
      one.config = std::move(to->fields.config);
      one.config.id = id;
      one.config.secrets = std::move(secrets);
      one.description = to->fields.description;
      one.disabled_reason = to->disabled_reason;
      if (to->sources_named)
        one.source_ids = to->fields.sources;
      return without_secrets(one);
    }
    return not_found("endpoint");
  });
}

void fake_management_store::rotate_endpoint_secret(std::string tenant, endpoint_id id, secret_rotation rotation,
                                                   reply<bool> done) {
  with_tenant(tenant, done, [&](tenant_data& data) -> result<bool> {
    for (auto& one : data.endpoints) {
      if (one.config.id != id)
        continue;
      one.config.secrets.insert(one.config.secrets.begin(), {rotation.secret, std::nullopt});
      rotations.push_back(std::move(rotation));
      return true;
    }
    return not_found("endpoint");
  });
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
