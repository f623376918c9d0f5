#include "tests/persistence/management_fixture.hpp"

#include "core/shard.hpp"
#include "persistence/tenant_access.hpp"

using namespace postrider;
using fixture = tests::management_fixture;
using store = postgres_management_store;
using tests::check_refused;

BOOST_AUTO_TEST_SUITE(management_store_tenants)

BOOST_AUTO_TEST_CASE(a_tenant_is_created_and_found_by_slug_and_id) {
  fixture f;
  new_tenant wanted{"acme", "Acme Ltd", "gold", {}};
  wanted.quotas.ingest_per_s = 100;
  wanted.quotas.retention_days = 30;
  const auto made = f.ask(&store::create_tenants, std::vector{wanted});
  BOOST_REQUIRE(made);
  BOOST_REQUIRE(made->size() == 1U);
  for (const auto& key : {std::string{"acme"}, to_string(made->front().id)}) {
    const auto got = f.ask(&store::get_tenant, key);
    BOOST_REQUIRE(got);
    BOOST_TEST((got->id == made->front().id));
    BOOST_TEST(got->slug == "acme");
    BOOST_TEST(got->name == "Acme Ltd");
    BOOST_TEST(got->plan == "gold");
    BOOST_TEST((got->quotas.ingest_per_s == 100));
    BOOST_TEST((got->quotas.retention_days == 30));
    BOOST_TEST(!got->quotas.sources);
    BOOST_TEST(got->shard == shard_of(got->id));
    BOOST_TEST(got->enabled);
    BOOST_TEST((got->created_at > wall_time{}));
  }
  BOOST_TEST(f.changed.size() == 1U);
  BOOST_TEST(f.sql("select count(*) from audit_log where action = 'tenant.create'") == "1");
}

BOOST_AUTO_TEST_CASE(a_batch_with_a_taken_slug_creates_nothing) {
  fixture f;
  f.tenant("acme");
  check_refused(
    f.ask(&store::create_tenants, std::vector{new_tenant{"first", "n", "", {}}, new_tenant{"acme", "n", "", {}}}), 409,
    "slug-taken");
  check_refused(
    f.ask(&store::create_tenants, std::vector{new_tenant{"twice", "n", "", {}}, new_tenant{"twice", "n", "", {}}}), 409,
    "slug-taken");
  BOOST_TEST(f.sql("select count(*) from tenant") == "1");
  BOOST_TEST(f.changed.size() == 1U);
}

BOOST_AUTO_TEST_CASE(lists_are_newest_first_and_paged_without_gaps) {
  fixture f;
  std::vector<new_tenant> wanted;
  for (int i = 0; i < 7; ++i)
    wanted.push_back({"tenant-" + std::to_string(i), "n", "", {}});
  BOOST_REQUIRE(f.ask(&store::create_tenants, wanted));
  std::vector<std::string> seen;
  page_request request{3, {}};
  for (;;) {
    const auto page = f.ask(&store::list_tenants, request);
    BOOST_REQUIRE(page);
    BOOST_TEST(page->data.size() <= 3U);
    for (const auto& each : page->data)
      seen.push_back(each.slug);
    if (!page->next)
      break;
    request.before = page->next;
  }
  const std::vector<std::string> expected{"tenant-6", "tenant-5", "tenant-4", "tenant-3",
                                          "tenant-2", "tenant-1", "tenant-0"};
  BOOST_TEST(seen == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_deleted_tenant_is_gone_and_its_slug_free) {
  fixture f;
  const auto first = f.tenant("acme");
  const auto before = f.version("acme");
  BOOST_REQUIRE(f.ask(&store::delete_tenant, "acme"));
  BOOST_TEST(f.version("acme") == before + 1);
  BOOST_TEST(f.changed.size() == 2U);
  check_refused(f.ask(&store::get_tenant, "acme"), 404, "not-found");
  check_refused(f.ask(&store::get_tenant, to_string(first.id)), 404, "not-found");
  check_refused(f.ask(&store::delete_tenant, "acme"), 404, "not-found");
  check_refused(f.ask(&store::create_sources, "acme", std::vector<new_source>{}), 404, "not-found");
  BOOST_TEST((f.tenant("acme").id != first.id));
}

BOOST_AUTO_TEST_CASE(unknown_tenants_are_not_found_by_any_call) {
  fixture f;
  for (const auto& key :
       {std::string{"nobody"}, to_string(tenant_id{new_uuid(wall_time{})}), std::string{"ten_x"}, std::string{}}) {
    check_refused(f.ask(&store::get_tenant, key), 404, "not-found");
    check_refused(f.ask(&store::list_sources, key, page_request{}), 404, "not-found");
    check_refused(f.ask(&store::list_endpoints, key, page_request{}), 404, "not-found");
    check_refused(f.ask(&store::list_deliveries, key, delivery_filter{}, page_request{}), 404, "not-found");
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(management_store_sources)

BOOST_AUTO_TEST_CASE(a_source_is_created_found_and_deleted) {
  fixture f;
  f.tenant("acme");
  const auto made = f.source("acme", "github", {"new", "old"});
  for (const auto& key : {std::string{"github"}, to_string(made.id)}) {
    const auto got = f.ask(&store::get_source, "acme", key);
    BOOST_REQUIRE(got);
    BOOST_TEST((got->id == made.id));
    BOOST_TEST(got->tenant_slug == "acme");
    BOOST_TEST(got->provider == "github");
    BOOST_TEST(got->secret_count == 2U);
    BOOST_TEST((got->dedupe == dedupe_mode::id));
  }
  BOOST_REQUIRE(f.ask(&store::delete_source, "acme", "github"));
  check_refused(f.ask(&store::get_source, "acme", "github"), 404, "not-found");
  check_refused(f.ask(&store::delete_source, "acme", to_string(made.id)), 404, "not-found");
  const auto left = f.ask(&store::list_sources, "acme", page_request{});
  BOOST_REQUIRE(left);
  BOOST_TEST(left->data.empty());
  BOOST_TEST((f.source("acme", "github").id != made.id)); // the name is free again
}

BOOST_AUTO_TEST_CASE(a_batch_with_a_taken_name_creates_nothing_and_changes_no_version) {
  fixture f;
  f.tenant("acme");
  f.source("acme", "github");
  const auto before = f.version("acme");
  const new_source other{"other", "github", "github", {"s"}};
  const new_source taken{"github", "github", "github", {"s"}};
  check_refused(f.ask(&store::create_sources, "acme", std::vector{other, taken}), 409, "name-taken");
  BOOST_TEST(f.sql("select count(*) from source") == "1");
  BOOST_TEST(f.version("acme") == before);
  f.tenant("umbrella");
  f.source("umbrella", "github"); // names belong to their tenant
}

BOOST_AUTO_TEST_CASE(a_name_that_looks_like_an_id_is_found) {
  fixture f;
  f.tenant("acme");
  const auto name = to_string(source_id{new_uuid(wall_time{milliseconds{1}})});
  const auto made = f.source("acme", name);
  const auto got = f.ask(&store::get_source, "acme", name);
  BOOST_REQUIRE(got);
  BOOST_TEST((got->id == made.id));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(management_store_endpoints)

BOOST_AUTO_TEST_CASE(every_field_of_an_endpoint_comes_back) {
  fixture f;
  f.tenant("acme");
  const auto github = f.source("acme", "github");
  const auto stripe = f.source("acme", "stripe");
  new_endpoint wanted;
  auto& config = wanted.config;
  config.url = "https://example.com/hook?a={\"b\"}";
  config.event_types = {"invoice.*", "a,b\"{}\\", "**"};
  config.headers = {{"x-one", "1, \"quoted\""}, {"x-two", ""}, {"X-Three", "\\{}"}};
  config.max_in_flight = 7;
  config.timeout = milliseconds{1'234};
  config.status = endpoint_status::paused;
  config.secrets = {{"whsec_new"}, {"whsec_old"}};
  config.retry = {};
  config.retry.schedule = {milliseconds{500}, milliseconds{2'000}};
  config.retry.jitter = 0.1;
  config.breaker.failures = 3;
  config.breaker.failure_rate = 0.75;
  config.breaker.cool_down = milliseconds{250};
  wanted.sources = {to_string(stripe.id), "github"};
  wanted.description = "of the test";
  auto exponential = wanted;
  exponential.config.retry = {};
  exponential.config.retry.base = milliseconds{1'500};
  exponential.config.retry.factor = 1.5;
  exponential.config.retry.attempts_max = 9;
  exponential.sources.clear();

  const auto made = f.ask(&store::create_endpoints, "acme", std::vector{wanted, exponential});
  BOOST_REQUIRE_MESSAGE(made, (made ? "" : made.error().detail));
  BOOST_REQUIRE(made->size() == 2U);
  BOOST_TEST((made->front().config.secrets.size() == 2U)); // in the answer to the creation alone
  const auto got = f.ask(&store::get_endpoint, "acme", made->front().config.id);
  BOOST_REQUIRE(got);
  BOOST_TEST(got->config.url == config.url);
  BOOST_TEST(got->config.event_types == config.event_types, boost::test_tools::per_element());
  BOOST_TEST((got->config.headers == config.headers));
  BOOST_TEST(got->config.max_in_flight == 7U);
  BOOST_TEST((got->config.timeout == config.timeout));
  BOOST_TEST((got->config.status == endpoint_status::paused));
  BOOST_TEST(got->config.secrets.empty());
  BOOST_TEST((got->config.retry == config.retry));
  BOOST_TEST((got->config.breaker == config.breaker));
  BOOST_TEST(got->description == "of the test");
  const std::vector<std::string> ids{to_string(stripe.id), to_string(github.id)};
  BOOST_TEST(got->source_ids == ids, boost::test_tools::per_element());
  BOOST_TEST((got->breaker == breaker_state::closed));

  const auto second = f.ask(&store::get_endpoint, "acme", made->back().config.id);
  BOOST_REQUIRE(second);
  BOOST_TEST((second->config.retry == exponential.config.retry));
  BOOST_TEST(second->config.sources.empty());

  const auto secret = f.ask(&store::get_endpoint_secret, "acme", made->front().config.id);
  BOOST_REQUIRE(secret);
  BOOST_TEST(*secret == "whsec_new");
}

BOOST_AUTO_TEST_CASE(defaults_come_back_as_defaults) {
  fixture f;
  f.tenant("acme");
  const auto made = f.endpoint("acme");
  BOOST_TEST((made.config.retry == default_retry_policy()));
  BOOST_TEST((made.config.breaker == breaker_policy{}));
  BOOST_TEST(f.sql("select retry is null and breaker is null from endpoint") == "t");
}

BOOST_AUTO_TEST_CASE(unknown_sources_are_all_named_and_nothing_is_created) {
  fixture f;
  f.tenant("acme");
  f.source("acme", "github");
  f.tenant("umbrella");
  const auto foreign = f.source("umbrella", "theirs");
  new_endpoint wanted;
  wanted.config.url = "https://example.com";
  wanted.config.secrets = {{"whsec_x"}};
  wanted.sources = {"github", "none", to_string(foreign.id)};
  const auto one = f.ask(&store::create_endpoints, "acme", std::vector{wanted});
  check_refused(one, 422, "validation-failed");
  BOOST_REQUIRE(one.error().errors.size() == 2U);
  BOOST_TEST(one.error().errors[0].pointer == "/sources/1");
  BOOST_TEST(one.error().errors[1].pointer == "/sources/2");
  auto good = wanted;
  good.sources = {"github"};
  wanted.sources_at = "/endpoints/1/sources";
  const auto batch = f.ask(&store::create_endpoints, "acme", std::vector{good, wanted});
  check_refused(batch, 422, "validation-failed");
  BOOST_TEST(batch.error().errors[0].pointer == "/endpoints/1/sources/1");
  BOOST_TEST(f.sql("select count(*) from endpoint") == "0");
}

BOOST_AUTO_TEST_CASE(a_deleted_endpoint_is_gone) {
  fixture f;
  f.tenant("acme");
  const auto made = f.endpoint("acme");
  BOOST_REQUIRE(f.ask(&store::delete_endpoint, "acme", made.config.id));
  check_refused(f.ask(&store::get_endpoint, "acme", made.config.id), 404, "not-found");
  check_refused(f.ask(&store::get_endpoint_secret, "acme", made.config.id), 404, "not-found");
  check_refused(f.ask(&store::delete_endpoint, "acme", made.config.id), 404, "not-found");
  const auto left = f.ask(&store::list_endpoints, "acme", page_request{});
  BOOST_REQUIRE(left);
  BOOST_TEST(left->data.empty());
}

BOOST_AUTO_TEST_CASE(the_breaker_is_shown_as_its_owner_left_it) {
  fixture f;
  f.tenant("acme");
  const auto made = f.endpoint("acme");
  f.sql(
    "insert into endpoint_runtime (endpoint_no, tenant_no, breaker_state, opened_in_a_row, since, next_probe_at, fence)"
    " select no, tenant_no, 1, 2, '2026-01-02 03:04:05.006Z', '2026-01-02 03:05:05.006Z', 1 from endpoint");
  const auto got = f.ask(&store::get_endpoint, "acme", made.config.id);
  BOOST_REQUIRE(got);
  BOOST_TEST((got->breaker == breaker_state::open));
  BOOST_TEST((got->breaker_since == parse_rfc3339("2026-01-02T03:04:05.006Z")));
  BOOST_TEST((got->next_probe_at == parse_rfc3339("2026-01-02T03:05:05.006Z")));
}

BOOST_AUTO_TEST_CASE(secrets_are_not_readable_in_the_database) {
  fixture f;
  f.tenant("acme");
  f.source("acme", "github", {"readable source secret"});
  f.endpoint("acme");
  BOOST_TEST(f.sql("select count(*) from source_secret") == "1");
  BOOST_TEST(f.sql("select count(*) from endpoint_secret") == "1");
  const auto hidden = [&](const std::string& table, const std::string& text) {
    return f.sql("select bool_and(position('" + text + "'::bytea in sealed) = 0) from " + table);
  };
  BOOST_TEST(hidden("source_secret", "readable") == "t");
  BOOST_TEST(hidden("endpoint_secret", "readable") == "t");
  BOOST_TEST(f.sql("select bool_and(length(data_key) = 1 + 4 + 12 + 32 + 16) from tenant") == "t");
}

BOOST_AUTO_TEST_CASE(another_master_key_reads_no_secret) {
  fixture f;
  f.tenant("acme");
  const auto made = f.endpoint("acme");
  management_store_options options;
  options.url = f.url;
  options.master_key = random_bytes<32>();
  metrics counts;
  store other{options, counts};
  std::promise<result<std::string>> promise;
  other.get_endpoint_secret("acme", made.config.id,
                            [&](result<std::string> answer) { promise.set_value(std::move(answer)); });
  const auto answer = promise.get_future().get();
  check_refused(answer, 500, "secret-unreadable");
  BOOST_TEST(answer.error().detail.find("readable_secret_text") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
