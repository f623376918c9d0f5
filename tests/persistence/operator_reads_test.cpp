#include "persistence/operator_sql.hpp"
#include "persistence/tenant_access.hpp"
#include "tests/persistence/management_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <numeric>
#include <regex>

using namespace postrider;
using tests::check_refused;

namespace {

struct operator_fixture : tests::management_fixture {
  template <class T, class Ask>
  static result<T> wait_for(Ask&& ask) {
    const auto promise = std::make_shared<std::promise<result<T>>>();
    auto future = promise->get_future();
    ask([promise](result<T> given) { promise->set_value(std::move(given)); });
    if (future.wait_for(std::chrono::seconds{60}) != std::future_status::ready)
      throw std::runtime_error("the store did not answer");
    return future.get();
  }
  resting_stretch read(resting_query query) {
    query.node = "n1";
    if (query.shards.empty())
      query.shards = every_shard();
    auto found = wait_for<resting_stretch>([&](auto done) { store.operators().resting(query, done); });
    BOOST_REQUIRE_MESSAGE(found.has_value(), (found ? "" : found.error().detail));
    BOOST_REQUIRE(found->rows.size() == found->places.places.size());
    BOOST_TEST(std::is_sorted(found->places.places.begin(), found->places.places.end()));
    return std::move(*found);
  }
  std::vector<tree_path> all(resting_query query) {
    std::vector<tree_path> out;
    for (int pages = 0; pages < 10'000; ++pages) {
      const auto found = read(query);
      BOOST_REQUIRE(found.places.places.size() <= query.limit);
      out.insert(out.end(), found.places.places.begin(), found.places.places.end());
      if (found.places.complete)
        return out;
      BOOST_REQUIRE(found.places.read_to.has_value());
      query.after = found.places.read_to;
    }
    BOOST_FAIL("the list does not end");
    return out;
  }
  result<std::optional<resting_actor>> one(const std::string& path, std::vector<shard_no> shards = every_shard()) {
    return wait_for<std::optional<resting_actor>>(
      [&](auto done) { store.operators().resting(*parse_tree_path(path), shards, done); });
  }
  static std::vector<shard_no> every_shard() {
    std::vector<shard_no> out(shard_count);
    std::iota(out.begin(), out.end(), shard_no{0});
    return out;
  }
  /// As many tenants, each with a source and as many endpoints, by SQL alone.
  void many(int tenants, int endpoints) const {
    sql("insert into tenant (id, slug, name, shard, data_key) select gen_random_uuid(), 't-' || i, '', i % 64, '' from "
        "generate_series(1, " +
        std::to_string(tenants) + ") i");
    sql("insert into endpoint (id, tenant_no, url) select gen_random_uuid(), no, '' from tenant, generate_series(1, " +
        std::to_string(endpoints) + ") where slug like 't-%'");
    sql("insert into source (id, tenant_no, name, provider, scheme) select gen_random_uuid(), no, 'github', 'github', "
        "'github' from tenant where slug like 't-%'");
  }
  /// The plans of the two statements that a stretch is read by.
  std::string explain() const {
    std::string out;
    pqxx::connection connection{url};
    pqxx::nontransaction session{connection};
    session.exec("prepare tenants (smallint[], text, bigint) as " + std::string{resting_tenants_sql});
    session.exec("prepare children (bigint[], bigint, boolean, boolean, uuid, text) as " +
                 std::string{resting_children_sql});
    for (const auto* call : {"tenants(array[1, 2, 3]::smallint[], 't-5', 16)",
                             "children('{1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16}'::bigint[], 51, true, true, "
                             "null, null)"})
      for (const auto& row : session.exec("explain execute " + std::string{call}))
        out += std::string{row[0].c_str()} + "\n";
    return out;
  }
  /// As many deliveries of the one endpoint that were never tried, all due.
  void never_tried(int count) const {
    sql("insert into delivery (id, event_id, tenant_no, endpoint_no, fence, next_attempt_at, updated_at, seed, "
        "attempt_count, generation, step, shard, state, reason, last_reason, last_status) "
        "select (left(least_uuid_v7(now())::text, 24) || lpad(to_hex(i), 12, '0'))::uuid, gen_random_uuid(), "
        "e.tenant_no, e.no, 0, now(), now(), 1, 0, 1, 0, t.shard, 0, 0, 0, 0 "
        "from endpoint e join tenant t on t.no = e.tenant_no, generate_series(1, " +
        std::to_string(count) + ") i");
  }
  /// What a statement did, on that endpoint.
  std::string analyzed(std::string_view statement, const std::string& types, const std::string& arguments) const {
    std::string out;
    pqxx::connection connection{url};
    pqxx::nontransaction session{connection};
    session.exec("prepare one (" + types + ") as " + std::string{statement});
    for (const auto& row : session.exec("explain (analyze, timing off) execute one(" + arguments + ")"))
      out += std::string{row[0].c_str()} + "\n";
    return out;
  }
  shard_no shard_of_tenant(const std::string& slug) const {
    return static_cast<shard_no>(std::stoi(sql("select shard from tenant where slug = '" + slug + "'")));
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(operator_reading, operator_fixture)

BOOST_AUTO_TEST_CASE(the_tree_at_rest_is_read_in_its_order_in_pages_of_any_size) {
  for (const auto* slug : {"b", "a", "a-1"})
    tenant(slug);
  source("a", "zendesk");
  source("a", "Github");
  source("a-1", "stripe");
  std::vector<endpoint_id> ids;
  for (int i = 0; i < 3; ++i)
    ids.push_back(endpoint("a").config.id);
  std::sort(ids.begin(), ids.end());
  std::vector<tree_path> wanted{supervisor_path("n1", "a")};
  for (const auto& each : ids)
    wanted.push_back({"n1", "a", tree_kind::delivery, to_string(each)});
  wanted.push_back({"n1", "a", tree_kind::provider_verifier, "Github"}); // byte by byte, whatever the collation
  wanted.push_back({"n1", "a", tree_kind::provider_verifier, "zendesk"});
  wanted.push_back(supervisor_path("n1", "a-1"));
  wanted.push_back({"n1", "a-1", tree_kind::provider_verifier, "stripe"});
  wanted.push_back(supervisor_path("n1", "b"));
  for (const std::size_t limit : {1U, 2U, 4U, 9U, 100U}) {
    const auto found = all({.limit = limit});
    BOOST_TEST((found == wanted), "limit " << limit);
  }
  BOOST_TEST(all({.deliveries = false, .verifiers = false, .limit = 2}).size() == 3U);
  BOOST_TEST(all({.supervisors = false, .verifiers = false, .limit = 2}).size() == 3U);
  BOOST_TEST(all({.supervisors = false, .deliveries = false, .limit = 2}).size() == 3U);
  const auto mine = all({.shards = {shard_of_tenant("b")}, .deliveries = false, .verifiers = false});
  BOOST_TEST((std::find(mine.begin(), mine.end(), supervisor_path("n1", "b")) != mine.end()));
}

BOOST_AUTO_TEST_CASE(what_is_deleted_or_disabled_has_no_actor) {
  tenant("acme");
  tenant("gone");
  source("acme", "github");
  const auto kept = endpoint("acme").config.id;
  const auto removed = endpoint("acme").config.id;
  BOOST_REQUIRE(ask(&postgres_management_store::delete_endpoint, "acme", removed).has_value());
  BOOST_REQUIRE(ask(&postgres_management_store::delete_tenant, "gone").has_value());
  sql("update source set enabled = false");
  const std::vector<tree_path> wanted{supervisor_path("n1", "acme"),
                                      {"n1", "acme", tree_kind::delivery, to_string(kept)}};
  BOOST_TEST((all({}) == wanted));
  for (const auto& path : {"/node/n1/tenants/gone", "/node/n1/tenants/acme/sources/github",
                           "/node/n1/tenants/acme/deliveries/no-id", "/node/n1/tenants/none", "/node/n1"})
    BOOST_TEST(!one(path)->has_value(), path);
  BOOST_TEST(!one("/node/n1/tenants/acme/deliveries/" + to_string(removed))->has_value());
}

BOOST_AUTO_TEST_CASE(a_page_of_a_hundred_thousand_endpoints_reads_a_page) {
  many(10'000, 10);
  const auto started = std::chrono::steady_clock::now();
  std::optional<tree_path> after;
  for (int i = 0; i < 5; ++i) {
    const auto page = read({.after = after, .limit = 50});
    BOOST_TEST(page.rows.size() == 50U);
    after = page.places.read_to;
  }
  const auto deep = read({.after = supervisor_path("n1", "t-7777"), .limit = 50});
  BOOST_TEST(deep.places.places.front().tenant == "t-7777");
  BOOST_TEST((std::chrono::steady_clock::now() - started < std::chrono::seconds{10})); // a bound, not a measure
  // What the pages read of the endpoints follows the pages: 16 tenants a batch, at most a page of each.
  sql("analyze");
  const auto plan = explain();
  BOOST_TEST(plan.find("Seq Scan on endpoint e") == std::string::npos, plan);
  BOOST_TEST(plan.find("Sort Key: tenant.slug") == std::string::npos, plan);
}

BOOST_AUTO_TEST_CASE(a_kind_that_nobody_has_ends_after_a_bounded_walk) {
  sql("insert into tenant (id, slug, name, shard, data_key) select gen_random_uuid(), 't-' || i, '', 1, '' from "
      "generate_series(1, 5000) i");
  const auto page = read({.supervisors = false, .limit = 50});
  BOOST_TEST(page.rows.empty());
  BOOST_TEST(!page.places.complete);
  BOOST_REQUIRE(page.places.read_to.has_value());
  const auto rest = read({.supervisors = false, .after = page.places.read_to, .limit = 50});
  BOOST_TEST(rest.places.complete);
}

BOOST_AUTO_TEST_CASE(one_at_rest_is_described_with_its_breaker_its_next_due_row_and_its_last_outcomes) {
  tenant("acme");
  source("acme", "github");
  const auto id = endpoint("acme").config.id;
  const auto number = sql("select no from endpoint");
  const auto shard = std::to_string(shard_of_tenant("acme"));
  const auto now = std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
  for (int i = 0; i < 3; ++i)
    sql("insert into delivery (id, event_id, tenant_no, endpoint_no, fence, next_attempt_at, updated_at, seed, "
        "attempt_count, generation, step, shard, state, reason, last_reason, last_status) select '" +
        to_string(new_uuid(now, static_cast<std::size_t>(i))) + "', gen_random_uuid(), tenant_no, no, 0, " +
        (i == 0 ? "null" : "'2036-05-05 05:05:0" + std::to_string(i) + "Z'") + ", now(), 1, 1, 1, 0, " + shard + ", " +
        (i == 0 ? "3, 0, 0, 204" : "2, 0, 1, 503") + " from endpoint");
  sql("insert into endpoint_runtime values (" + number +
      ", (select no from tenant), 1, 3, '2026-01-02 03:04:05Z', "
      "'2036-01-02 03:04:06Z', 0)");
  sql("insert into transition (id, at, tenant_no, kind, subject_no, from_state, to_state, cause) values "
      "('" +
      to_string(new_uuid(now)) + "', '2026-01-02 03:04:05Z', 1, 'breaker', " + number +
      ", 'closed', 'open', 'failures'), ('" + to_string(new_uuid(now - std::chrono::seconds{1})) +
      "', '2026-01-02 03:04:04Z', 1, 'endpoint', " + number + ", 'paused', 'active', 'resumed')");
  const auto found = one("/node/n1/tenants/acme/deliveries/" + to_string(id));
  BOOST_REQUIRE_MESSAGE(found.has_value(), (found ? "" : found.error().detail));
  BOOST_REQUIRE(found->has_value());
  const auto& status = (*found)->status;
  BOOST_TEST(status.state == "passive");
  BOOST_TEST(status.kind == "delivery");
  BOOST_TEST(to_rfc3339(status.next_wake_at.value()) == "2036-05-05T05:05:01.000Z");
  BOOST_TEST(status.counters.front().first == "scheduled");
  BOOST_TEST(status.counters.front().second == 2);
  BOOST_REQUIRE(status.delivery.has_value());
  BOOST_TEST(status.delivery->breaker_state == "open");
  BOOST_TEST(to_rfc3339(status.delivery->next_probe_at.value()) == "2036-01-02T03:04:06.000Z");
  BOOST_TEST(status.delivery->window == 32U);
  const std::vector<std::string> outcomes{"failed:http_status:503", "failed:http_status:503", "succeeded:204"};
  BOOST_TEST(status.delivery->last_outcomes == outcomes, boost::test_tools::per_element());
  BOOST_REQUIRE(status.transitions.size() == 2U); // newest first, its own beside its breaker's
  BOOST_TEST(status.transitions.front().to == "open");
  BOOST_TEST(status.transitions.front().cause == "failures");
  BOOST_TEST(status.transitions.back().cause == "resumed");
  BOOST_TEST((*one("/node/n1/tenants/acme"))->status.counters.back().second == 1);
  BOOST_TEST((*one("/node/n1/tenants/acme/sources/github"))->status.state == "passive");
  // Not in the shards of whoever asks.
  const auto other = static_cast<shard_no>((shard_of_tenant("acme") + 1) % shard_count);
  BOOST_TEST(!one("/node/n1/tenants/acme", {other})->has_value());
}

BOOST_AUTO_TEST_CASE(an_endpoint_that_is_paused_or_disabled_says_so_and_that_nobody_wakes_it) {
  tenant("acme");
  const auto id = endpoint("acme").config.id;
  never_tried(3);
  const auto shown = [&] { return one("/node/n1/tenants/acme/deliveries/" + to_string(id))->value().status; };
  const auto listed = [&] { return read({.supervisors = false}).rows.at(0).state; };
  BOOST_TEST(shown().state == "passive");
  BOOST_TEST(shown().next_wake_at.has_value());
  BOOST_TEST(shown().delivery->backlog == 3U);
  BOOST_TEST(listed() == "passive");
  const std::vector<std::string> words{"active", "paused", "disabled"};
  for (std::size_t status = 1; status < words.size(); ++status) {
    sql("update endpoint set status = " + std::to_string(status));
    BOOST_TEST(shown().state == words[status]);
    BOOST_TEST(!shown().next_wake_at.has_value());
    BOOST_TEST(shown().delivery->backlog == 3U);
    BOOST_TEST(listed() == words[status]);
  }
}

BOOST_AUTO_TEST_CASE(a_backlog_that_was_never_tried_is_not_read_through_for_outcomes_and_times) {
  tenant("acme");
  const auto id = endpoint("acme").config.id;
  never_tried(50'000);
  sql("analyze");
  const auto number = sql("select no from endpoint");
  const auto shard = std::to_string(shard_of_tenant("acme"));
  const std::regex rows{R"(rows=(\d+) loops|Rows Removed by Filter: (\d+))"};
  for (const auto& plan : {analyzed(resting_outcomes_sql, "bigint", number),
                           analyzed(resting_backlog_sql, "smallint, bigint", shard + ", " + number)})
    for (std::sregex_iterator at{plan.begin(), plan.end(), rows}, end; at != end; ++at)
      BOOST_TEST(std::stol((*at)[1].matched ? (*at)[1].str() : (*at)[2].str()) <= 1'000, plan);
  const auto found = one("/node/n1/tenants/acme/deliveries/" + to_string(id));
  BOOST_REQUIRE(found.has_value() && found->has_value());
  BOOST_TEST((*found)->status.counters.front().second == 1'000);
  BOOST_TEST((*found)->status.delivery->last_outcomes.empty());
}

BOOST_AUTO_TEST_CASE(the_cluster_is_told_with_what_each_node_holds) {
  sql("insert into node values ('b', gen_random_uuid(), 1, '10.0.0.2:7000', 0, '', now(), clock_timestamp())");
  sql("insert into node values ('a', gen_random_uuid(), 1, '', 1, '', now(), clock_timestamp())");
  sql("insert into node values ('c', gen_random_uuid(), 1, '', 0, '', now(), clock_timestamp() - interval '1 minute')");
  sql("insert into node values ('0', gen_random_uuid(), 1, '', 2, '', now(), clock_timestamp())");
  sql(
    "update shard_lease set owner = (select incarnation from node where name = 'b'), epoch = shard + 100, expires_at = "
    "clock_timestamp() + interval '1 minute' where shard in (3, 5)");
  sql("update shard_lease set owner = (select incarnation from node where name = 'c'), epoch = 1, expires_at = "
      "clock_timestamp() - interval '1 second' where shard = 7");
  const auto nodes = wait_for<std::vector<cluster_node>>([&](auto done) { store.operators().nodes(done); });
  BOOST_REQUIRE_MESSAGE(nodes.has_value(), (nodes ? "" : nodes.error().detail));
  BOOST_REQUIRE(nodes->size() == 4U);
  std::vector<std::string> seen;
  for (const auto& each : *nodes)
    seen.push_back(each.name + " " + each.state + " " + std::to_string(each.shards.size()));
  const std::vector<std::string> wanted{"a draining 0", "b live 2", "c gone 0", "0 gone 0"};
  BOOST_TEST(seen == wanted, boost::test_tools::per_element());
  const auto& b = (*nodes)[1];
  BOOST_TEST(b.address == "10.0.0.2:7000");
  BOOST_TEST(b.shards[0].shard == 3);
  BOOST_TEST(b.shards[0].epoch == 103);
  BOOST_TEST(b.heartbeat_age.count() >= 0);
  BOOST_TEST((*nodes)[2].heartbeat_age.count() >= 60'000);
}

BOOST_AUTO_TEST_SUITE_END()
