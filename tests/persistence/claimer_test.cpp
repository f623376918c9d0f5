#include "core/failpoint.hpp"

// The answer can be lost exactly there only in programs that have failpoints: the preset `dev`.
#ifdef POSTRIDER_FAILPOINTS

#include "persistence/claimer.hpp"
#include "tests/persistence/postgres_world.hpp"
#include "tests/support/conformance_steps.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace postrider::tests;
using namespace std::chrono_literals;

namespace {

constexpr fence mine = make_fence(5, 1);

/// A claimer under a lease that holds, and one delivery that is due.
struct claiming {
  claiming() {
    BOOST_REQUIRE(!on.connect());
    const auto shard = std::to_string(tenant.shard);
    const auto number = std::to_string(tenant.no);
    const auto event = to_string(make_uuid_v7(world.now(), random_bits()));
    world.sql("update shard_lease set fence = " + std::to_string(mine) +
              ", owner = gen_random_uuid(), expires_at = clock_timestamp() + interval '1 hour' where shard = " + shard);
    world.sql("insert into event (id, tenant_no, source_no, type, provider_event_id, content_type, headers,"
              " forward_headers, body) values ('" +
              event + "', " + number + ", 0, 'a', '1', 'text/plain', '', '', 'body')");
    world.sql("insert into delivery (id, event_id, tenant_no, endpoint_no, fence, next_attempt_at, updated_at, seed,"
              " attempt_count, generation, step, shard, state, reason, last_reason, last_status) values ('" +
              to_string(due.value) + "', '" + event + "', " + number + ", " + std::to_string(tenant.endpoints.at(0)) +
              ", 0, now() - interval '1 second', now(), 1, 0, 1, 0, " + shard + ", 0, 0, 0, 0)");
  }
  ~claiming() { arm_failpoints({}); }

  claim_request request(milliseconds lasts) {
    claim_request out;
    out.tenant = tenant.no;
    out.endpoint = tenant.endpoints.at(0);
    out.shard = tenant.shard;
    out.under = mine;
    out.now = world.now();
    out.attempt_deadline = out.now + lasts;
    out.limit = 10;
    return out;
  }
  static session_options options_for(const std::string& url) {
    session_options out;
    out.url = url;
    out.role = "claimer test";
    out.pinned_plans = true;
    out.statements = claimer::statements();
    return out;
  }

  postgres_world world{{.start = false}};
  conformance_tenant tenant = world.add_tenant();
  delivery_id due{make_uuid_v7(world.now(), random_bits())};
  watchdog dog;
  metrics counts;
  session on{options_for(world.url()), dog, counts};
  claimer claims{counts};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(claims_in_doubt, claiming)

BOOST_AUTO_TEST_CASE(what_a_claim_took_whose_answer_was_lost_is_overdue_at_the_next_claim) {
  BOOST_REQUIRE(!arm_failpoints("claim.unheard=cut@1"));
  const auto lost = claims.claim(on, request(10min));
  BOOST_REQUIRE(!lost);
  BOOST_TEST((lost.error().what == session_failure::kind::lost));
  BOOST_TEST(eventually([&] { return world.read(due)->state == delivery_state::in_flight; })); // committed, unheard

  BOOST_REQUIRE(!on.connect());
  const auto next = claims.claim(on, request(11min));
  BOOST_REQUIRE(next.has_value());
  BOOST_TEST(next->claimed.empty());
  BOOST_REQUIRE(next->overdue_attempts.size() == 1U);
  BOOST_TEST((next->overdue_attempts[0].delivery == due));
  BOOST_TEST(next->overdue_attempts[0].number == 1U);
}

BOOST_AUTO_TEST_CASE(a_closing_that_is_executed_late_closes_nothing_that_began_since) {
  const auto close = [&](const std::string& asked_at) {
    const auto closed =
      claimer::close_interrupted(on, tenant.endpoints.at(0), tenant.shard, mine, {}, least_uuid_v7({}), asked_at);
    BOOST_REQUIRE(closed);
    return closed->value();
  };
  const auto before = claimer::database_time(on);
  BOOST_REQUIRE(before);
  const auto claimed = claims.claim(on, request(10min));
  BOOST_REQUIRE(claimed);
  BOOST_REQUIRE(claimed->claimed.size() == 1U);
  BOOST_TEST(close(*before) == 0U);
  const auto after = claimer::database_time(on);
  BOOST_REQUIRE(after);
  BOOST_TEST(close(*after) == 1U);
  BOOST_TEST(close(*after) == 0U);
}

BOOST_AUTO_TEST_CASE(what_stands_in_an_order_under_a_former_fence_is_not_closed_as_ones_own_is) {
  const auto in_order = [&](fence under) {
    world.sql("update delivery set state = 1, attempt_count = 1, fence = " + std::to_string(under) +
              ", order_no = 1, order_key = 'a', lane = 5, next_attempt_at = now() + interval '1 minute'");
    const auto now = claimer::database_time(on);
    BOOST_REQUIRE(now);
    const auto closed =
      claimer::close_interrupted(on, tenant.endpoints.at(0), tenant.shard, mine, {}, least_uuid_v7({}), *now);
    BOOST_REQUIRE(closed);
    return closed->value();
  };
  BOOST_TEST(in_order(make_fence(4, 1)) == 0U); // its owner may send it until its deadline
  BOOST_TEST((world.read(due)->state == delivery_state::in_flight));
  BOOST_TEST(in_order(mine) == 1U);
}

BOOST_AUTO_TEST_CASE(a_claim_that_was_heard_is_left_alone) {
  const auto heard = claims.claim(on, request(10min));
  BOOST_REQUIRE(heard.has_value());
  BOOST_TEST(heard->claimed.size() == 1U);
  BOOST_REQUIRE(!arm_failpoints("claim.before=cut@1"));
  BOOST_REQUIRE(!claims.claim(on, request(11min))); // of another claim the answer is lost
  BOOST_REQUIRE(!on.connect());
  const auto next = claims.claim(on, request(12min));
  BOOST_REQUIRE(next.has_value());
  BOOST_TEST(next->overdue_attempts.empty());
}

// Each claim would walk over the whole backlog otherwise, to find that nothing of it is in flight.
BOOST_AUTO_TEST_CASE(an_overdue_attempt_among_a_backlog_has_its_turn_with_it) {
  const auto copy = [&](int count, const std::string& due_at, int state) {
    world.sql(
      "insert into delivery (id, event_id, tenant_no, endpoint_no, fence, next_attempt_at, updated_at, seed,"
      " attempt_count, generation, step, shard, state, reason, last_reason, last_status) select"
      " (left(id::text, 15) || right(gen_random_uuid()::text, 21))::uuid, event_id, tenant_no, endpoint_no, 0, " +
      due_at + ", now(), 1, " + std::to_string(state) + ", 1, 0, shard, " + std::to_string(state) +
      ", 0, 0, 0 from delivery, generate_series(1, " + std::to_string(count) + ") where id = '" + to_string(due.value) +
      "'");
  };
  copy(20, "now() - interval '1 minute'", 0);
  copy(1, "now() - interval '10 milliseconds'", 1);
  const auto first = claims.claim(on, request(10min));
  BOOST_REQUIRE(first.has_value());
  BOOST_TEST(first->claimed.size() == 10U);
  BOOST_TEST(first->overdue_attempts.empty());
  const auto second = claims.claim(on, request(11min));
  BOOST_REQUIRE(second.has_value());
  BOOST_TEST(second->claimed.size() == 10U);
  BOOST_TEST(second->overdue_attempts.empty());
  const auto third = claims.claim(on, request(12min));
  BOOST_REQUIRE(third.has_value());
  BOOST_TEST(third->claimed.size() == 1U);
  BOOST_TEST(third->overdue_attempts.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_claim_of_nothing_looks_for_overdue_attempts_everywhere) {
  world.sql("update delivery set state = 1, fence = 1, attempt_count = 1");
  auto of_nothing = request(10min);
  of_nothing.limit = 0;
  const auto found = claims.claim(on, of_nothing);
  BOOST_REQUIRE(found.has_value());
  BOOST_TEST(found->claimed.empty());
  BOOST_TEST(found->overdue_attempts.size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

#endif
