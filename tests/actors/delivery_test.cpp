#include "tests/support/virtual_system.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace postrider;
using namespace postrider::test;
using namespace std::chrono_literals;

namespace {

const auto delivery_path = "/deliveries/" + to_string(virtual_system::id_of(1));

/// Endpoint answers `status` while it is set; else attempts run until the test ends them.
struct delivering : virtual_system {
  explicit delivering(engine_limits limits = {}) : virtual_system{limits} {
    requests.endpoint = [this](const attempt_request&) {
      return status == 0 ? std::nullopt : std::optional{attempt_facts{.http_status = status}};
    };
  }
  /// A new event for each name.
  void events(const std::vector<std::string>& ids) {
    for (const auto& id : ids)
      submit({.id = id});
    settle();
  }
  [[nodiscard]] std::size_t in_state(delivery_state state) const {
    std::size_t count = 0;
    for (const auto& [id, row] : database.deliveries())
      count += row.state == state ? 1 : 0;
    return count;
  }
  /// Attempts 1..n of every delivery have their rows, and no request was made without one.
  void check_attempts() const {
    for (const auto& [id, row] : database.deliveries()) {
      BOOST_REQUIRE(row.attempts.size() == row.attempt_count);
      for (std::size_t i = 0; i < row.attempts.size(); ++i)
        BOOST_TEST(row.attempts[i].number == i + 1);
    }
    std::set<std::pair<delivery_id, std::uint32_t>> sent;
    for (const auto& each : requests.started())
      BOOST_TEST(sent.emplace(each.delivery, each.number).second);
  }

  int status = 204;
};

} // namespace

BOOST_AUTO_TEST_SUITE(deliveries)

BOOST_AUTO_TEST_CASE(a_failed_delivery_is_tried_again_on_its_schedule_by_the_actors_own_timer) {
  delivering world;
  world.polls = false;
  world.status = 500;
  world.events({"d-1"});
  BOOST_TEST(world.in_state(delivery_state::retry_wait) == 1U);
  world.status = 204;
  world.advance(3s);
  BOOST_TEST(world.requests.started().size() == 1U);
  world.advance(4s); // 5 s and at most a quarter more
  BOOST_TEST(world.requests.started().size() == 2U);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 1U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(no_more_run_at_once_than_the_window_allows) {
  delivering world;
  world.status = 0;
  world.events({"a", "b", "c", "d", "e"});
  BOOST_TEST(world.requests.running().size() == 2U);
  while (!world.requests.running().empty()) {
    world.requests.finish(world.requests.running()[0].delivery, {.http_status = 200});
    world.settle();
    BOOST_TEST(world.requests.running().size() <= 2U);
    world.advance(1s);
  }
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 5U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(an_open_breaker_is_stored_shown_and_survives_the_actor) {
  delivering world;
  auto config = virtual_system::config_of({1}, 2);
  config.endpoints[0].breaker.failures = 1;
  config.endpoints[0].breaker.cool_down = 60s;
  config.endpoints[0].max_in_flight = 1;
  world.put(config);
  world.status = 500;
  world.events({"a", "b", "c"});
  BOOST_TEST(world.requests.started().size() == 1U);
  const auto shown = world.actor(delivery_path);
  BOOST_TEST(shown->delivery->breaker_state == "open");
  BOOST_TEST(shown->delivery->next_probe_at.has_value());
  BOOST_TEST(shown->delivery->tokens == 0);
  BOOST_TEST(world.in_state(delivery_state::pending) == 2U);
  world.door.throw_at("claim"); // the next claim, by the timer, crashes it
  world.status = 204;
  world.advance(40s);
  BOOST_TEST(world.requests.started().size() == 1U); // open: nothing but the poll's hints came
  world.advance(60s);
  BOOST_TEST(world.counts.actor_crashes.value() == 1U);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 3U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(a_410_disables_the_endpoint_in_the_database) {
  delivering world;
  world.status = 410;
  world.events({"a"});
  BOOST_TEST(world.in_state(delivery_state::dead) == 1U);
  BOOST_REQUIRE(world.database.disabled().size() == 1U);
  BOOST_TEST(world.database.disabled()[0].second == "endpoint_gone");
  world.events({"b"});
  BOOST_TEST(world.requests.started().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_refused_attempt_is_uncounted_and_sent_later) {
  delivering world;
  world.requests.refuses = true;
  world.events({"a"});
  BOOST_TEST(world.in_state(delivery_state::pending) == 1U);
  BOOST_TEST(world.database.deliveries().begin()->second.attempt_count == 0U);
  world.requests.refuses = false;
  world.advance(2s);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 1U);
  BOOST_TEST(world.database.deliveries().begin()->second.attempt_count == 1U);
}

BOOST_AUTO_TEST_CASE(an_idle_delivery_is_passivated_and_woken_by_a_due_hint) {
  delivering world;
  auto config = virtual_system::config_of({1}, 2);
  config.endpoints[0].retry.schedule = {100s};
  config.endpoints[0].retry.jitter = 0;
  world.put(config);
  world.status = 500;
  world.events({"a"});
  world.advance(29s);
  BOOST_TEST(world.actor(delivery_path).has_value());
  world.advance(3s);
  BOOST_TEST(!world.actor(delivery_path).has_value());
  BOOST_TEST(world.counts.actors_passivated.value() == 1U);
  BOOST_TEST(world.counts.actors_deliveries.value() == 0);
  world.status = 204;
  world.advance(67s);
  BOOST_TEST(world.requests.started().size() == 1U);
  world.advance(5s);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 1U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(passivation_is_refused_when_something_was_routed_meanwhile) {
  delivering world;
  world.events({"a"});
  world.advance(29'900ms);
  for (int i = 0; i < 40; ++i) { // one of them meets the request to leave
    world.events({"b" + std::to_string(i)});
    world.advance(10ms);
  }
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 41U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(a_ride_whose_commit_outlasts_the_idle_time_is_not_lost) {
  delivering world;
  world.events({"a"});
  world.advance(29'990ms);
  world.submit({.id = "b"});
  world.run_actors(); // the credit is taken, the commit is not done
  BOOST_TEST(world.admission->events() == 1);
  world.advance(100ms);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 2U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(when_the_lease_is_lost_nothing_is_sent_and_a_new_fence_goes_on) {
  delivering world;
  world.status = 0;
  world.events({"a", "b", "c"});
  BOOST_TEST(world.requests.started().size() == 2U);
  world.own(0);
  world.events({"d", "e"});
  world.requests.finish(world.requests.running()[0].delivery, {.http_status = 200});
  world.advance(5s);
  BOOST_TEST(world.requests.started().size() == 2U);
  BOOST_TEST(world.in_state(delivery_state::pending) >= 2U);
  const auto shown = world.actor(delivery_path);
  BOOST_TEST((!shown || shown->delivery->tokens == 0));
  // The next owner's sweep, and then the shard comes back.
  for (const auto& [id, row] : std::map{world.database.deliveries()})
    if (row.state == delivery_state::in_flight)
      world.database.change(id, [&](auto& each) {
        each.attempts.push_back(
          {each.attempt_count, each.updated_at, 0ms, attempt_outcome::interrupted, attempt_reason::interrupted, 0, {}});
        each.state = delivery_state::retry_wait;
        each.next_attempt_at = world.wall();
      });
  world.status = 204;
  while (!world.requests.running().empty()) { // SENDER aborts what ran without trust
    world.requests.finish(world.requests.running()[0].delivery, {.failure = attempt_reason::interrupted});
    world.settle();
  }
  world.own(virtual_system::fence_ + (1 << 20));
  world.advance(3s);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == world.database.deliveries().size());
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(a_claim_that_met_the_moment_between_two_renewals_does_not_end_the_ownership_for_ever) {
  delivering world;
  world.status = 500;
  world.events({"a"});
  world.status = 204;
  world.database.set_lease(3, 0); // the database sees it expired; nobody takes it
  world.advance(8s);              // the retry's claim was told "not owned"
  BOOST_TEST(world.requests.started().size() == 1U);
  world.database.set_lease(3, virtual_system::fence_); // renewed under the same fence: no news for NODE
  world.advance(3s);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 1U);
}

BOOST_AUTO_TEST_CASE(with_the_store_away_at_the_restore_it_is_tried_again_until_it_answers) {
  delivering world;
  world.events({"a"});
  world.advance(31s); // passivated
  BOOST_TEST(!world.actor(delivery_path).has_value());
  world.polls = false;
  const auto sequence = world.submit({.id = "b"});
  world.run_actors();
  world.database.run(); // committed; DELIVERY is woken
  world.database.set_available(false);
  world.advance(10s);
  BOOST_TEST((world.answer(sequence)->result == ingest_result::accepted));
  BOOST_TEST(world.actor(delivery_path)->state == "restoring");
  const auto loads = world.door.calls("load_runtime");
  BOOST_TEST(loads >= 5U);
  BOOST_TEST(loads <= 14U); // one each second
  world.database.set_available(true);
  world.advance(2s);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 2U);
}

BOOST_AUTO_TEST_CASE(with_the_store_away_outcomes_wait_and_nothing_is_sent_twice) {
  delivering world;
  world.status = 0;
  world.events({"a"});
  world.database.set_available(false);
  world.requests.finish(world.requests.running()[0].delivery, {.http_status = 200});
  world.advance(30s);
  BOOST_TEST(world.in_state(delivery_state::in_flight) == 1U);
  world.database.set_available(true);
  world.advance(2s);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 1U);
  BOOST_TEST(world.requests.started().size() == 1U);
}

BOOST_AUTO_TEST_CASE(the_deliveries_of_a_deleted_endpoint_end_as_dead) {
  delivering world;
  world.status = 500;
  world.events({"a", "b"});
  world.put(virtual_system::config_of({2}, 2));
  world.advance(10s);
  for (const auto& row : world.database.deliveries_of(1)) {
    BOOST_TEST((row.state == delivery_state::dead));
    BOOST_TEST((row.reason == delivery_reason::endpoint_deleted));
  }
  BOOST_TEST(!world.actor(delivery_path).has_value());
}

BOOST_AUTO_TEST_CASE(a_paused_endpoint_keeps_its_deliveries_and_sends_them_when_it_is_resumed) {
  delivering world;
  world.status = 0;
  world.events({"a", "b", "c"});
  auto config = virtual_system::config_of({1}, 2);
  config.endpoints[0].status = endpoint_status::paused;
  world.put(config);
  world.settle();
  world.status = 204;
  world.requests.finish(world.requests.running()[0].delivery, {.http_status = 200});
  world.requests.finish(world.requests.running()[0].delivery, {.http_status = 200});
  world.advance(60s);
  BOOST_TEST(world.requests.started().size() == 2U);
  BOOST_TEST(world.in_state(delivery_state::pending) == 1U);
  world.put(virtual_system::config_of({1}, 3));
  world.advance(3s);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 3U);
  world.check_attempts();
}

BOOST_AUTO_TEST_CASE(drain_waits_for_what_runs_releases_the_rest_and_starts_nothing) {
  delivering world;
  world.events({"warm"});
  world.status = 0;
  world.events({"a", "b", "c", "d"});
  BOOST_TEST(world.requests.running().size() == 2U);
  const auto ended = world.drain();
  BOOST_TEST(!*ended);
  BOOST_TEST(world.in_state(delivery_state::pending) == 2U);
  BOOST_TEST(world.actor("/tenants/acme")->state == "draining");
  world.advance(5s);
  BOOST_TEST(world.requests.started().size() == 3U);
  world.requests.finish(world.requests.running()[0].delivery, {.http_status = 200});
  world.settle();
  BOOST_TEST(!*ended);
  world.requests.finish(world.requests.running()[0].delivery, {.http_status = 200});
  world.settle();
  BOOST_TEST(*ended);
  BOOST_TEST(world.in_state(delivery_state::succeeded) == 3U);
  BOOST_TEST(world.in_state(delivery_state::in_flight) == 0U);
  world.events({"late"}); // still accepted, not sent
  world.advance(5s);
  BOOST_TEST(world.requests.started().size() == 3U);
  world.check_attempts();
}

BOOST_AUTO_TEST_SUITE_END()
