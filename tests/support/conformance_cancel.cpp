// A delivery in flight that somebody has asked to cancel: its attempt decides, and nothing makes it live on.

#include "tests/support/conformance_steps.hpp"

namespace postrider::tests {

namespace {

/// A ride whose cancelling was asked for.
delivery_id asked(store_under_test& on, const conformance_tenant& tenant) {
  const auto made = send_and_commit(on, make_accept_item(on.now(), tenant, "one", 1, on.fence_of(tenant.shard)));
  on.ask_to_cancel(made.deliveries[0]);
  return made.deliveries[0];
}

void check_cancelled(store_under_test& on, const conformance_tenant& tenant, delivery_id id) {
  const auto row = read(on, id);
  BOOST_TEST((row.state == delivery_state::cancelled));
  BOOST_TEST((row.reason == delivery_reason::cancelled_by_user));
  BOOST_TEST(!row.next_attempt_at.has_value());
  BOOST_TEST(on.counters(tenant.no) == on.counted(tenant.no), boost::test_tools::per_element());
}

void a_failure_of_what_is_to_be_cancelled_is_recorded_and_ends_it(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto id = asked(on, tenant);
  const auto write = end_of_attempt(on, tenant, id, 1, delivery_state::retry_wait);
  for (int run = 0; run < 2; ++run) { // the second time its answer was lost
    const auto done = record(on, write);
    BOOST_TEST(!done.recorded);
    BOOST_REQUIRE(done.found.has_value());
    BOOST_TEST((done.found->state == delivery_state::cancelled));
    BOOST_TEST(done.found->under == write.under);
  }
  check_cancelled(on, tenant, id);
  const auto row = read(on, id);
  BOOST_REQUIRE(row.attempts.size() == 1U);
  BOOST_TEST((row.attempts[0].outcome == attempt_outcome::failed));
}

void a_release_of_what_is_to_be_cancelled_ends_it_and_uncounts_the_attempt(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto id = asked(on, tenant);
  auto write = end_of_attempt(on, tenant, id, 1, delivery_state::pending);
  write.attempt.reset();
  write.uncount = true;
  write.next_attempt_at = on.now();
  BOOST_TEST(!record(on, write).recorded);
  check_cancelled(on, tenant, id);
  BOOST_TEST(read(on, id).attempt_count == 0U);
  auto request = claim_of(on, tenant);
  BOOST_TEST(claim(on, request).claimed.empty());
}

void a_final_outcome_of_what_is_to_be_cancelled_stays(store_under_test& on) {
  const auto tenant = on.add_tenant();
  for (const auto to : {delivery_state::succeeded, delivery_state::dead}) {
    const auto made =
      send_and_commit(on, make_accept_item(on.now(), tenant, std::string{to_string(to)}, 1, on.fence_of(tenant.shard)));
    on.ask_to_cancel(made.deliveries[0]);
    BOOST_TEST(record(on, end_of_attempt(on, tenant, made.deliveries[0], 1, to)).recorded);
    BOOST_TEST((read(on, made.deliveries[0]).state == to));
  }
  BOOST_TEST(on.counters(tenant.no) == on.counted(tenant.no), boost::test_tools::per_element());
}

void an_interrupted_attempt_of_what_is_to_be_cancelled_ends_it(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto id = asked(on, tenant);
  BOOST_TEST(close_interrupted(on, tenant, {}).value() == 1U);
  check_cancelled(on, tenant, id);
  const auto row = read(on, id);
  BOOST_REQUIRE(row.attempts.size() == 1U);
  BOOST_TEST((row.attempts[0].outcome == attempt_outcome::interrupted));
}

} // namespace

std::vector<conformance_case> cancel_cases() {
  return {
    {"a_failure_of_what_is_to_be_cancelled_is_recorded_and_ends_it",
     a_failure_of_what_is_to_be_cancelled_is_recorded_and_ends_it},
    {"a_release_of_what_is_to_be_cancelled_ends_it_and_uncounts_the_attempt",
     a_release_of_what_is_to_be_cancelled_ends_it_and_uncounts_the_attempt},
    {"a_final_outcome_of_what_is_to_be_cancelled_stays", a_final_outcome_of_what_is_to_be_cancelled_stays},
    {"an_interrupted_attempt_of_what_is_to_be_cancelled_ends_it",
     an_interrupted_attempt_of_what_is_to_be_cancelled_ends_it},
  };
}

} // namespace postrider::tests
