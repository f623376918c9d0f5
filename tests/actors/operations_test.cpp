#include "tests/actors/delivering.hpp"

#include <caf/send.hpp>

using namespace postrider;
using namespace postrider::test;
using namespace std::chrono_literals;

namespace {

/// One endpoint that takes one request at a time.
struct operated : delivering {
  operated() {
    config.endpoints[0].max_in_flight = 1;
    config.endpoints[0].breaker.failures = 1;
    put(config);
    status = 0;
    settle();
  }
  /// In the database as the API does it, then to the actors; how often it was let go.
  std::shared_ptr<int> cancel(const delivery_id& id) {
    auto ended = std::make_shared<int>(0);
    database.change(id, [](auto& row) { row.cancel_asked = delivery_reason::cancelled_by_user; });
    const auto what = std::make_shared<const withdrawal>(tenant_no{1}, endpoint_no{1}, std::vector<delivery_id>{id},
                                                         [ended] { ++*ended; });
    caf::anon_send(node, atom::withdraw::value, hand(withdrawal_ptr{what}));
    return ended;
  }
  [[nodiscard]] std::vector<delivery_id> running() const {
    std::vector<delivery_id> out;
    for (const auto& each : requests.started())
      out.push_back(each.delivery);
    return out;
  }

  tenant_config config = config_of({1});
};

} // namespace

BOOST_AUTO_TEST_SUITE(operations_on_deliveries)

BOOST_AUTO_TEST_CASE(a_withdrawal_ends_once_what_waited_is_cancelled_and_nothing_of_it_is_sent) {
  operated world;
  world.events({"a", "b"});
  BOOST_REQUIRE(world.running().size() == 1U);
  delivery_id waiting;
  for (const auto& [id, row] : world.database.deliveries())
    if (id != world.running().front())
      waiting = id;
  BOOST_REQUIRE((world.database.find(waiting)->state == delivery_state::in_flight)); // in its memory
  const auto ended = world.cancel(waiting);
  world.run_actors();
  BOOST_TEST(*ended == 0); // its release is not written yet
  world.settle();
  BOOST_TEST(*ended == 1);
  BOOST_TEST((world.database.find(waiting)->state == delivery_state::cancelled));
  BOOST_TEST(world.database.find(waiting)->attempt_count == 0U);
  world.advance(60s);
  for (const auto& id : world.running())
    BOOST_TEST((id != waiting));
}

BOOST_AUTO_TEST_CASE(a_withdrawal_of_what_is_sent_ends_at_once_and_the_outcome_decides) {
  operated world;
  world.events({"a"});
  const auto ended = world.cancel(world.running().at(0));
  world.settle();
  BOOST_TEST(*ended == 1);
  BOOST_TEST(world.in_state(delivery_state::in_flight) == 1U);
}

BOOST_AUTO_TEST_CASE(a_withdrawal_of_an_unknown_tenant_or_endpoint_ends_by_itself) {
  operated world;
  auto ended = std::make_shared<int>(0);
  for (const auto tenant : {tenant_no{1}, tenant_no{99}})
    caf::anon_send(world.node, atom::withdraw::value,
                   hand(withdrawal_ptr{std::make_shared<const withdrawal>(
                     tenant, endpoint_no{7}, std::vector<delivery_id>{}, [ended] { ++*ended; })}));
  world.settle();
  BOOST_TEST(*ended == 2);
}

BOOST_AUTO_TEST_CASE(a_configuration_with_a_greater_count_of_resets_closes_the_breaker_once) {
  operated world;
  world.status = 500;
  world.events({"a"});
  const auto gate = [&world] { return world.actor(delivery_path)->delivery->breaker_state; };
  BOOST_REQUIRE(gate() == "open");
  ++world.config.version;
  ++world.config.endpoints[0].breaker_resets;
  world.put(world.config);
  world.settle();
  BOOST_TEST(gate() == "closed");
  world.events({"b"});
  BOOST_REQUIRE(gate() == "open");
  ++world.config.version; // another change: nothing was reset since
  world.put(world.config);
  world.settle();
  BOOST_TEST(gate() == "open");
}

BOOST_AUTO_TEST_SUITE_END()
