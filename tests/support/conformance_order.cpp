// What stands in an order.

#include "tests/support/conformance_steps.hpp"

#include <algorithm>
#include <map>

namespace postrider::tests {

namespace {

using namespace std::chrono_literals;

delivery_id commit_in_order(store_under_test& on, const conformance_tenant& tenant, std::string id, std::string key) {
  auto item = make_accept_item(on.now(), tenant, std::move(id));
  item->deliveries[0].order_key = std::move(key);
  return send_and_commit(on, std::move(item)).deliveries[0];
}

/// All keys, from the first.
claim_request round_of(store_under_test& on, const conformance_tenant& tenant, std::uint32_t run = 64) {
  auto out = claim_of(on, tenant, 256);
  out.order.emplace();
  out.order->from.emplace();
  out.order->run = run;
  return out;
}

std::vector<std::int64_t> numbers_of(const claim_result& result) {
  std::vector<std::int64_t> out;
  for (const auto& each : result.claimed)
    out.push_back(each.place ? each.place->no : 0);
  return out;
}

using numbers = std::vector<std::int64_t>;

void deliveries_in_order_are_numbered_as_they_are_committed(store_under_test& on) {
  const auto tenant = on.add_tenant();
  std::vector<delivery_id> ids;
  for (const auto* id : {"one", "two", "three", "four"})
    ids.push_back(commit_in_order(on, tenant, id, ids.size() % 2 == 0 ? "even" : "odd"));
  auto again = make_accept_item(on.now(), tenant, "one"); // takes no number
  again->deliveries[0].order_key = "even";
  const auto repeated = send(on, std::move(again));
  BOOST_TEST((answer_of(on, repeated.event).outcome == accept_outcome::duplicate));
  ids.push_back(commit_in_order(on, tenant, "five", "even"));
  const auto claimed = claim(on, round_of(on, tenant));
  BOOST_REQUIRE(claimed.claimed.size() == 5U);
  std::map<std::string, numbers> found;
  for (const auto& each : claimed.claimed) {
    BOOST_REQUIRE(each.place.has_value());
    found[each.place->key].push_back(each.place->no);
    BOOST_TEST((each.delivery == ids.at(static_cast<std::size_t>(each.place->no - 1))));
    BOOST_TEST(each.number == 1U);
  }
  BOOST_TEST((found["even"] == numbers{1, 3, 5}));
  BOOST_TEST((found["odd"] == numbers{2, 4}));
  BOOST_TEST(claimed.blocked.empty());
  BOOST_TEST(!claimed.look_on.has_value());
}

void events_of_one_batch_are_numbered_as_they_came(store_under_test& on) {
  const auto tenant = on.add_tenant();
  std::vector<sent> all;
  for (int i = 0; i < 50; ++i) {
    auto item = make_accept_item(on.now(), tenant, std::to_string(i));
    item->deliveries[0].order_key = "";
    all.push_back(send(on, std::move(item)));
  }
  for (const auto& each : all)
    BOOST_REQUIRE((answer_of(on, each.event).outcome == accept_outcome::accepted));
  const auto claimed = claim(on, round_of(on, tenant));
  BOOST_REQUIRE(claimed.claimed.size() == 50U);
  for (std::size_t i = 0; i < all.size(); ++i) {
    BOOST_TEST(claimed.claimed[i].place->no == static_cast<std::int64_t>(i + 1));
    BOOST_TEST((claimed.claimed[i].delivery == all[i].deliveries[0]));
  }
}

void of_each_key_a_run_is_claimed(store_under_test& on) {
  const auto tenant = on.add_tenant();
  for (int i = 0; i < 4; ++i)
    for (const auto* key : {"a", "b"})
      commit_in_order(on, tenant, key + std::to_string(i), key);
  auto request = round_of(on, tenant, 2);
  auto first = numbers_of(claim(on, request));
  std::sort(first.begin(), first.end());
  BOOST_TEST((first == numbers{1, 2, 3, 4}));
  const auto later = claim(on, request); // all keys are under way
  BOOST_TEST(later.claimed.empty());
  BOOST_TEST(later.blocked.size() == 2U);
  for (const auto& each : later.blocked)
    BOOST_TEST((each.due > on.now()));
}

void a_key_in_backoff_holds_up_itself_alone(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto failing = commit_in_order(on, tenant, "a1", "a");
  commit_in_order(on, tenant, "a2", "a");
  commit_in_order(on, tenant, "b1", "b");
  auto request = round_of(on, tenant, 1);
  BOOST_TEST((numbers_of(claim(on, request)) == numbers{1, 3}));
  const auto end = end_of_attempt(on, tenant, failing, 1, delivery_state::retry_wait);
  BOOST_REQUIRE(record(on, end).recorded);
  commit_in_order(on, tenant, "c1", "c");
  const auto next = claim(on, request);
  BOOST_TEST((numbers_of(next) == numbers{4}));
  const auto blocked =
    std::find_if(next.blocked.begin(), next.blocked.end(), [](const auto& each) { return each.key == "a"; });
  BOOST_REQUIRE((blocked != next.blocked.end()));
  BOOST_TEST((blocked->due >= *end.next_attempt_at));
  request.order = order_look{{"a"}, {}, {}, 8};
  request.backoff_before = on.now() + 1h; // the breaker has closed
  BOOST_TEST((numbers_of(claim(on, request)) == numbers{1, 2}));
}

void an_open_key_is_left_out(store_under_test& on) {
  const auto tenant = on.add_tenant();
  commit_in_order(on, tenant, "a1", "a");
  commit_in_order(on, tenant, "b1", "b");
  auto request = round_of(on, tenant);
  request.order->open_keys = {"a"};
  const auto claimed = claim(on, request);
  BOOST_TEST((numbers_of(claimed) == numbers{2}));
  BOOST_TEST(claimed.blocked.empty());
}

void what_may_still_run_blocks_its_key_until_its_deadline(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto first = commit_in_order(on, tenant, "a1", "a");
  commit_in_order(on, tenant, "a2", "a");
  auto request = round_of(on, tenant, 1);
  BOOST_TEST((numbers_of(claim(on, request)) == numbers{1}));
  const auto meanwhile = claim(on, request);
  BOOST_TEST(meanwhile.claimed.empty());
  BOOST_TEST(meanwhile.overdue_attempts.empty());
  request.now = request.attempt_deadline + 1s;
  request.attempt_deadline = request.now + 20s;
  const auto late = claim(on, request);
  BOOST_TEST(late.claimed.empty());
  BOOST_REQUIRE(late.overdue_attempts.size() == 1U);
  BOOST_TEST((late.overdue_attempts[0].delivery == first));
  BOOST_REQUIRE(late.overdue_attempts[0].place.has_value());
  BOOST_TEST(late.overdue_attempts[0].place->key == "a");
}

void a_round_goes_on_where_its_page_ended(store_under_test& on) {
  const auto tenant = on.add_tenant();
  std::vector<sent> all;
  for (int i = 0; i < 300; ++i) {
    auto item = make_accept_item(on.now(), tenant, std::to_string(i));
    item->deliveries[0].order_key = "key " + std::to_string(i);
    all.push_back(send(on, std::move(item)));
  }
  for (const auto& each : all)
    BOOST_REQUIRE((answer_of(on, each.event).outcome == accept_outcome::accepted));
  auto request = round_of(on, tenant);
  const auto page = claim(on, request);
  BOOST_TEST(page.claimed.size() == 256U);
  BOOST_REQUIRE(page.look_on.has_value());
  request.order->from = page.look_on;
  const auto rest = claim(on, request);
  BOOST_TEST(rest.claimed.size() == 44U);
  BOOST_TEST(!rest.look_on.has_value());
}

void what_stands_in_no_order_is_claimed_beside_what_does(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto before = send_and_commit(on, make_accept_item(on.now(), tenant, "before it was ordered"));
  commit_in_order(on, tenant, "in order", "");
  const auto claimed = claim(on, round_of(on, tenant));
  BOOST_REQUIRE(claimed.claimed.size() == 2U);
  BOOST_TEST(claimed.claimed[0].place.has_value());
  BOOST_TEST(!claimed.claimed[1].place.has_value());
  BOOST_TEST((claimed.claimed[1].delivery == before.deliveries[0]));
}

void on_an_endpoint_that_is_parallel_again_order_counts_no_more(store_under_test& on) {
  const auto tenant = on.add_tenant();
  commit_in_order(on, tenant, "a1", "a");
  commit_in_order(on, tenant, "a2", "a");
  BOOST_TEST(claim(on, claim_of(on, tenant)).claimed.size() == 2U);
}

} // namespace

std::vector<conformance_case> order_cases() {
  return {
    {"deliveries_in_order_are_numbered_as_they_are_committed", deliveries_in_order_are_numbered_as_they_are_committed},
    {"events_of_one_batch_are_numbered_as_they_came", events_of_one_batch_are_numbered_as_they_came},
    {"of_each_key_a_run_is_claimed", of_each_key_a_run_is_claimed},
    {"a_key_in_backoff_holds_up_itself_alone", a_key_in_backoff_holds_up_itself_alone},
    {"an_open_key_is_left_out", an_open_key_is_left_out},
    {"what_may_still_run_blocks_its_key_until_its_deadline", what_may_still_run_blocks_its_key_until_its_deadline},
    {"a_round_goes_on_where_its_page_ended", a_round_goes_on_where_its_page_ended},
    {"what_stands_in_no_order_is_claimed_beside_what_does", what_stands_in_no_order_is_claimed_beside_what_does},
    {"on_an_endpoint_that_is_parallel_again_order_counts_no_more",
     on_an_endpoint_that_is_parallel_again_order_counts_no_more}};
}

} // namespace postrider::tests
