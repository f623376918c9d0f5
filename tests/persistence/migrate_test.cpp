#include "persistence/migrate.hpp"

#include "persistence/insecure_key.hpp"
#include "persistence/key_repository.hpp"
#include "tests/support/postgres_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <pqxx/pqxx>

#include <array>
#include <string>
#include <thread>

using namespace postrider;
using tests::postgres_fixture;

namespace {

std::string ask(const std::string& url, const std::string& sql) {
  pqxx::connection connection{url};
  return pqxx::nontransaction{connection}.exec1(sql)[0].as<std::string>();
}

void tell(const std::string& url, const std::string& sql) {
  pqxx::connection connection{url};
  pqxx::nontransaction{connection}.exec(sql);
}

const int newest = static_cast<int>(embedded_migrations().size());

} // namespace

BOOST_AUTO_TEST_SUITE(migrate_test)

BOOST_AUTO_TEST_CASE(an_empty_database_gets_the_whole_schema_and_its_partitions) {
  const auto url = postgres_fixture::instance().empty_database();
  const auto report = migrate(url);
  BOOST_REQUIRE_MESSAGE(report, (report ? "" : report.error().detail));
  BOOST_TEST(report->from == 0);
  BOOST_TEST(report->to == newest);
  BOOST_TEST(report->applied.size() == embedded_migrations().size());
  BOOST_TEST(ask(url, "select count(*) from schema_migration where length(sha256) = 64") == std::to_string(newest));
  for (const char* table : {"event", "delivery", "attempt", "dedupe"})
    BOOST_TEST(ask(url, "select count(*) >= 4 from pg_inherits where inhparent = '" + std::string{table} +
                          "'::regclass") == "t");
  BOOST_TEST(ask(url, "select rolcanlogin from pg_roles where rolname = 'postrider_api'") == "f");
}

BOOST_AUTO_TEST_CASE(a_second_time_changes_nothing) {
  const auto url = postgres_fixture::instance().fresh_database();
  const auto before =
    ask(url, "select string_agg(number || sha256 || applied_at, ',' order by number) from schema_migration");
  const auto report = migrate(url);
  BOOST_REQUIRE(report);
  BOOST_TEST(report->from == newest);
  BOOST_TEST(report->applied.empty());
  BOOST_TEST(ask(url, "select string_agg(number || sha256 || applied_at, ',' order by number) from schema_migration") ==
             before);
  BOOST_TEST(check_schema(url).has_value());
}

BOOST_AUTO_TEST_CASE(several_at_once_apply_each_migration_once) {
  const auto url = postgres_fixture::instance().empty_database();
  std::array<std::size_t, 4> applied{};
  std::array<std::string, 4> errors;
  std::array<std::thread, 4> threads;
  for (std::size_t i = 0; i < threads.size(); ++i)
    threads[i] = std::thread{[&, i] {
      const auto report = migrate(url);
      if (report)
        applied[i] = report->applied.size();
      else
        errors[i] = report.error().detail;
    }};
  std::size_t sum = 0;
  for (std::size_t i = 0; i < threads.size(); ++i) {
    threads[i].join();
    BOOST_TEST(errors[i] == "");
    sum += applied[i];
  }
  BOOST_TEST(sum == embedded_migrations().size());
}

BOOST_AUTO_TEST_CASE(partitions_that_are_missing_are_made_again) {
  const auto url = postgres_fixture::instance().fresh_database();
  const auto today = ask(url, "select to_char(clock_timestamp() at time zone 'UTC', 'YYYYMMDD')");
  tell(url, "drop table event_" + today);
  BOOST_REQUIRE(migrate(url));
  BOOST_TEST(ask(url, "select to_regclass('event_" + today + "') is not null") == "t");
}

BOOST_AUTO_TEST_CASE(a_newer_schema_is_refused) {
  const auto url = postgres_fixture::instance().fresh_database();
  tell(url, "insert into schema_migration (number, name, sha256) values (" + std::to_string(newest + 1) +
              ", 'future', 'x')");
  for (const auto& report : {migrate(url), check_schema(url)}) {
    BOOST_REQUIRE(!report);
    BOOST_TEST(report.error().code == "schema-newer");
    BOOST_TEST(report.error().detail.find("future") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_changed_migration_is_refused) {
  const auto url = postgres_fixture::instance().fresh_database();
  tell(url, "update schema_migration set sha256 = repeat('0', 64) where number = 1");
  for (const auto& report : {migrate(url), check_schema(url)}) {
    BOOST_REQUIRE(!report);
    BOOST_TEST(report.error().code == "schema-changed");
  }
}

BOOST_AUTO_TEST_CASE(an_older_schema_is_reported_and_left_alone_by_the_check) {
  const auto url = postgres_fixture::instance().empty_database();
  const auto report = check_schema(url);
  BOOST_REQUIRE(!report);
  BOOST_TEST(report.error().code == "schema-older");
  BOOST_TEST(ask(url, "select to_regclass('schema_migration') is null") == "t");
}

BOOST_AUTO_TEST_CASE(a_failing_migration_is_undone_and_the_ones_before_it_stay) {
  const auto url = postgres_fixture::instance().empty_database();
  const std::array<migration, 2> broken{
    {{1, "good", "create table good (n int)"}, {2, "bad", "create table half (n int); select no_such_function()"}}};
  const auto failed = migrate(url, broken);
  BOOST_REQUIRE(!failed);
  BOOST_TEST(failed.error().code == "migration-failed");
  BOOST_TEST(failed.error().detail.find("bad") != std::string::npos);
  BOOST_TEST(ask(url, "select to_regclass('good') is not null and to_regclass('half') is null") == "t");

  const std::array<migration, 2> mended{{broken[0], {2, "bad", "create table whole (n int)"}}};
  const auto report = migrate(url, mended);
  BOOST_REQUIRE(report);
  BOOST_TEST(report->from == 1);
  BOOST_TEST(report->to == 2);
}

BOOST_AUTO_TEST_CASE(a_database_that_is_away_is_reported_as_such) {
  const auto url = postgres_fixture::instance().empty_database();
  const auto nowhere = url.substr(0, url.find("?host=")) + "?host=%2Fnonexistent";
  const auto report = migrate(nowhere);
  BOOST_REQUIRE(!report);
  BOOST_TEST(report.error().code == "store-unavailable");
  BOOST_TEST(report.error().status == 503);
}

BOOST_AUTO_TEST_CASE(a_database_that_is_no_primary_just_now_counts_as_away) {
  const auto url = postgres_fixture::instance().fresh_database();
  tell(url, "do $$ begin execute format('alter database %I set default_transaction_read_only = on', "
            "current_database()); end $$");
  const auto report = migrate(url);
  BOOST_REQUIRE(!report);
  BOOST_TEST(report.error().code == "store-unavailable");
}

BOOST_AUTO_TEST_CASE(a_server_that_never_answers_is_given_up) {
  postgres_fixture server{{}};
  const auto url = server.fresh_database();
  server.freeze();
  const auto report = migrate(url);
  const auto key = insecure_master_key(url);
  const auto keys = list_api_keys(url);
  server.thaw();
  BOOST_REQUIRE(!report);
  BOOST_TEST(report.error().code == "store-unavailable");
  BOOST_REQUIRE(!key);
  BOOST_TEST(key.error().code == "store-unavailable");
  BOOST_REQUIRE(!keys);
  BOOST_TEST(keys.error().code == "store-unavailable");
}

BOOST_AUTO_TEST_SUITE_END()
