#include "persistence/accept_batch.hpp"
#include "persistence/claimer.hpp"
#include "persistence/outcome_writer.hpp"
#include "persistence/session.hpp"
#include "persistence/sweeper.hpp"
#include "tests/persistence/postgres_world.hpp"

#include <boost/test/unit_test.hpp>

#include <regex>
#include <set>
#include <sstream>

using namespace postrider;
using namespace postrider::tests;

namespace {

struct plan_world {
  explicit plan_world(std::vector<prepared_sql> statements) : on{with(std::move(statements)), dog, counts} {
    const auto failure = on.connect();
    BOOST_REQUIRE_MESSAGE(!failure, (failure ? failure->detail : ""));
  }
  static session_options with(std::vector<prepared_sql> statements) {
    session_options out;
    out.url = postgres_fixture::instance().fresh_database();
    out.role = "plan test";
    out.pinned_plans = true;
    out.statements = std::move(statements);
    return out;
  }

  /// The plan of a statement that the session prepared, on tables without a row, for arguments of today. (For nulls no
  /// partition would be left in it.)
  std::string plan_of(const std::string& name) {
    auto out = on.call([&](pqxx::connection_base& connection) {
      pqxx::nontransaction transaction{connection};
      std::string arguments;
      for (const auto& row : transaction.exec_params(
             "select unnest(parameter_types)::text from pg_prepared_statements where name = $1", name))
        arguments += (arguments.empty() ? "" : ", ") + argument_of(row[0].as<std::string>());
      std::string text;
      for (const auto& row :
           transaction.exec("explain (costs off) execute " + name + (arguments.empty() ? "" : "(" + arguments + ")")))
        text += std::string{row[0].c_str()} + "\n";
      return text;
    });
    BOOST_REQUIRE_MESSAGE(out.has_value(), name << ": " << (out ? "" : out.error().detail));
    return *out;
  }
  static std::string argument_of(const std::string& type) {
    if (type.ends_with("[]"))
      return "array[" + argument_of(type.substr(0, type.size() - 2)) + "]";
    if (type == "uuid")
      return "least_uuid_v7(now())";
    if (type.starts_with("timestamp"))
      return "now()";
    if (type == "text" || type == "bytea" || type == "boolean")
      return "'1'::" + type;
    return "1::" + type;
  }

  watchdog dog;
  metrics counts;
  session on;
};

const std::regex scans_a_whole_partition{"Seq Scan on (event|delivery|dedupe|attempt|tenant|tenant_counter|source)"};
const std::regex scans_a_big_table{
  "(Index|Index Only|Bitmap Heap) Scan using \\S+ on (event|delivery|dedupe|attempt)_[0-9]{8}"};
const std::regex joins_by_brute_force{"Join Filter:|Hash Join|Merge Join|Materialize"};

/// Each scan of an index of a big table that reads all of it: its node has no index condition.
std::string scans_without_condition(const std::string& plan) {
  std::string out, line, open;
  const auto close = [&] {
    if (!open.empty())
      out += open + "\n";
    open.clear();
  };
  std::istringstream lines{plan};
  while (std::getline(lines, line)) {
    if (line.find("Index Cond:") != std::string::npos)
      open.clear();
    else if (line.find("->") != std::string::npos)
      close();
    if (std::regex_search(line, scans_a_big_table))
      open = line;
  }
  close();
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(query_plans_on_an_empty_database)

BOOST_AUTO_TEST_CASE(no_statement_of_the_engine_scans_a_table_or_joins_without_an_index) {
  for (const auto& statements :
       {accept_statements(), record_statements(), claimer::statements(), sweeper::statements()}) {
    plan_world world{statements};
    for (const auto& each : statements) {
      const auto plan = world.plan_of(each.name);
      BOOST_TEST(!std::regex_search(plan, scans_a_whole_partition), each.name << "\n" << plan);
      BOOST_TEST(scans_without_condition(plan) == "", each.name << "\n" << plan);
      // The leases joined with those that this node holds are 64 rows at most.
      const std::set<std::string> joins_leases{"interrupt_rides", "interrupt_claimed", "interrupt_endpoint",
                                               "close_deleted",   "expose_rides",      "close_tenant_deleted",
                                               "expose_doubtful"};
      if (!joins_leases.contains(each.name))
        BOOST_TEST(!std::regex_search(plan, joins_by_brute_force), each.name << "\n" << plan);
    }
  }
}

BOOST_AUTO_TEST_CASE(each_row_is_found_by_its_own_index) {
  const auto finds = [](const std::string& plan, const std::string& text) {
    return plan.find(text) != std::string::npos;
  };
  {
    plan_world world{accept_statements()};
    const auto plan = world.plan_of("accept");
    BOOST_TEST(finds(plan, "Index Cond: (key = u.key)"), plan);
    BOOST_TEST(finds(plan, "Index Scan using tenant_pkey on tenant"), plan);
    BOOST_TEST(finds(plan, "Subplans Removed"), plan); // the days outside of the window are not even opened
  }
  {
    plan_world world{record_statements()};
    BOOST_TEST(finds(world.plan_of("record"), "Index Cond: (id = u_1.id)"), world.plan_of("record"));
  }
  {
    plan_world world{claimer::statements()};
    const auto plan = world.plan_of("claim");
    BOOST_TEST(
      std::regex_search(
        plan,
        std::regex{
          R"(Index Cond: \(\(shard = \$\d\) AND \(endpoint_no = \$\d\) AND \(lane = \(\(\w+\.ordinal - 1\)\)::smallint\) AND \(next_attempt_at >= \w+\.lower\)\))"}),
      plan);
    const auto lost = world.plan_of("expose_claimed");
    BOOST_TEST(finds(lost, "(lane = ANY ("), lost); // else it would walk over the whole backlog
    BOOST_TEST(finds(plan, "Index Cond: (id = sized_1.id)"), plan);
    BOOST_TEST(finds(plan, "Index Cond: ((tenant_no = chosen.tenant_no) AND (id = chosen.event_id))"), plan);
  }
  {
    plan_world world{sweeper::statements()};
    const auto plan = world.plan_of("due_endpoints");
    BOOST_TEST(
      finds(plan,
            "Index Cond: (ROW(shard, endpoint_no, lane) > ROW(first_1.shard, first_1.endpoint_no, first_1.lane))"),
      plan);
    const auto rides = world.plan_of("interrupt_rides");
    BOOST_TEST(finds(rides, "Index Cond: (id >= $3)"), rides);
  }
}

BOOST_AUTO_TEST_CASE(the_usual_life_of_a_delivery_makes_hot_updates_alone) {
  postgres_world world;
  const auto tenant = world.add_tenant();
  const auto under = world.fence_of(tenant.shard);
  const auto owner = std::make_shared<recorded_results>();
  constexpr std::size_t count = 500;
  std::vector<event_id> events;
  for (std::size_t i = 0; i < count; ++i) {
    auto item = make_accept_item(world.now(), tenant, std::to_string(i), 2, under);
    events.push_back(item->what->id);
    BOOST_REQUIRE(world.subject().accept(item));
  }
  BOOST_REQUIRE(world.eventually([&] { return world.events().answered_count() == count; }));
  std::vector<outcome_write> writes;
  for (const auto id : events)
    for (const auto& each : world.events().answered(id)->deliveries) {
      BOOST_REQUIRE(each.ride);
      outcome_write write;
      write.delivery = each.id;
      write.under = under;
      write.owner = owner;
      write.number = 1;
      write.attempt = {world.now(), milliseconds{3}, attempt_outcome::succeeded, attempt_reason::none, 200, {}};
      writes.push_back(std::move(write));
    }
  world.subject().record(std::move(writes));
  BOOST_REQUIRE(world.eventually([&] { return owner->count() == 2 * count; }));
  BOOST_TEST(world.counters(tenant.no)[3] == static_cast<std::int64_t>(2 * count));
  world.real().stop(milliseconds{5'000}); // ends the sessions, which then report their statistics
  const auto reported = [&] {
    return world.sql(
      "select sum(n_tup_upd), sum(n_tup_hot_upd) from pg_stat_user_tables where relname like 'delivery_2%'")[0];
  };
  BOOST_REQUIRE(world.eventually([&] { return reported()[0].as<std::size_t>() == 2 * count; }));
  BOOST_TEST(reported()[1].as<std::size_t>() == 2 * count);
}

BOOST_AUTO_TEST_SUITE_END()
