#include "tests/support/virtual_system.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace postrider;
using namespace postrider::test;
using namespace std::chrono_literals;

namespace {

/// One after the other, as the interface names them.
ingest_quotas quotas_of(std::optional<std::int64_t> per_s, std::optional<std::int64_t> bytes_per_s = {},
                        std::optional<std::int64_t> backlog = {}) {
  return {per_s, bytes_per_s, backlog};
}

/// A tenant of that quota whose one endpoint answers 204, or, `failing`, 500.
struct limited : virtual_system {
  explicit limited(ingest_quotas quotas, bool failing = false) {
    requests.endpoint = [failing](const attempt_request&) {
      return std::optional<attempt_facts>{attempt_facts{.http_status = failing ? 500 : 204}};
    };
    auto config = config_of({1}, 2);
    config.quotas = quotas;
    auto second = config.sources.front();
    second.no = 2;
    second.name = "mirror";
    config.sources.push_back(second);
    put(config);
    settle();
  }

  ingest_result post_one(const std::string& source = "github") {
    return post({.source = source, .id = "d-" + std::to_string(++posted_)});
  }
  ingest_answer answered() { return *answer(sequence_of_last()); }
  std::uint64_t sequence_of_last() const { return replies->by_sequence.rbegin()->first; }

private:
  int posted_ = 0;
};

} // namespace

BOOST_AUTO_TEST_SUITE(ingest_quotas_of_a_tenant)

BOOST_AUTO_TEST_CASE(beyond_the_rate_a_webhook_gets_429_with_the_time_to_wait_and_is_not_stored) {
  limited world{quotas_of(3)};
  for (int i = 0; i < 3; ++i)
    BOOST_TEST((world.post_one() == ingest_result::accepted));
  const auto stored = world.database.deliveries().size();
  BOOST_TEST((world.post_one() == ingest_result::rate_limited));
  BOOST_TEST(world.answered().retry_after.count() == 1);
  BOOST_TEST(world.database.deliveries().size() == stored);
  BOOST_TEST(world.admission->events() == 0);
  BOOST_TEST(world.admission->bytes() == 0);
  world.advance(1s);
  BOOST_TEST((world.post_one() == ingest_result::accepted));
}

BOOST_AUTO_TEST_CASE(all_sources_of_a_tenant_share_its_quota) {
  limited world{quotas_of(2)};
  BOOST_TEST((world.post_one("github") == ingest_result::accepted));
  BOOST_TEST((world.post_one("mirror") == ingest_result::accepted));
  BOOST_TEST((world.post_one("github") == ingest_result::rate_limited));
  BOOST_TEST((world.post_one("mirror") == ingest_result::rate_limited));
}

BOOST_AUTO_TEST_CASE(bytes_are_limited_beside_requests) {
  limited world{quotas_of(std::nullopt, 10)}; // a body here has 7
  BOOST_TEST((world.post_one() == ingest_result::accepted));
  BOOST_TEST((world.post_one() == ingest_result::rate_limited));
  world.advance(500ms);
  BOOST_TEST((world.post_one() == ingest_result::accepted));
}

BOOST_AUTO_TEST_CASE(what_nobody_signed_uses_up_nothing) {
  limited world{quotas_of(1)};
  for (int i = 0; i < 20; ++i)
    BOOST_TEST((world.post({.id = "x", .secret = "other"}) == ingest_result::rejected));
  BOOST_TEST((world.post_one() == ingest_result::accepted));
}

BOOST_AUTO_TEST_CASE(a_new_configuration_changes_the_rate_and_forgets_nothing) {
  limited world{quotas_of(2)};
  for (int i = 0; i < 2; ++i)
    world.post_one();
  BOOST_TEST((world.post_one() == ingest_result::rate_limited));
  auto config = virtual_system::config_of({1}, 3);
  config.quotas = quotas_of(4);
  world.put(config);
  world.settle();
  for (int i = 0; i < 2; ++i)
    BOOST_TEST((world.post_one() == ingest_result::accepted));
  BOOST_TEST((world.post_one() == ingest_result::rate_limited));
}

BOOST_AUTO_TEST_CASE(a_full_backlog_gets_429_and_is_open_again_when_it_has_gone_down) {
  limited world{quotas_of(std::nullopt, std::nullopt, 3), true};
  BOOST_TEST((world.post_one() == ingest_result::accepted));
  for (int i = 0; i < 2; ++i)
    world.post_one();
  world.advance(1'100ms);
  BOOST_TEST(world.count_of(delivery_state::retry_wait) == 3U);
  BOOST_TEST((world.post_one() == ingest_result::backlog_full));
  BOOST_TEST((world.answered().retry_after == retry_after_backlog));
  BOOST_TEST(world.actor("/sources/github").has_value());
  world.requests.endpoint = [](const attempt_request&) {
    return std::optional<attempt_facts>{attempt_facts{.http_status = 204}};
  };
  world.advance(60s);
  BOOST_TEST(world.count_of(delivery_state::retry_wait) == 0U);
  BOOST_TEST((world.post_one() == ingest_result::accepted));
}

BOOST_AUTO_TEST_CASE(the_backlog_is_read_at_most_each_second_and_not_at_all_without_its_quota) {
  limited world{quotas_of(std::nullopt, std::nullopt, 100)};
  for (int i = 0; i < 50; ++i) {
    world.post_one();
    world.advance(100ms);
  }
  BOOST_TEST(world.database.live_calls() >= 4U);
  BOOST_TEST(world.database.live_calls() <= 7U);
  const auto calls = world.database.live_calls();
  world.advance(20s); // nobody asks, and there was room
  BOOST_TEST(world.database.live_calls() <= calls + 1);
  auto config = virtual_system::config_of({1}, 3);
  world.put(config);
  world.settle();
  const auto before = world.database.live_calls();
  world.post_one();
  world.advance(5s);
  BOOST_TEST(world.database.live_calls() == before);
}

BOOST_AUTO_TEST_CASE(a_reading_that_fails_is_tried_again) {
  limited world{quotas_of(std::nullopt, std::nullopt, 1), true};
  world.post_one();
  world.database.set_available(false);
  world.advance(2s);
  world.database.set_available(true);
  world.advance(1'100ms);
  BOOST_TEST((world.post_one() == ingest_result::backlog_full));
}

BOOST_AUTO_TEST_SUITE_END()
