#include "tests/persistence/management_fixture.hpp"

#include "persistence/tenant_access.hpp"

#include <atomic>

using namespace postrider;
using fixture = tests::management_fixture;
using store = postgres_management_store;
using tests::check_refused;

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
  check_refused(f.ask(&store::delete_source, "acme", "none"), 404, "not-found");
  BOOST_TEST(f.version("acme") == before);
  BOOST_TEST(f.changed.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_name_is_compared_to_its_end) {
  fixture f;
  f.tenant("acme");
  f.source("acme", "github");
  using namespace std::string_literals;
  for (const auto& name : {"acme\0x"s, "acme\0"s, "\xff"s, "acme "s, "caf\xc3\xa9"s}) {
    check_refused(f.ask(&store::get_tenant, name), 404, "not-found");
    check_refused(f.ask(&store::delete_tenant, name), 404, "not-found");
  }
  check_refused(f.ask(&store::delete_source, "acme", "github\0x"s), 404, "not-found");
  check_refused(f.ask(&store::delete_source, "acme", "\xff"s), 404, "not-found");
  BOOST_TEST(f.ask(&store::get_tenant, "acme").has_value());
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
  check_refused(f.ask(&store::get_source, "acme", to_string(source.id)), 404, "not-found");
  check_refused(f.ask(&store::get_source, "acme", "theirs"), 404, "not-found");
  check_refused(f.ask(&store::delete_source, "acme", to_string(source.id)), 404, "not-found");
  check_refused(f.ask(&store::get_endpoint, "acme", endpoint.config.id), 404, "not-found");
  check_refused(f.ask(&store::get_endpoint_secret, "acme", endpoint.config.id), 404, "not-found");
  check_refused(f.ask(&store::delete_endpoint, "acme", endpoint.config.id), 404, "not-found");
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
  f.sql("update delivery set attempt_count = 2, success_started_at = now(), success_duration_ms = 1");

  pqxx::connection connection{f.url};
  pqxx::work transaction{connection};
  const auto tenant = enter_tenant(transaction, "acme", access::read);
  for (const char* table :
       {"endpoint", "source_secret", "endpoint_secret", "event", "delivery", "attempt", "delivery_attempt"}) {
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
