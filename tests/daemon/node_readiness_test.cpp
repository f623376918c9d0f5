#include "daemon/node_readiness.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace postrider;
using namespace std::chrono_literals;

namespace {

/// Counts what is passed on.
struct counting_events final : store_events {
  std::size_t accepted_items = 0, lease_count = 0, hints = 0, tenants = 0;
  int outages = 0;
  void accepted(std::vector<accept_item_ptr> batch) override { accepted_items += batch.size(); }
  void leases(std::vector<shard_lease> mine) override { lease_count = mine.size(); }
  void due(std::vector<due_hint> all) override { hints += all.size(); }
  void configuration_changed(std::vector<tenant_no> all) override { tenants += all.size(); }
  void availability(bool database_ok, std::string) override { outages += database_ok ? 0 : 1; }
};

struct fixture {
  bool trusts = true, healthy = true;
  std::chrono::milliseconds idle{10};
  mono_time now{std::chrono::hours{1'000}};
  std::vector<part_progress> parts;
  counting_events next;
  node_readiness ready{next,
                       {.trusts_leases = [this] { return trusts; },
                        .since_last_turn = [this] { return idle; },
                        .server_healthy = [this] { return healthy; },
                        .parts = [this] { return parts; },
                        .now = [this] { return now; }}};

  void all_is_well() {
    ready.availability(true, "");
    ready.leases(std::vector<shard_lease>(64));
  }
  /// The names of what is not well.
  [[nodiscard]] std::vector<std::string> failing() const {
    std::vector<std::string> names;
    for (const auto& each : ready.check())
      if (!each.ok)
        names.push_back(each.name);
    return names;
  }
};

const std::vector<std::string> nothing;

std::vector<std::string> only(std::string name) {
  return {std::move(name)};
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(daemon_node_readiness, fixture)

BOOST_AUTO_TEST_CASE(a_fresh_node_is_not_ready_until_the_database_and_its_leases_are_there) {
  const std::vector<std::string> both{"database", "leases"};
  BOOST_TEST(failing() == both, boost::test_tools::per_element());
  all_is_well();
  BOOST_TEST(failing() == nothing, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(each_part_alone_makes_it_not_ready) {
  all_is_well();
  ready.availability(false, "connection refused");
  BOOST_TEST(failing() == only("database"), boost::test_tools::per_element());
  BOOST_TEST(ready.check().front().detail == "connection refused");
  all_is_well();
  healthy = false;
  BOOST_TEST(failing() == only("database"), boost::test_tools::per_element());
  healthy = true;
  trusts = false;
  BOOST_TEST(failing() == only("leases"), boost::test_tools::per_element());
  trusts = true;
  ready.leases({});
  BOOST_TEST(failing() == only("leases"), boost::test_tools::per_element());
  all_is_well();
  idle = node_readiness::turn_max + 1ms;
  BOOST_TEST(failing() == only("delivery"), boost::test_tools::per_element());
  idle = 0ms;
  ready.drain();
  BOOST_TEST(failing() == only("draining"), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_stuck_part_of_the_delivery_loop_shows_and_is_named) {
  all_is_well();
  parts = {{"claim", now, 12s}, {"outcome", now, 12s}, {"io", now, 3s}, {"accept", std::nullopt, 10s}};
  BOOST_TEST(failing() == nothing, boost::test_tools::per_element());
  now += 3'001ms; // an io thread hangs, the others answer
  for (auto& each : parts)
    if (each.name != "io" && each.last)
      each.last = now;
  BOOST_TEST(failing() == only("delivery"), boost::test_tools::per_element());
  BOOST_TEST(ready.check()[2].detail == "io: no progress for 3 s");
  parts[2].last = now;
  BOOST_TEST(failing() == nothing, boost::test_tools::per_element());
  now += 12'001ms; // the claim thread hangs
  parts[1].last = parts[2].last = now;
  BOOST_TEST(failing() == only("delivery"), boost::test_tools::per_element());
  BOOST_TEST(ready.check()[2].detail == "claim: no progress for 12 s");
}

BOOST_AUTO_TEST_CASE(every_report_is_passed_on) {
  std::vector<accept_item_ptr> batch;
  batch.push_back(std::make_unique<accept_item>());
  ready.accepted(std::move(batch));
  ready.leases(std::vector<shard_lease>(3));
  ready.due(std::vector<due_hint>(2));
  ready.configuration_changed({1, 2, 3, 4});
  ready.availability(false, "");
  BOOST_TEST(next.accepted_items == 1U);
  BOOST_TEST(next.lease_count == 3U);
  BOOST_TEST(next.hints == 2U);
  BOOST_TEST(next.tenants == 4U);
  BOOST_TEST(next.outages == 1);
}

BOOST_AUTO_TEST_SUITE_END()
