#include "persistence/management_store.hpp"

#include "core/shard.hpp"
#include "persistence/key_repository.hpp"
#include "persistence/random_bytes.hpp"
#include "persistence/tenant_access.hpp"
#include "tests/support/postgres_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <pqxx/pqxx>

#include <algorithm>
#include <future>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace postrider;
using tests::postgres_fixture;

namespace {

/// A store on a database of its own.
struct fixture {
  explicit fixture(postgres_fixture& server = postgres_fixture::instance(),
                   milliseconds call_deadline = milliseconds{20'000})
      : url{server.fresh_database()}, store{options_for(call_deadline), counts} {}

  management_store_options options_for(milliseconds call_deadline) {
    management_store_options out;
    out.url = url;
    out.master_key = master_key;
    out.call_deadline = call_deadline;
    out.changed = [this](tenant_no no) {
      const std::lock_guard guard{mutex};
      changed.push_back(no);
    };
    return out;
  }

  /// The answer of `(store.*method)(arguments..., done)`.
  template <class T, class... Parameters, class... Arguments>
  result<T> ask(void (postgres_management_store::*method)(Parameters..., reply<T>), Arguments&&... arguments) {
    const auto promise = std::make_shared<std::promise<result<T>>>();
    auto future = promise->get_future();
    (store.*method)(std::forward<Arguments>(arguments)...,
                    [promise](result<T> answer) { promise->set_value(std::move(answer)); });
    if (future.wait_for(std::chrono::seconds{60}) != std::future_status::ready)
      throw std::runtime_error("the store did not answer");
    return future.get();
  }

  std::string sql(const std::string& text) const {
    pqxx::connection connection{url};
    pqxx::nontransaction session{connection};
    const auto rows = session.exec(text);
    return rows.empty() || rows[0].empty() ? "" : rows[0][0].as<std::string>("null");
  }
  std::int64_t version(const std::string& slug) const {
    return std::stoll(sql("select config_version from tenant where slug = '" + slug + "' order by no desc limit 1"));
  }

  tenant_record tenant(const std::string& slug) {
    const auto made =
      ask(&postgres_management_store::create_tenants, std::vector{new_tenant{slug, "Name of " + slug, "", {}}});
    BOOST_REQUIRE_MESSAGE(made, (made ? "" : made.error().detail));
    return made->front();
  }
  source_record source(const std::string& slug, const std::string& name,
                       std::vector<std::string> secrets = {"a secret of the source"}) {
    new_source wanted{name, "github", "github", std::move(secrets)};
    const auto made = ask(&postgres_management_store::create_sources, slug, std::vector{wanted});
    BOOST_REQUIRE_MESSAGE(made, (made ? "" : made.error().detail));
    return made->front();
  }
  endpoint_record endpoint(const std::string& slug, const std::string& url_of_it = "https://example.com/hook") {
    new_endpoint wanted;
    wanted.config.url = url_of_it;
    wanted.config.secrets = {{"whsec_readable_secret_text"}};
    const auto made = ask(&postgres_management_store::create_endpoints, slug, std::vector{wanted});
    BOOST_REQUIRE_MESSAGE(made, (made ? "" : made.error().detail));
    return made->front();
  }

  secret_key master_key = random_bytes<32>();
  std::string url;
  metrics counts;
  std::mutex mutex;
  std::vector<tenant_no> changed;
  postgres_management_store store;
};

using store = postgres_management_store;

template <class T>
void refused(const result<T>& answer, int status, const std::string& code) {
  BOOST_REQUIRE(!answer);
  BOOST_TEST(answer.error().status == status);
  BOOST_TEST(answer.error().code == code);
}

} // namespace

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
  refused(f.ask(&store::create_tenants, std::vector{new_tenant{"first", "n", "", {}}, new_tenant{"acme", "n", "", {}}}),
          409, "slug-taken");
  refused(
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
  refused(f.ask(&store::get_tenant, "acme"), 404, "not-found");
  refused(f.ask(&store::get_tenant, to_string(first.id)), 404, "not-found");
  refused(f.ask(&store::delete_tenant, "acme"), 404, "not-found");
  refused(f.ask(&store::create_sources, "acme", std::vector<new_source>{}), 404, "not-found");
  BOOST_TEST((f.tenant("acme").id != first.id));
}

BOOST_AUTO_TEST_CASE(unknown_tenants_are_not_found_by_any_call) {
  fixture f;
  for (const auto& key :
       {std::string{"nobody"}, to_string(tenant_id{new_uuid(wall_time{})}), std::string{"ten_x"}, std::string{}}) {
    refused(f.ask(&store::get_tenant, key), 404, "not-found");
    refused(f.ask(&store::list_sources, key, page_request{}), 404, "not-found");
    refused(f.ask(&store::list_endpoints, key, page_request{}), 404, "not-found");
    refused(f.ask(&store::list_deliveries, key, delivery_filter{}, page_request{}), 404, "not-found");
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
  refused(f.ask(&store::get_source, "acme", "github"), 404, "not-found");
  refused(f.ask(&store::delete_source, "acme", to_string(made.id)), 404, "not-found");
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
  refused(f.ask(&store::create_sources, "acme", std::vector{other, taken}), 409, "name-taken");
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
  refused(one, 422, "validation-failed");
  BOOST_REQUIRE(one.error().errors.size() == 2U);
  BOOST_TEST(one.error().errors[0].pointer == "/sources/1");
  BOOST_TEST(one.error().errors[1].pointer == "/sources/2");
  auto good = wanted;
  good.sources = {"github"};
  const auto batch = f.ask(&store::create_endpoints, "acme", std::vector{good, wanted});
  refused(batch, 422, "validation-failed");
  BOOST_TEST(batch.error().errors[0].pointer == "/endpoints/1/sources/1");
  BOOST_TEST(f.sql("select count(*) from endpoint") == "0");
}

BOOST_AUTO_TEST_CASE(a_deleted_endpoint_is_gone) {
  fixture f;
  f.tenant("acme");
  const auto made = f.endpoint("acme");
  BOOST_REQUIRE(f.ask(&store::delete_endpoint, "acme", made.config.id));
  refused(f.ask(&store::get_endpoint, "acme", made.config.id), 404, "not-found");
  refused(f.ask(&store::get_endpoint_secret, "acme", made.config.id), 404, "not-found");
  refused(f.ask(&store::delete_endpoint, "acme", made.config.id), 404, "not-found");
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
  refused(answer, 500, "secret-unreadable");
  BOOST_TEST(answer.error().detail.find("readable_secret_text") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(management_store_versions)

BOOST_AUTO_TEST_CASE(every_change_counts_the_version_up_and_is_told) {
  fixture f;
  f.tenant("acme");
  auto last = f.version("acme");
  const auto grows = [&] {
    const auto now = f.version("acme");
    BOOST_TEST(now == last + 1);
    last = now;
  };
  const auto source = f.source("acme", "github");
  grows();
  const auto endpoint = f.endpoint("acme");
  grows();
  BOOST_REQUIRE(f.ask(&store::delete_endpoint, "acme", endpoint.config.id));
  grows();
  BOOST_REQUIRE(f.ask(&store::delete_source, "acme", to_string(source.id)));
  grows();
  BOOST_REQUIRE(f.ask(&store::delete_tenant, "acme"));
  grows();
  BOOST_TEST(f.changed.size() == 6U);
  BOOST_TEST(f.sql("select count(*) from audit_log") == "6");
}

BOOST_AUTO_TEST_CASE(reading_and_failing_change_no_version) {
  fixture f;
  f.tenant("acme");
  const auto before = f.version("acme");
  BOOST_REQUIRE(f.ask(&store::get_tenant, "acme"));
  BOOST_REQUIRE(f.ask(&store::list_endpoints, "acme", page_request{}));
  refused(f.ask(&store::delete_source, "acme", "none"), 404, "not-found");
  BOOST_TEST(f.version("acme") == before);
  BOOST_TEST(f.changed.size() == 1U);
}

BOOST_AUTO_TEST_CASE(concurrent_changes_of_one_tenant_each_count) {
  fixture f;
  f.tenant("acme");
  const auto before = f.version("acme");
  constexpr int calls = 40;
  std::promise<void> all;
  std::atomic<int> left{calls};
  std::atomic<int> good{0};
  for (int i = 0; i < calls; ++i)
    f.store.create_sources("acme", {{"s" + std::to_string(i), "github", "github", {"x"}}},
                           [&](result<std::vector<source_record>> answer) {
                             good += answer.has_value() ? 1 : 0;
                             if (--left == 0)
                               all.set_value();
                           });
  BOOST_REQUIRE((all.get_future().wait_for(std::chrono::seconds{60}) == std::future_status::ready));
  BOOST_TEST(good == calls);
  BOOST_TEST(f.version("acme") == before + calls);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(management_store_isolation)

BOOST_AUTO_TEST_CASE(ids_of_another_tenant_are_not_found) {
  fixture f;
  f.tenant("acme");
  f.tenant("umbrella");
  const auto source = f.source("umbrella", "theirs");
  const auto endpoint = f.endpoint("umbrella");
  refused(f.ask(&store::get_source, "acme", to_string(source.id)), 404, "not-found");
  refused(f.ask(&store::get_source, "acme", "theirs"), 404, "not-found");
  refused(f.ask(&store::delete_source, "acme", to_string(source.id)), 404, "not-found");
  refused(f.ask(&store::get_endpoint, "acme", endpoint.config.id), 404, "not-found");
  refused(f.ask(&store::get_endpoint_secret, "acme", endpoint.config.id), 404, "not-found");
  refused(f.ask(&store::delete_endpoint, "acme", endpoint.config.id), 404, "not-found");
  BOOST_TEST(f.ask(&store::get_endpoint, "umbrella", endpoint.config.id).has_value());
}

BOOST_AUTO_TEST_CASE(a_confined_transaction_sees_and_changes_nothing_of_others_even_without_a_condition) {
  fixture f;
  f.tenant("acme");
  f.tenant("umbrella");
  f.source("umbrella", "theirs");
  f.endpoint("umbrella");
  const auto own = f.source("acme", "ours");
  const auto event = to_string(new_uuid(std::chrono::floor<milliseconds>(std::chrono::system_clock::now())));
  f.sql("insert into event (id, tenant_no, source_no, type, provider_event_id, content_type, headers, forward_headers, "
        "body)"
        " select '" +
        event + "', tenant_no, no, 't', 'p', 'c', '', '', '' from source where name = 'theirs'");
  f.sql("insert into delivery (id, event_id, tenant_no, endpoint_no, fence, updated_at, seed, attempt_count, "
        "generation, step, shard,"
        " state, reason, last_reason, last_status) select '" +
        event + "', '" + event + "', tenant_no, no, 0, now(), 1, 1, 1, 0, 0, 3, 0, 0, 0 from endpoint");
  f.sql("insert into attempt select '" + event + "', 1, now(), 1, 1, 0, 200, null");

  pqxx::connection connection{f.url};
  pqxx::work transaction{connection};
  const auto tenant = enter_tenant(transaction, "acme", access::read);
  for (const char* table : {"endpoint", "source_secret", "endpoint_secret", "event", "delivery", "attempt"}) {
    const auto theirs = std::string{"select count(*) from "} + table;
    const auto expected = std::string{table} == "source_secret" ? 1 : 0;
    BOOST_TEST(transaction.exec1(theirs)[0].as<int>() == expected);
  }
  BOOST_TEST(transaction.exec1("select string_agg(name, ',') from source")[0].as<std::string>() == "ours");
  BOOST_TEST(transaction.exec1("select string_agg(slug, ',') from tenant")[0].as<std::string>() == "acme");
  BOOST_TEST(transaction.exec("update source set name = 'stolen'").affected_rows() == 1U);
  BOOST_CHECK_THROW(transaction.exec("update source set tenant_no = " + std::to_string(tenant.no + 1)),
                    pqxx::insufficient_privilege);
}

BOOST_AUTO_TEST_CASE(the_confinement_ends_with_its_transaction) {
  fixture f;
  f.tenant("acme");
  f.tenant("umbrella");
  pqxx::connection connection{f.url};
  {
    pqxx::work transaction{connection};
    enter_tenant(transaction, "acme", access::read);
    transaction.commit();
  }
  pqxx::work transaction{connection};
  BOOST_TEST(transaction.exec1("select count(*) from tenant")[0].as<int>() == 2);
  BOOST_TEST(transaction.exec1("select coalesce(current_setting('postrider.tenant', true), '')")[0].as<std::string>() ==
             "");
}

BOOST_AUTO_TEST_SUITE_END()
