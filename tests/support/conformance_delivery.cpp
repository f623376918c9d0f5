#include "tests/support/conformance_steps.hpp"

namespace postrider::tests {

namespace {

using namespace std::chrono_literals;

void an_outcome_is_recorded_with_its_attempt(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto made = send_and_commit(on, make_accept_item(on.now(), tenant, "one", 1, on.fence_of(tenant.shard)));
  const auto id = made.deliveries[0];
  BOOST_TEST(record(on, end_of_attempt(on, tenant, id, 1, delivery_state::retry_wait)).recorded);
  const auto row = read(on, id);
  BOOST_TEST((row.state == delivery_state::retry_wait));
  BOOST_TEST(row.step == 1U);
  BOOST_TEST(row.attempt_count == 1U);
  BOOST_TEST(row.next_attempt_at.has_value());
  BOOST_REQUIRE(row.attempts.size() == 1U);
  BOOST_TEST(row.attempts[0].number == 1U);
  BOOST_TEST((row.attempts[0].outcome == attempt_outcome::failed));
  BOOST_TEST((row.attempts[0].reason == attempt_reason::http_status));
}

void an_outcome_under_another_fence_changes_nothing(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto under = on.fence_of(tenant.shard);
  const auto made = send_and_commit(on, make_accept_item(on.now(), tenant, "one", 1, under));
  auto write = end_of_attempt(on, tenant, made.deliveries[0], 1, delivery_state::succeeded);
  write.under = under + 1;
  const auto missed = record(on, write);
  BOOST_TEST(!missed.recorded);
  BOOST_REQUIRE(missed.found.has_value());
  BOOST_TEST((missed.found->state == delivery_state::in_flight));
  BOOST_TEST(missed.found->under == under);
  BOOST_TEST(read(on, made.deliveries[0]).attempts.empty());
}

void an_outcome_that_is_written_again_counts_as_recorded_and_changes_nothing(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto made = send_and_commit(on, make_accept_item(on.now(), tenant, "one", 1, on.fence_of(tenant.shard)));
  const auto write = end_of_attempt(on, tenant, made.deliveries[0], 1, delivery_state::succeeded);
  BOOST_TEST(record(on, write).recorded);
  BOOST_TEST(record(on, write).recorded);
  BOOST_TEST(read(on, made.deliveries[0]).attempts.size() == 1U);
  BOOST_TEST(on.counters(tenant.no) == on.counted(tenant.no), boost::test_tools::per_element());
}

void an_outcome_of_an_attempt_that_is_over_misses_the_next_one(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto made = send_and_commit(on, make_accept_item(on.now(), tenant, "one", 1, on.fence_of(tenant.shard)));
  auto first = end_of_attempt(on, tenant, made.deliveries[0], 1, delivery_state::retry_wait);
  first.next_attempt_at = on.now();
  BOOST_REQUIRE(record(on, first).recorded);
  const auto next = claim(on, claim_of(on, tenant));
  BOOST_REQUIRE(next.claimed.size() == 1U);
  BOOST_REQUIRE(next.claimed[0].number == 2U);
  first.ticket = 42; // the same again: its answer was lost, and the row has gone on since
  const auto missed = record(on, first);
  BOOST_TEST(!missed.recorded);
  BOOST_TEST(missed.ticket == 42U);
  BOOST_REQUIRE(missed.found.has_value());
  BOOST_TEST((missed.found->state == delivery_state::in_flight));
  const auto row = read(on, made.deliveries[0]);
  BOOST_TEST((row.state == delivery_state::in_flight));
  BOOST_TEST(row.attempt_count == 2U);
  BOOST_TEST(row.attempts.size() == 1U);
  BOOST_TEST(on.counters(tenant.no) == on.counted(tenant.no), boost::test_tools::per_element());
}

outcome_write release_of(store_under_test& on, const conformance_tenant& tenant, delivery_id id, std::uint32_t number) {
  auto write = end_of_attempt(on, tenant, id, number, delivery_state::pending);
  write.attempt.reset();
  write.uncount = true;
  write.next_attempt_at = on.now();
  return write;
}

void a_release_that_is_written_again_uncounts_once_and_misses_the_attempt_claimed_since(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto made = send_and_commit(on, make_accept_item(on.now(), tenant, "one", 1, on.fence_of(tenant.shard)));
  const auto id = made.deliveries[0];
  const auto of_ride = release_of(on, tenant, id, 1);
  BOOST_TEST(record(on, of_ride).recorded);
  BOOST_TEST(record(on, of_ride).recorded); // the row is already the target
  BOOST_TEST(read(on, id).attempt_count == 0U);
  auto request = claim_of(on, tenant);
  BOOST_REQUIRE(claim(on, request).claimed.size() == 1U);
  BOOST_TEST(!record(on, of_ride).recorded); // the same state, fence and number, but another attempt
  auto of_claim = release_of(on, tenant, id, 1);
  of_claim.claimed_until = request.attempt_deadline;
  BOOST_TEST(record(on, of_claim).recorded);
  BOOST_TEST(record(on, of_claim).recorded);
  request.attempt_deadline += 1ms;
  BOOST_REQUIRE(claim(on, request).claimed.size() == 1U);
  BOOST_TEST(!record(on, of_claim).recorded);
  const auto row = read(on, id);
  BOOST_TEST((row.state == delivery_state::in_flight));
  BOOST_TEST(row.attempt_count == 1U);
  BOOST_TEST(on.counters(tenant.no) == on.counted(tenant.no), boost::test_tools::per_element());
}

void an_outcome_of_an_unknown_delivery_finds_nothing(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const delivery_id nobody{make_uuid_v7(on.now(), random_bits())};
  const auto missed = record(on, end_of_attempt(on, tenant, nobody, 1, delivery_state::succeeded));
  BOOST_TEST(!missed.recorded);
  BOOST_TEST(!missed.found.has_value());
}

void a_release_uncounts_the_attempt(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto made = send_and_commit(on, make_accept_item(on.now(), tenant, "one", 1, on.fence_of(tenant.shard)));
  BOOST_TEST(record(on, release_of(on, tenant, made.deliveries[0], 1)).recorded);
  const auto row = read(on, made.deliveries[0]);
  BOOST_TEST((row.state == delivery_state::pending));
  BOOST_TEST(row.attempt_count == 0U);
  BOOST_TEST(row.attempts.empty());
}

void a_claim_takes_the_oldest_first_up_to_its_limit(store_under_test& on) {
  const auto tenant = on.add_tenant();
  std::vector<delivery_id> ids;
  for (int i = 0; i < 5; ++i) {
    // One after the other, and each waits for its own retry: their due times differ, newest first.
    const auto made =
      send_and_commit(on, make_accept_item(on.now(), tenant, std::to_string(i), 1, on.fence_of(tenant.shard)));
    auto write = end_of_attempt(on, tenant, made.deliveries[0], 1, delivery_state::retry_wait);
    write.next_attempt_at = on.now() - std::chrono::seconds{10 + i};
    BOOST_REQUIRE(record(on, write).recorded);
    ids.push_back(made.deliveries[0]);
  }
  const auto first = claim(on, claim_of(on, tenant, 3));
  BOOST_TEST(first.available);
  BOOST_TEST(first.owned);
  BOOST_REQUIRE(first.claimed.size() == 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    BOOST_TEST((first.claimed[i].delivery == ids[4 - i]));
    BOOST_TEST(first.claimed[i].number == 2U);
    BOOST_TEST(first.claimed[i].step == 1U);
    BOOST_TEST(first.claimed[i].what->body == "{\"id\":\"" + std::to_string(4 - i) + "\"}");
  }
  BOOST_TEST(first.next_due.has_value());
  const auto row = read(on, ids[4]);
  BOOST_TEST((row.state == delivery_state::in_flight));
  BOOST_TEST(row.attempt_count == 2U);
  BOOST_TEST(row.next_attempt_at.has_value()); // the attempt's deadline
  const auto second = claim(on, claim_of(on, tenant, 3));
  BOOST_TEST(second.claimed.size() == 2U);
  BOOST_TEST(!second.next_due.has_value());
  BOOST_TEST(on.counters(tenant.no) == on.counted(tenant.no), boost::test_tools::per_element());
}

void a_claim_brings_the_event_back_as_it_was(store_under_test& on) {
  const auto tenant = on.add_tenant();
  auto item = make_accept_item(on.now(), tenant, "one");
  auto what = std::make_shared<event>(*item->what);
  what->body = std::string{"\0\x01\xff binary \\ ' \n", 16};
  what->forward_headers = "x-github-event: push\r\n";
  item->what = what;
  const auto seed = item->deliveries[0].seed;
  send_and_commit(on, std::move(item));
  const auto claimed = claim(on, claim_of(on, tenant));
  BOOST_REQUIRE(claimed.claimed.size() == 1U);
  const auto& back = *claimed.claimed[0].what;
  BOOST_TEST((back.id == what->id));
  BOOST_TEST(back.tenant == what->tenant);
  BOOST_TEST(back.source == what->source);
  BOOST_TEST(back.source_name == what->source_name);
  BOOST_TEST(back.type == what->type);
  BOOST_TEST(back.provider_event_id == what->provider_event_id);
  BOOST_TEST(back.content_type == what->content_type);
  BOOST_TEST(back.headers == what->headers);
  BOOST_TEST(back.forward_headers == what->forward_headers);
  BOOST_TEST((back.body == what->body));
  BOOST_TEST(claimed.claimed[0].seed == seed);
}

void a_claim_under_another_fence_gets_nothing(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto made = send_and_commit(on, make_accept_item(on.now(), tenant, "one"));
  auto request = claim_of(on, tenant);
  ++request.under;
  const auto refused = claim(on, request);
  BOOST_TEST(refused.available);
  BOOST_TEST(!refused.owned);
  BOOST_TEST(refused.claimed.empty());
  BOOST_TEST((read(on, made.deliveries[0]).state == delivery_state::pending));
}

void a_claim_after_the_shard_was_lost_gets_nothing(store_under_test& on) {
  const auto tenant = on.add_tenant();
  send_and_commit(on, make_accept_item(on.now(), tenant, "one"));
  const auto request = claim_of(on, tenant);
  on.lose_lease(tenant.shard);
  BOOST_TEST(!claim(on, request).owned);
}

void what_is_not_due_is_claimed_only_as_a_probe(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto made = send_and_commit(on, make_accept_item(on.now(), tenant, "one", 1, on.fence_of(tenant.shard)));
  BOOST_REQUIRE(record(on, end_of_attempt(on, tenant, made.deliveries[0], 1, delivery_state::retry_wait)).recorded);
  auto request = claim_of(on, tenant, 1);
  const auto early = claim(on, request);
  BOOST_TEST(early.claimed.empty());
  BOOST_TEST(early.next_due.has_value());
  request.backoff_before = on.now() - 1h; // it was not in backoff then
  const auto before = claim(on, request);
  BOOST_TEST(before.claimed.empty());
  BOOST_TEST(before.next_due.has_value());
  request.backoff_before = on.now() + 1h;
  const auto probe = claim(on, request);
  BOOST_REQUIRE(probe.claimed.size() == 1U);
  BOOST_TEST((probe.claimed[0].delivery == made.deliveries[0]));
}

void what_is_recorded_long_after_its_due_time_is_claimed_if_that_time_is_told(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto late = send_and_commit(on, make_accept_item(on.now(), tenant, "late", 1, on.fence_of(tenant.shard)));
  send_and_commit(on, make_accept_item(on.now(), tenant, "now"));
  auto request = claim_of(on, tenant, 1);
  BOOST_REQUIRE(claim(on, request).claimed.size() == 1U); // whose due time is a bound from now on
  auto end = end_of_attempt(on, tenant, late.deliveries[0], 1, delivery_state::retry_wait);
  request.due_from = end.next_attempt_at = on.now() - 1h;
  BOOST_REQUIRE(record(on, end).recorded);
  const auto claimed = claim(on, request);
  BOOST_REQUIRE(claimed.claimed.size() == 1U);
  BOOST_TEST((claimed.claimed[0].delivery == late.deliveries[0]));
}

void an_attempt_past_its_deadline_is_listed(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto made = send_and_commit(on, make_accept_item(on.now(), tenant, "one"));
  auto request = claim_of(on, tenant);
  request.attempt_deadline = on.now() - 1s;
  BOOST_REQUIRE(claim(on, request).claimed.size() == 1U);
  const auto later = claim(on, claim_of(on, tenant));
  BOOST_TEST(later.claimed.empty());
  BOOST_REQUIRE(later.overdue_attempts.size() == 1U);
  BOOST_TEST((later.overdue_attempts[0].delivery == made.deliveries[0]));
  BOOST_TEST(later.overdue_attempts[0].number == 1U);
  BOOST_TEST(later.overdue_attempts[0].under == request.under);
}

void closing_interrupted_attempts_spares_the_known_and_uses_up_no_step(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto under = on.fence_of(tenant.shard);
  const auto lost = send_and_commit(on, make_accept_item(on.now(), tenant, "lost", 1, under));
  const auto known = send_and_commit(on, make_accept_item(on.now(), tenant, "known", 1, under));
  const auto claimed = send_and_commit(on, make_accept_item(on.now(), tenant, "claimed"));
  BOOST_REQUIRE(claim(on, claim_of(on, tenant)).claimed.size() == 1U);
  BOOST_TEST(close_interrupted(on, tenant, {known.deliveries[0]}).value() == 2U);
  for (const auto id : {lost.deliveries[0], claimed.deliveries[0]}) {
    const auto row = read(on, id);
    BOOST_TEST((row.state == delivery_state::retry_wait));
    BOOST_TEST(row.step == 0U);
    BOOST_TEST(row.attempt_count == 1U);
    BOOST_REQUIRE(row.attempts.size() == 1U);
    BOOST_TEST((row.attempts[0].outcome == attempt_outcome::interrupted));
    BOOST_TEST((row.attempts[0].reason == attempt_reason::interrupted));
  }
  BOOST_TEST((read(on, known.deliveries[0]).state == delivery_state::in_flight));
  BOOST_TEST(claim(on, claim_of(on, tenant)).claimed.size() == 2U);
  BOOST_TEST(on.counters(tenant.no) == on.counted(tenant.no), boost::test_tools::per_element());
}

deleted_closing close_deleted(store_under_test& on, const conformance_tenant& tenant, tenant_no asked) {
  std::mutex mutex;
  std::optional<deleted_closing> answered;
  on.subject().close_deleted(asked, tenant.endpoints[0], tenant.shard, on.fence_of(tenant.shard),
                             [&](deleted_closing answer) {
                               const std::lock_guard lock{mutex};
                               answered = answer;
                             });
  BOOST_REQUIRE(on.eventually([&] {
    const std::lock_guard lock{mutex};
    return answered.has_value();
  }));
  return *answered;
}

void the_live_deliveries_of_a_living_endpoint_are_not_closed_whatever_the_caller_believes(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto under = on.fence_of(tenant.shard);
  const auto riding = send_and_commit(on, make_accept_item(on.now(), tenant, "riding", 1, under));
  const auto waiting = send_and_commit(on, make_accept_item(on.now(), tenant, "waiting"));
  BOOST_TEST((close_deleted(on, tenant, tenant.no) == deleted_closing::not_deleted));
  on.delete_endpoint(tenant, 1); // its neighbour
  BOOST_TEST((close_deleted(on, tenant, tenant.no) == deleted_closing::not_deleted));
  on.delete_endpoint(tenant, 0);
  BOOST_TEST((close_deleted(on, tenant, tenant.no + 1'000) == deleted_closing::not_deleted)); // not that tenant's
  BOOST_TEST((read(on, riding.deliveries[0]).state == delivery_state::in_flight));
  BOOST_TEST((read(on, waiting.deliveries[0]).state == delivery_state::pending));
  BOOST_TEST(on.counters(tenant.no) == on.counted(tenant.no), boost::test_tools::per_element());
}

void the_live_deliveries_of_a_deleted_endpoint_become_dead(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto under = on.fence_of(tenant.shard);
  const auto riding = send_and_commit(on, make_accept_item(on.now(), tenant, "riding", 1, under));
  const auto done = send_and_commit(on, make_accept_item(on.now(), tenant, "done", 1, under));
  BOOST_REQUIRE(record(on, end_of_attempt(on, tenant, done.deliveries[0], 1, delivery_state::succeeded)).recorded);
  const auto waiting = send_and_commit(on, make_accept_item(on.now(), tenant, "waiting"));
  on.delete_endpoint(tenant, 0);
  BOOST_TEST((close_deleted(on, tenant, tenant.no) == deleted_closing::done));
  for (const auto id : {riding.deliveries[0], waiting.deliveries[0]}) {
    const auto row = read(on, id);
    BOOST_TEST((row.state == delivery_state::dead));
    BOOST_TEST((row.reason == delivery_reason::endpoint_deleted));
    BOOST_TEST(row.attempts.size() == row.attempt_count); // no gap: the one in flight was interrupted
  }
  BOOST_TEST((read(on, done.deliveries[0]).state == delivery_state::succeeded));
  BOOST_TEST((read(on, waiting.deliveries[1]).state == delivery_state::pending));
  BOOST_TEST(on.counters(tenant.no) == on.counted(tenant.no), boost::test_tools::per_element());
}

void the_counters_add_up_over_a_life(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto under = on.fence_of(tenant.shard);
  std::vector<delivery_id> riding;
  for (int i = 0; i < 20; ++i)
    riding.push_back(
      send_and_commit(on, make_accept_item(on.now(), tenant, std::to_string(i), 1, under)).deliveries[0]);
  for (std::size_t i = 0; i < riding.size(); ++i) {
    const auto to = i % 4 == 0   ? delivery_state::succeeded
                    : i % 4 == 1 ? delivery_state::dead
                    : i % 4 == 2 ? delivery_state::retry_wait
                                 : delivery_state::cancelled;
    BOOST_REQUIRE(record(on, end_of_attempt(on, tenant, riding[i], 1, to)).recorded);
  }
  const auto counters = on.counters(tenant.no);
  BOOST_TEST(counters == on.counted(tenant.no), boost::test_tools::per_element());
  const std::array<std::int64_t, delivery_state_count> expected{20, 0, 5, 5, 5, 5}; // the other endpoint's are pending
  BOOST_TEST(counters == expected, boost::test_tools::per_element());
}

} // namespace

std::vector<conformance_case> delivery_cases() {
  return {
    {"an_outcome_is_recorded_with_its_attempt", an_outcome_is_recorded_with_its_attempt},
    {"an_outcome_under_another_fence_changes_nothing", an_outcome_under_another_fence_changes_nothing},
    {"an_outcome_that_is_written_again_counts_as_recorded_and_changes_nothing",
     an_outcome_that_is_written_again_counts_as_recorded_and_changes_nothing},
    {"an_outcome_of_an_attempt_that_is_over_misses_the_next_one",
     an_outcome_of_an_attempt_that_is_over_misses_the_next_one},
    {"a_release_that_is_written_again_uncounts_once_and_misses_the_attempt_claimed_since",
     a_release_that_is_written_again_uncounts_once_and_misses_the_attempt_claimed_since},
    {"an_outcome_of_an_unknown_delivery_finds_nothing", an_outcome_of_an_unknown_delivery_finds_nothing},
    {"a_release_uncounts_the_attempt", a_release_uncounts_the_attempt},
    {"a_claim_takes_the_oldest_first_up_to_its_limit", a_claim_takes_the_oldest_first_up_to_its_limit},
    {"a_claim_brings_the_event_back_as_it_was", a_claim_brings_the_event_back_as_it_was},
    {"a_claim_under_another_fence_gets_nothing", a_claim_under_another_fence_gets_nothing},
    {"a_claim_after_the_shard_was_lost_gets_nothing", a_claim_after_the_shard_was_lost_gets_nothing},
    {"what_is_not_due_is_claimed_only_as_a_probe", what_is_not_due_is_claimed_only_as_a_probe},
    {"what_is_recorded_long_after_its_due_time_is_claimed_if_that_time_is_told",
     what_is_recorded_long_after_its_due_time_is_claimed_if_that_time_is_told},
    {"an_attempt_past_its_deadline_is_listed", an_attempt_past_its_deadline_is_listed},
    {"closing_interrupted_attempts_spares_the_known_and_uses_up_no_step",
     closing_interrupted_attempts_spares_the_known_and_uses_up_no_step},
    {"the_live_deliveries_of_a_living_endpoint_are_not_closed_whatever_the_caller_believes",
     the_live_deliveries_of_a_living_endpoint_are_not_closed_whatever_the_caller_believes},
    {"the_live_deliveries_of_a_deleted_endpoint_become_dead", the_live_deliveries_of_a_deleted_endpoint_become_dead},
    {"the_counters_add_up_over_a_life", the_counters_add_up_over_a_life},
  };
}

} // namespace postrider::tests
