#include "persistence/key_repository.hpp"
#include "persistence/tenant_loader.hpp"
#include "tests/persistence/management_fixture.hpp"

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>

using namespace postrider;
using fixture = tests::management_fixture;
using managed = postgres_management_store;
using tests::check_refused;

namespace {

created_api_key key_of(fixture& f, const std::string& tenant, api_role role = api_role::tenant_viewer) {
  const auto made = f.ask(&managed::create_api_key, new_api_key{"n", role, tenant, {}});
  BOOST_REQUIRE_MESSAGE(made, (made ? "" : made.error().detail));
  return *made;
}

tenant_config_ptr loaded(fixture& f, const std::string& slug, const std::map<std::string, tenant_quotas>& plans = {}) {
  session_options options;
  options.url = f.url;
  options.role = "loader";
  options.statements = tenant_loader_statements();
  watchdog dog;
  session on{options, dog, f.counts};
  BOOST_REQUIRE(!on.connect());
  const std::vector keys{f.master_key};
  const auto out = read_tenant(on, {.slug_or_id = slug}, keys, plans);
  BOOST_REQUIRE(out.has_value());
  return *out;
}

std::vector<new_source> sources_named(const std::vector<std::string>& names) {
  std::vector<new_source> out;
  for (const auto& name : names) {
    out.push_back({name, "github", "github", {"secret"}});
    out.back().at = "/sources/" + std::to_string(out.size() - 1);
  }
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(tenant_changes)

BOOST_AUTO_TEST_CASE(quotas_of_ingest_reach_the_engine_the_tenants_own_before_its_plans) {
  fixture f;
  tenant_quotas own;
  own.ingest_per_s = 3;
  BOOST_REQUIRE(f.ask(&managed::create_tenants, std::vector{new_tenant{"acme", "Acme", "gold", own}}));
  BOOST_REQUIRE(f.ask(&managed::create_tenants, std::vector{new_tenant{"plain", "Plain", "", {}}}));
  tenant_quotas gold;
  gold.ingest_per_s = 100;
  gold.ingest_bytes_per_s = 1'000;
  gold.backlog = 50;
  const std::map<std::string, tenant_quotas> plans{{"gold", gold}};
  BOOST_TEST((loaded(f, "acme", plans)->quotas == ingest_quotas{3, 1'000, 50}));
  BOOST_TEST((loaded(f, "plain", plans)->quotas == ingest_quotas{}));
  // A plan that this node does not know limits nothing: what was signed is not refused for a mistake of ours.
  BOOST_TEST((loaded(f, "acme")->quotas == ingest_quotas{3, std::nullopt, std::nullopt}));
  const auto version = f.version("acme");
  tenant_patch patch;
  patch.quotas = {{&tenant_quotas::ingest_per_s, std::nullopt}, {&tenant_quotas::backlog, 7}};
  BOOST_REQUIRE(f.ask(&managed::update_tenant, "acme", patch));
  BOOST_TEST(f.version("acme") > version); // or no node would load it anew
  BOOST_TEST((loaded(f, "acme", plans)->quotas == ingest_quotas{100, 1'000, 7}));
}

BOOST_AUTO_TEST_CASE(a_patch_changes_what_it_names_and_counts_the_version_up) {
  fixture f;
  tenant_quotas quotas;
  quotas.sources = 3;
  quotas.backlog = 10;
  BOOST_REQUIRE(f.ask(&managed::create_tenants, std::vector{new_tenant{"acme", "Acme", "gold", quotas}}));
  const auto version = f.version("acme");
  tenant_patch patch;
  patch.name = "Another";
  patch.quotas = {{&tenant_quotas::sources, std::nullopt}, {&tenant_quotas::endpoints, 7}};
  const auto patched = f.ask(&managed::update_tenant, "acme", patch);
  BOOST_REQUIRE(patched);
  BOOST_TEST(patched->name == "Another");
  BOOST_TEST(patched->plan == "gold");
  BOOST_TEST(!patched->quotas.sources);
  BOOST_TEST(patched->quotas.endpoints.value_or(0) == 7);
  BOOST_TEST(patched->quotas.backlog.value_or(0) == 10);
  BOOST_TEST(f.version("acme") == version + 1);
  BOOST_TEST(f.changed.size() == 2U);
  patch = {};
  patch.plan = "";
  BOOST_TEST(f.ask(&managed::update_tenant, "acme", patch).value().plan == "");
  BOOST_TEST(f.sql("select count(*) from audit_log where action = 'tenant.update'") == "2");
  check_refused(f.ask(&managed::update_tenant, "nobody", patch), 404, "not-found");
}

BOOST_AUTO_TEST_CASE(a_disabled_tenant_is_loaded_with_nothing_to_send_and_its_keys_know_it_at_once) {
  fixture f;
  f.tenant("acme");
  f.endpoint("acme");
  const auto key = key_of(f, "acme");
  BOOST_TEST(f.ask(&managed::find_key, hash_api_key(key.key)).value()->tenant_enabled); // cached from here on
  tenant_patch patch;
  patch.enabled = false;
  BOOST_TEST(!f.ask(&managed::update_tenant, "acme", patch).value().enabled);
  const auto found = f.ask(&managed::find_key, hash_api_key(key.key));
  BOOST_REQUIRE(found.value().has_value());
  BOOST_TEST(!(*found)->tenant_enabled);
  auto config = loaded(f, "acme");
  BOOST_TEST(!config->enabled);
  BOOST_TEST((config->endpoints.at(0).status == endpoint_status::paused));
  BOOST_TEST(f.sql("select status from endpoint") == "0"); // its own is kept
  patch.enabled = true;
  BOOST_REQUIRE(f.ask(&managed::update_tenant, "acme", patch));
  config = loaded(f, "acme");
  BOOST_TEST(config->enabled);
  BOOST_TEST((config->endpoints.at(0).status == endpoint_status::active));
  BOOST_TEST(f.ask(&managed::find_key, hash_api_key(key.key)).value()->tenant_enabled);
}

BOOST_AUTO_TEST_CASE(a_tenants_keys_are_made_listed_and_revoked_within_it) {
  fixture f;
  const auto acme = f.tenant("acme");
  f.tenant("umbrella");
  const auto first = key_of(f, "acme", api_role::tenant_admin);
  const auto second = key_of(f, to_string(acme.id));
  BOOST_TEST((second.record.tenant == acme.id));
  BOOST_TEST((first.record.role == api_role::tenant_admin));
  BOOST_TEST(f.version("acme") == 1); // no configuration of the engine
  const auto page = f.ask(&managed::list_api_keys, "acme", page_request{1, {}});
  BOOST_REQUIRE(page);
  BOOST_TEST((page->data.at(0).id == second.record.id));
  BOOST_REQUIRE(page->next.has_value());
  const auto rest = f.ask(&managed::list_api_keys, "acme", page_request{1, page->next});
  BOOST_TEST((rest.value().data.at(0).id == first.record.id));
  BOOST_TEST(!rest->next);
  BOOST_TEST(f.ask(&managed::list_api_keys, "umbrella", page_request{}).value().data.empty());

  check_refused(f.ask(&managed::revoke_api_key, "umbrella", first.record.id), 404, "not-found");
  BOOST_TEST(f.ask(&managed::find_key, hash_api_key(first.key)).value().has_value());
  BOOST_REQUIRE(f.ask(&managed::revoke_api_key, "acme", first.record.id));
  BOOST_TEST(
    !f.ask(&managed::find_key, hash_api_key(first.key)).value().has_value()); // at once, although it was cached
  check_refused(f.ask(&managed::revoke_api_key, "acme", first.record.id), 404, "not-found");
  BOOST_TEST(f.ask(&managed::list_api_keys, "acme", page_request{}).value().data.size() == 1U);
  const auto none = f.ask(&managed::create_api_key, new_api_key{"n", api_role::tenant_viewer, "nobody", {}});
  check_refused(none, 404, "not-found");
  BOOST_TEST(f.sql("select count(*) from audit_log where action like 'key.%'") == "3");
}

BOOST_AUTO_TEST_CASE(creation_stops_at_the_tenants_own_quota_or_its_plans) {
  fixture f;
  metrics counts;
  auto options = f.options_for(milliseconds{20'000});
  options.plans["tiny"].sources = 2;
  managed limited{options, counts};
  tenant_quotas own;
  own.sources = 3;
  for (const auto& tenant :
       {new_tenant{"planned", "n", "tiny", {}}, new_tenant{"own", "n", "tiny", own}, new_tenant{"free", "n", "", {}}})
    BOOST_REQUIRE(f.ask(&managed::create_tenants, std::vector{tenant}));
  const auto create = [&](const std::string& slug, const std::vector<std::string>& names) {
    const auto promise = std::make_shared<std::promise<result<std::vector<source_record>>>>();
    auto future = promise->get_future();
    limited.create_sources(slug, sources_named(names), [promise](auto made) { promise->set_value(std::move(made)); });
    return future.get();
  };
  const auto batch = create("planned", {"a", "b", "c", "d"});
  check_refused(batch, 422, "quota-exceeded");
  BOOST_REQUIRE(batch.error().errors.size() == 2U);
  BOOST_TEST(batch.error().errors[0].pointer == "/sources/2");
  BOOST_TEST(batch.error().errors[1].pointer == "/sources/3");
  BOOST_TEST(f.sql("select count(*) from source") == "0");
  BOOST_TEST(create("planned", {"a", "b"}).has_value());
  check_refused(create("planned", {"c"}), 422, "quota-exceeded");
  BOOST_REQUIRE(f.ask(&managed::delete_source, "planned", "a"));
  BOOST_TEST(create("planned", {"c"}).has_value());
  BOOST_TEST(create("own", {"a", "b", "c"}).has_value());
  check_refused(create("own", {"d"}), 422, "quota-exceeded");
  BOOST_TEST(create("free", {"a", "b", "c", "d"}).has_value());
}

BOOST_AUTO_TEST_CASE(under_a_plan_that_is_not_configured_nothing_is_created_and_the_log_says_so_once) {
  fixture f;
  tenant_quotas own;
  own.sources = 1;
  for (const auto& tenant : {new_tenant{"lost", "n", "no such plan", {}}, new_tenant{"own", "n", "no such plan", own}})
    BOOST_REQUIRE(f.ask(&managed::create_tenants, std::vector{tenant}));
  std::ostringstream log;
  const auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(log);
  spdlog::default_logger()->sinks().push_back(sink);
  for (int i = 0; i < 2; ++i)
    check_refused(f.ask(&managed::create_sources, "lost", sources_named({"a"})), 500, "plan-missing");
  spdlog::default_logger()->sinks().pop_back();
  const auto text = log.str();
  BOOST_TEST(text.find("plan=no such plan") != std::string::npos, text);
  BOOST_TEST(text.find("plan=no such plan") == text.rfind("plan=no such plan"), text);
  BOOST_TEST(f.sql("select count(*) from source") == "0");
  BOOST_TEST(f.ask(&managed::create_sources, "own", sources_named({"a"})).has_value()); // its own goes first
}

BOOST_AUTO_TEST_CASE(two_who_create_at_once_do_not_pass_a_quota_together) {
  fixture f;
  tenant_quotas quotas;
  quotas.endpoints = 5;
  BOOST_REQUIRE(f.ask(&managed::create_tenants, std::vector{new_tenant{"acme", "n", "", quotas}}));
  std::vector<std::future<bool>> answers;
  metrics counts;
  managed elsewhere{f.options_for(milliseconds{20'000}), counts}; // on one node they come one after the other
  for (int i = 0; i < 20; ++i) {
    const auto promise = std::make_shared<std::promise<bool>>();
    answers.push_back(promise->get_future());
    new_endpoint wanted;
    wanted.config.url = "https://example.com/";
    wanted.config.secrets = {{"secret"}};
    (i % 2 == 0 ? f.store : elsewhere).create_endpoints("acme", {wanted}, [promise](const auto& made) {
      promise->set_value(made.has_value());
    });
  }
  int made = 0;
  for (auto& each : answers)
    made += each.get() ? 1 : 0;
  BOOST_TEST(made == 5);
  BOOST_TEST(f.sql("select count(*) from endpoint") == "5");
}

BOOST_AUTO_TEST_SUITE_END()
