#include "tests/support/conformance_steps.hpp"

namespace postrider::tests {

namespace {

using namespace std::chrono_literals;

void an_accepted_event_is_stored_with_all_its_deliveries(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto made = send_and_commit(on, make_accept_item(on.now(), tenant, "one"));
  BOOST_TEST(on.has_event(made.event));
  BOOST_REQUIRE(made.deliveries.size() == 2U);
  for (const auto id : made.deliveries) {
    const auto row = read(on, id);
    BOOST_TEST((row.state == delivery_state::pending));
    BOOST_TEST(row.attempt_count == 0U);
    BOOST_TEST(row.next_attempt_at.has_value());
  }
}

void the_same_key_again_is_a_duplicate_of_the_first(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto first = send_and_commit(on, make_accept_item(on.now(), tenant, "one"));
  const auto second = send(on, make_accept_item(on.now(), tenant, "one"));
  const auto& answer = answer_of(on, second.event);
  BOOST_TEST((answer.outcome == accept_outcome::duplicate));
  BOOST_TEST((answer.first == first.event));
  BOOST_TEST(!on.has_event(second.event));
  BOOST_TEST(!on.read(second.deliveries[0]).has_value());
}

void parallel_duplicates_make_one_event(store_under_test& on) {
  const auto tenant = on.add_tenant();
  std::vector<sent> all;
  for (int i = 0; i < 200; ++i)
    all.push_back(send(on, make_accept_item(on.now(), tenant, "one", 1, on.fence_of(tenant.shard))));
  std::size_t accepted = 0;
  event_id winner{};
  for (const auto& each : all)
    if (answer_of(on, each.event).outcome == accept_outcome::accepted) {
      ++accepted;
      winner = each.event;
    }
  BOOST_TEST(accepted == 1U);
  for (const auto& each : all) {
    const auto& answer = answer_of(on, each.event);
    if (each.event == winner)
      continue;
    BOOST_TEST((answer.outcome == accept_outcome::duplicate));
    BOOST_TEST((answer.first == winner));
    BOOST_TEST(!answer.deliveries[0].ride);
  }
  BOOST_TEST(on.counted(tenant.no)[0] + on.counted(tenant.no)[1] == 2);
}

void a_stale_plan_writes_nothing(store_under_test& on) {
  const auto tenant = on.add_tenant();
  on.change_tenant(tenant);
  const auto made = send(on, make_accept_item(on.now(), tenant, "one", 1, on.fence_of(tenant.shard)));
  const auto& answer = answer_of(on, made.event);
  BOOST_TEST((answer.outcome == accept_outcome::stale));
  BOOST_TEST(!answer.deliveries[0].ride);
  BOOST_TEST(!on.has_event(made.event));
  // The same event, planned again, is no duplicate of itself.
  auto fresh = tenant;
  ++fresh.version;
  send_and_commit(on, make_accept_item(on.now(), fresh, "one"));
}

void a_first_attempt_rides_under_its_fence(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto under = on.fence_of(tenant.shard);
  const auto made = send_and_commit(on, make_accept_item(on.now(), tenant, "one", 1, under));
  const auto& answer = answer_of(on, made.event);
  BOOST_TEST(answer.deliveries[0].ride);
  BOOST_TEST(!answer.deliveries[1].ride);
  const auto riding = read(on, made.deliveries[0]);
  BOOST_TEST((riding.state == delivery_state::in_flight));
  BOOST_TEST(riding.attempt_count == 1U);
  BOOST_TEST(riding.under == under);
  BOOST_TEST(!riding.next_attempt_at.has_value());
  BOOST_TEST((read(on, made.deliveries[1]).state == delivery_state::pending));
}

void nothing_rides_under_a_fence_that_is_not_the_shards(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto made = send_and_commit(on, make_accept_item(on.now(), tenant, "one", 2, on.fence_of(tenant.shard) + 1));
  for (const auto& each : answer_of(on, made.event).deliveries) {
    BOOST_TEST(!each.ride);
    const auto row = read(on, each.id);
    BOOST_TEST((row.state == delivery_state::pending));
    BOOST_TEST(row.attempt_count == 0U);
    BOOST_TEST(row.next_attempt_at.has_value());
  }
}

void one_poisoned_row_is_rejected_alone(store_under_test& on) {
  const auto tenant = on.add_tenant();
  std::vector<sent> good;
  for (int i = 0; i < 9; ++i)
    good.push_back(send(on, make_accept_item(on.now(), tenant, "before " + std::to_string(i))));
  auto bad = make_accept_item(on.now(), tenant, "bad", 1, on.fence_of(tenant.shard));
  auto poisoned = std::make_shared<event>(*bad->what);
  poisoned->type = "no\xfftext";
  bad->what = poisoned;
  const auto rejected = send(on, std::move(bad));
  for (int i = 0; i < 9; ++i)
    good.push_back(send(on, make_accept_item(on.now(), tenant, "after " + std::to_string(i))));
  const auto& answer = answer_of(on, rejected.event);
  BOOST_TEST((answer.outcome == accept_outcome::rejected));
  BOOST_TEST(!answer.detail.empty());
  BOOST_TEST(!answer.deliveries[0].ride);
  for (const auto& each : good)
    BOOST_TEST((answer_of(on, each.event).outcome == accept_outcome::accepted));
}

void an_event_past_its_deadline_is_not_written(store_under_test& on) {
  const auto tenant = on.add_tenant();
  auto item = make_accept_item(on.now(), tenant, "late");
  item->deadline = mono_time{};
  const auto made = send(on, std::move(item));
  BOOST_TEST((answer_of(on, made.event).outcome == accept_outcome::unavailable));
  BOOST_TEST(!on.has_event(made.event));
}

} // namespace

std::vector<conformance_case> accept_cases() {
  return {
    {"an_accepted_event_is_stored_with_all_its_deliveries", an_accepted_event_is_stored_with_all_its_deliveries},
    {"the_same_key_again_is_a_duplicate_of_the_first", the_same_key_again_is_a_duplicate_of_the_first},
    {"parallel_duplicates_make_one_event", parallel_duplicates_make_one_event},
    {"a_stale_plan_writes_nothing", a_stale_plan_writes_nothing},
    {"a_first_attempt_rides_under_its_fence", a_first_attempt_rides_under_its_fence},
    {"nothing_rides_under_a_fence_that_is_not_the_shards", nothing_rides_under_a_fence_that_is_not_the_shards},
    {"one_poisoned_row_is_rejected_alone", one_poisoned_row_is_rejected_alone},
    {"an_event_past_its_deadline_is_not_written", an_event_past_its_deadline_is_not_written},
  };
}

} // namespace postrider::tests
