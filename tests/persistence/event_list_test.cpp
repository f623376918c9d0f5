#include "persistence/event_list.hpp"

#include "persistence/event_repository.hpp"
#include "persistence/tenant_access.hpp"
#include "tests/persistence/management_fixture.hpp"

#include <set>

using namespace postrider;
using namespace std::chrono_literals;
using store = postgres_management_store;

namespace {

/// Two tenants; the first with events on three days: `per_day` each, a minute apart at most, every 1000th of type
/// `rare`.
struct list_fixture : tests::management_fixture {
  explicit list_fixture(int per_day) {
    tenant("acme");
    tenant("umbrella");
    source("acme", "github");
    source("acme", "stripe");
    first = endpoint("acme", "https://one.example.com").config.id;
    sql("select ensure_partitions((clock_timestamp() at time zone 'UTC')::date - 3, (clock_timestamp() at time zone "
        "'UTC')::date)");
    for (int day = 3; day >= 1; --day)
      sql("insert into event (id, tenant_no, source_no, type, provider_event_id, content_type, headers, "
          "forward_headers, body) select overlay(least_uuid_v7(d.start + i * interval '1 second')::text placing "
          "lpad(to_hex(i), 12, '0') from 25)::uuid, t.no, (select no from source where name = case when i % 2 = 0 then "
          "'github' else 'stripe' end), case when i % 1000 = 0 then 'rare' else 'push' end, 'p', 'application/json', "
          "'', '', convert_to(repeat('x', 200), 'UTF8') from (select date_trunc('day', clock_timestamp() at time zone "
          "'UTC') at time zone 'UTC' - interval '" +
          std::to_string(day) + " days' as start) d, tenant t, generate_series(1, " + std::to_string(per_day) +
          ") i where t.slug = 'acme'");
    sql("analyze event");
  }

  page<event_record> list(const event_filter& filter, const page_request& request, const event_list_bounds& bounds = {},
                          const std::string& slug = "acme") const {
    pqxx::connection connection{url};
    pqxx::work transaction{connection};
    const auto in = enter_tenant(transaction, slug, access::read);
    return list_events(transaction, in, filter, request, bounds);
  }
  /// All pages; how many there were.
  std::vector<event_record> all(const event_filter& filter, std::size_t limit, const event_list_bounds& bounds = {},
                                int* pages = nullptr) const {
    std::vector<event_record> out;
    page_request request{limit, {}};
    for (int n = 1;; ++n) {
      auto one = list(filter, request, bounds);
      out.insert(out.end(), one.data.begin(), one.data.end());
      if (pages != nullptr)
        *pages = n;
      if (!one.next)
        return out;
      BOOST_REQUIRE((!request.before || *one.next < *request.before)); // each page gets on
      request.before = one.next;
    }
  }
  static bool newest_first(const std::vector<event_record>& events) {
    return std::is_sorted(events.begin(), events.end(), [](const auto& a, const auto& b) { return b.id < a.id; });
  }

  endpoint_id first;
};

} // namespace

BOOST_AUTO_TEST_SUITE(event_list)

BOOST_AUTO_TEST_CASE(pages_are_whole_and_newest_first_over_all_days) {
  const list_fixture f{100};
  const auto events = f.all({}, 7);
  BOOST_TEST(events.size() == 300U);
  BOOST_TEST(list_fixture::newest_first(events));
  std::set<event_id> ids;
  for (const auto& each : events)
    ids.insert(each.id);
  BOOST_TEST(ids.size() == 300U);
  BOOST_TEST(!f.list({}, {250, f.list({}, {50, {}}).next}).next); // exactly the rest: no page follows
  BOOST_TEST(f.list({}, {50, {}}, {}, "umbrella").data.empty());
}

BOOST_AUTO_TEST_CASE(type_source_and_time_narrow_it) {
  list_fixture f{1'000};
  BOOST_TEST(f.all({.type = "rare"}, 50).size() == 3U);
  BOOST_TEST(f.all({.type = "rar"}, 50).empty());
  const auto stripe = f.all({.source = "stripe"}, 250);
  BOOST_TEST(stripe.size() == 1'500U);
  BOOST_TEST(stripe.front().source == "stripe");
  const auto by_id = f.ask(&store::get_source, "acme", "stripe");
  BOOST_TEST(f.all({.source = to_string(by_id.value().id)}, 250).size() == 1'500U);
  BOOST_TEST(f.all({.source = "unknown"}, 50).empty());
  BOOST_TEST(f.all({.source = "api"}, 50).empty());
  BOOST_TEST(f.all({.type = "rare", .source = "stripe"}, 50).empty());
  const auto newest = f.list({}, {10, {}}).data;
  BOOST_TEST(f.all({.since = newest[4].received_at}, 50).size() == 5U);      // inclusive
  const auto until = f.list({.until = newest[4].received_at}, {1, {}}).data; // exclusive
  BOOST_TEST((until.at(0).id < newest[4].id));
  BOOST_TEST(f.all({.since = newest[4].received_at, .until = newest[1].received_at}, 50).size() == 3U);
  BOOST_TEST(f.all({.since = newest[1].received_at, .until = newest[4].received_at}, 50).empty());
  BOOST_REQUIRE(f.ask(&store::delete_source, "acme", "stripe"));
  BOOST_TEST(f.all({.source = "stripe"}, 250).size() == 1'500U); // the list still calls them so
}

BOOST_AUTO_TEST_CASE(a_search_that_takes_too_long_ends_its_page_and_goes_on_in_the_next) {
  const list_fixture f{1'000};
  int pages = 0;
  const auto found = f.all({.type = "rare"}, 50, {.slice = 100, .searching = 0ms, .counting = 0ms}, &pages);
  BOOST_TEST(found.size() == 3U);
  BOOST_TEST(list_fixture::newest_first(found));
  BOOST_TEST(pages == 31); // a slice of 100 each, and the one that finds nothing left
}

BOOST_AUTO_TEST_CASE(deliveries_are_counted_by_state_in_runs_that_end_a_page_too) {
  list_fixture f{3};
  const auto events = f.all({}, 50);
  BOOST_REQUIRE(events.size() == 9U);
  for (const auto& event : events)
    for (const int state : {3, 3, 4})
      f.sql("insert into delivery (id, event_id, tenant_no, endpoint_no, fence, updated_at, seed, attempt_count, "
            "generation, step, shard, state, reason, last_reason, last_status) select '" +
            to_string(new_uuid(event.received_at)) + "', '" + to_string(event.id.value) +
            "', tenant_no, no, 0, now(), 1, 1, 1, 0, 0, " + std::to_string(state) + ", 0, 0, 0 from endpoint");
  const std::vector<std::pair<delivery_state, std::int64_t>> expected{{static_cast<delivery_state>(3), 2},
                                                                      {static_cast<delivery_state>(4), 1}};
  int pages = 0;
  const auto counted = f.all({}, 50, {.run = 3, .searching = 0ms, .counting = 0ms}, &pages);
  BOOST_TEST(pages == 3);
  BOOST_REQUIRE(counted.size() == 9U);
  for (const auto& event : counted)
    BOOST_TEST((event.deliveries == expected));
  for (const auto& event : f.list({}, {50, {}}).data)
    BOOST_TEST((event.deliveries == expected));
}

BOOST_AUTO_TEST_CASE(counting_reads_the_deliveries_of_the_page_alone_in_a_busy_minute) {
  list_fixture f{1};
  for (int i = 2; i <= 4; ++i)
    f.endpoint("acme", "https://" + std::to_string(i) + ".example.com");
  f.sql("create table made as select tenant_no, i, overlay(least_uuid_v7(d.start + i * interval '1 millisecond')::text "
        "placing lpad(to_hex(i), 12, '0') from 25)::uuid as id from (select date_trunc('day', clock_timestamp() at "
        "time zone 'UTC') at time zone 'UTC' - interval '12 hours' as start) d, generate_series(1, 5000) i, (select no "
        "as tenant_no from tenant where slug = 'acme') t");
  f.sql("insert into event (id, tenant_no, source_no, type, provider_event_id, content_type, headers, forward_headers, "
        "body) select id, tenant_no, 0, 'push', 'p', 'application/json', '', '', '' from made");
  f.sql("insert into delivery (id, event_id, tenant_no, endpoint_no, fence, updated_at, seed, attempt_count, "
        "generation, step, shard, state, reason, last_reason, last_status) select overlay(m.id::text placing "
        "lpad(to_hex(e.no), 12, '0') from 25)::uuid, m.id, m.tenant_no, e.no, 0, now(), 1, 1, 1, 0, 0, 3, 0, 0, 0 "
        "from made m, endpoint e");
  f.sql("analyze event; analyze delivery");
  pqxx::connection connection{f.url};
  pqxx::work transaction{connection};
  const auto in = enter_tenant(transaction, "acme", access::read);
  const auto read = [&] {
    return transaction
      .exec1("select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint from "
             "pg_stat_xact_user_tables where relname ~ '^delivery_[0-9]{8}$'")[0]
      .as<std::int64_t>();
  };
  const auto page = list_events(transaction, in, {}, {50, {}});
  BOOST_REQUIRE(page.data.size() == 50U);
  const std::vector<std::pair<delivery_state, std::int64_t>> expected{{static_cast<delivery_state>(3), 4}};
  for (const auto& event : page.data)
    BOOST_TEST((event.deliveries == expected));
  BOOST_TEST(read() < 1'000); // of 20,000
  const auto before = read();
  BOOST_TEST((get_event(transaction, in, page.data[7].id).deliveries == expected));
  BOOST_TEST(read() - before < 100);
}

BOOST_AUTO_TEST_CASE(a_rare_type_among_a_hundred_thousand_is_found_along_the_key_without_a_look_at_other_days) {
  const list_fixture f{40'000};
  const auto plan = [&](const std::string& low, const std::string& high) {
    pqxx::connection connection{f.url};
    pqxx::work transaction{connection};
    const auto in = enter_tenant(transaction, "acme", access::read);
    std::string out;
    for (const auto& row : transaction.exec(
           "explain (costs off) with slice as materialized (select id, type, source_no from event where tenant_no = " +
           std::to_string(in.no) + " and id >= " + low + " and id < " + high +
           " order by id desc limit 5000) select id from slice where type = 'rare'"))
      out += std::string{row[0].c_str()} + "\n";
    return out;
  };
  const auto everything = plan("'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'");
  BOOST_TEST(everything.find("Sort") == std::string::npos, everything); // one day after the other, by the primary key
  BOOST_TEST(everything.find("Seq Scan") == std::string::npos, everything);
  BOOST_TEST(everything.find("Index Scan Backward") != std::string::npos, everything);
  const auto low = least_uuid_v7(std::chrono::floor<milliseconds>(std::chrono::system_clock::now()) - 5min);
  const auto recent = plan("'" + to_string(low) + "'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'");
  const auto past = f.sql("select 'event_' || to_char((clock_timestamp() at time zone 'UTC')::date - 2, 'YYYYMMDD')");
  BOOST_TEST(everything.find(past) != std::string::npos, everything);
  BOOST_TEST(recent.find(past) == std::string::npos, recent);
  const auto began = std::chrono::steady_clock::now();
  const auto found = f.all({.type = "rare"}, 50);
  BOOST_TEST_MESSAGE("rare among 120,000: "
                     << std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - began).count()
                     << " ms");
  BOOST_TEST(found.size() == 120U);
  BOOST_TEST(list_fixture::newest_first(found));
}

BOOST_AUTO_TEST_SUITE_END()
