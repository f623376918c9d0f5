#include "tests/support/conformance_steps.hpp"

#include <map>

namespace postrider::tests {

namespace {

using enum delivery_lane;

/// One delivery to the tenant's first endpoint that waits in that lane.
delivery_id wait_in(store_under_test& on, const conformance_tenant& tenant, delivery_lane lane) {
  static int made = 0;
  auto item = make_accept_item(on.now(), tenant, "lane " + std::to_string(++made));
  item->deliveries[0].lane = lane;
  return send_and_commit(on, std::move(item)).deliveries[0];
}

by_lane<std::uint32_t> count_lanes(const claim_result& result) {
  by_lane<std::uint32_t> out{};
  for (const auto& each : result.claimed)
    ++out[index_of(each.lane)];
  return out;
}

void a_delivery_waits_in_the_lane_it_was_accepted_for(store_under_test& on) {
  const auto tenant = on.add_tenant();
  for (const auto lane : all_lanes) {
    const auto id = wait_in(on, tenant, lane);
    BOOST_TEST((read(on, id).lane == lane));
    const auto taken = claim(on, claim_of(on, tenant));
    BOOST_REQUIRE(taken.claimed.size() == 1U);
    BOOST_TEST((taken.claimed[0].delivery == id));
    BOOST_TEST((taken.claimed[0].lane == lane));
  }
}

void a_failure_moves_to_the_retries_and_what_did_not_fail_stays(store_under_test& on) {
  const auto tenant = on.add_tenant();
  for (const auto lane : {live_high, live_low, retry, replay}) {
    const auto id = wait_in(on, tenant, lane);
    auto request = claim_of(on, tenant);
    BOOST_REQUIRE(claim(on, request).claimed.size() == 1U);
    auto release = end_of_attempt(on, tenant, id, 1, delivery_state::pending);
    release.attempt.reset();
    release.uncount = true;
    release.claimed_until = request.attempt_deadline;
    release.next_attempt_at = on.now();
    BOOST_REQUIRE(record(on, release).recorded);
    BOOST_TEST((read(on, id).lane == lane));
    BOOST_REQUIRE(claim(on, claim_of(on, tenant)).claimed.size() == 1U);
    BOOST_REQUIRE(close_interrupted(on, tenant, {}).has_value());
    BOOST_TEST((read(on, id).lane == lane)); // cut short, not failed
    BOOST_REQUIRE(claim(on, claim_of(on, tenant)).claimed.size() == 1U);
    BOOST_REQUIRE(record(on, end_of_attempt(on, tenant, id, 2, delivery_state::retry_wait)).recorded);
    BOOST_TEST((read(on, id).lane == lane_after_failure(lane)));
  }
}

void lanes_share_a_claim_by_weight_and_each_gives_its_oldest_first(store_under_test& on) {
  const auto tenant = on.add_tenant();
  std::map<delivery_id, wall_time> due;
  by_lane<std::vector<wall_time>> waiting;
  for (int i = 0; i < 10; ++i)
    for (const auto lane : {replay, retry, live_low, live_medium, live_high}) // the lightest are the oldest
    {
      const auto id = wait_in(on, tenant, lane);
      waiting[index_of(lane)].push_back(due[id] = read(on, id).next_attempt_at.value());
    }
  const auto taken = claim(on, claim_of(on, tenant, 19));
  auto shares = lane_weights;
  shares[index_of(in_order)] = 0; // nothing is in order here
  BOOST_TEST((count_lanes(taken) == shares));
  by_lane<std::size_t> next{};
  for (const auto& each : taken.claimed) {
    const auto lane = index_of(each.lane);
    BOOST_TEST((due.at(each.delivery) == waiting[lane][next[lane]++]));
  }
  for (const auto lane : all_lanes)
    BOOST_TEST(taken.due_by_lane.in(lane).has_value() == (lane != in_order));
  BOOST_TEST((taken.next_due == taken.due_by_lane.earliest()));
}

void a_lane_alone_has_the_whole_claim(store_under_test& on) {
  const auto tenant = on.add_tenant();
  for (int i = 0; i < 6; ++i)
    wait_in(on, tenant, replay);
  BOOST_TEST(claim(on, claim_of(on, tenant, 5)).claimed.size() == 5U);
}

void the_tags_of_a_claim_decide_who_comes_first(store_under_test& on) {
  const auto tenant = on.add_tenant();
  wait_in(on, tenant, live_high);
  const auto light = wait_in(on, tenant, replay);
  auto request = claim_of(on, tenant, 1);
  request.turns[index_of(live_high)].start = 1'000; // it has had its share
  const auto taken = claim(on, request);
  BOOST_REQUIRE(taken.claimed.size() == 1U);
  BOOST_TEST((taken.claimed[0].delivery == light));
}

void a_claim_takes_no_more_of_a_lane_than_it_may_and_tells_what_is_left(store_under_test& on) {
  const auto tenant = on.add_tenant();
  for (int i = 0; i < 4; ++i) {
    wait_in(on, tenant, live_low);
    wait_in(on, tenant, replay);
  }
  auto request = claim_of(on, tenant, 10);
  request.turns[index_of(replay)].most = 0;
  const auto first = claim(on, request);
  BOOST_TEST((count_lanes(first) == by_lane<std::uint32_t>{0, 0, 4, 0, 0}));
  BOOST_TEST(first.due_by_lane.in(replay).has_value());
  BOOST_TEST(!first.due_by_lane.in(live_low).has_value());
  request.attempt_deadline += milliseconds{1};
  request.turns[index_of(replay)].most = 3;
  const auto second = claim(on, request);
  BOOST_TEST((count_lanes(second) == by_lane<std::uint32_t>{0, 0, 0, 0, 3}));
  BOOST_TEST(second.due_by_lane.in(replay).has_value());
}

void what_waits_on_backoff_is_taken_by_weight_too(store_under_test& on) {
  const auto tenant = on.add_tenant();
  for (const auto lane : {replay, live_high, replay, live_high, replay, live_high}) {
    const auto id = wait_in(on, tenant, lane);
    BOOST_REQUIRE(claim(on, claim_of(on, tenant)).claimed.size() == 1U);
    BOOST_REQUIRE(record(on, end_of_attempt(on, tenant, id, 1, delivery_state::retry_wait)).recorded); // in an hour
  }
  const auto fresh = wait_in(on, tenant, live_medium);
  auto request = claim_of(on, tenant, 4);
  request.backoff_before = on.now() + milliseconds{1'000};
  const auto taken = claim(on, request);
  BOOST_TEST((count_lanes(taken) == by_lane<std::uint32_t>{0, 1, 0, 2, 1}));
  BOOST_TEST((taken.claimed[0].delivery == fresh));
}

} // namespace

std::vector<conformance_case> lane_cases() {
  return {
    {"a_delivery_waits_in_the_lane_it_was_accepted_for", a_delivery_waits_in_the_lane_it_was_accepted_for},
    {"a_failure_moves_to_the_retries_and_what_did_not_fail_stays",
     a_failure_moves_to_the_retries_and_what_did_not_fail_stays},
    {"lanes_share_a_claim_by_weight_and_each_gives_its_oldest_first",
     lanes_share_a_claim_by_weight_and_each_gives_its_oldest_first},
    {"a_lane_alone_has_the_whole_claim", a_lane_alone_has_the_whole_claim},
    {"the_tags_of_a_claim_decide_who_comes_first", the_tags_of_a_claim_decide_who_comes_first},
    {"a_claim_takes_no_more_of_a_lane_than_it_may_and_tells_what_is_left",
     a_claim_takes_no_more_of_a_lane_than_it_may_and_tells_what_is_left},
    {"what_waits_on_backoff_is_taken_by_weight_too", what_waits_on_backoff_is_taken_by_weight_too},
  };
}

} // namespace postrider::tests
