// Sources and endpoints of the fake store.
#include "tests/support/fake_management_store.hpp"

#include <algorithm>

namespace postrider::test {

namespace {

endpoint_record without_secrets(endpoint_record record) {
  record.config.secrets.clear();
  return record;
}

} // namespace

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

} // namespace postrider::test
