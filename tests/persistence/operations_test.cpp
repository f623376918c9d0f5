#include "persistence/random_id.hpp"
#include "tests/persistence/operations_fixture.hpp"

using namespace postrider;
using namespace postrider::tests;
using namespace std::chrono_literals;

BOOST_FIXTURE_TEST_SUITE(operations_on_endpoints, operations_fixture)

BOOST_AUTO_TEST_CASE(pausing_and_resuming_change_the_status_and_leave_a_trace) {
  const auto id = endpoint("acme").config.id;
  const auto before = version("acme");
  BOOST_TEST((operate(&operations_store::pause_endpoint, id)->config.status == endpoint_status::paused));
  BOOST_TEST((operate(&operations_store::pause_endpoint, id)->config.status == endpoint_status::paused));
  BOOST_TEST((operate(&operations_store::resume_endpoint, id)->config.status == endpoint_status::active));
  BOOST_TEST(version("acme") > before);
  BOOST_TEST(sql("select string_agg(from_state || '-' || to_state || ':' || cause, ' ' order by id) from transition") ==
             "active-paused:paused_by_user paused-active:resumed_by_user");
  sql("update endpoint set status = 2");
  check_refused(operate(&operations_store::resume_endpoint, id), 409, "endpoint-disabled");
  check_refused(operate(&operations_store::pause_endpoint, id), 409, "endpoint-disabled");
  check_refused(operate(&operations_store::test_endpoint, id), 409, "endpoint-disabled");
  check_refused(operate(&operations_store::pause_endpoint, endpoint_id{random_id(wall_time{1ms})}), 404, "not-found");
}

BOOST_AUTO_TEST_CASE(a_reset_closes_the_stored_breaker_and_is_part_of_the_configuration) {
  const auto made = endpoint("acme").config;
  sql(
    "insert into endpoint_runtime (endpoint_no, tenant_no, breaker_state, opened_in_a_row, since, next_probe_at, fence)"
    " select no, tenant_no, 1, 5, now(), now() + interval '1 hour', 77 from endpoint");
  const auto before = version("acme");
  const auto now = operate(&operations_store::reset_breaker, made.id);
  BOOST_REQUIRE(now);
  BOOST_TEST((now->breaker == breaker_state::closed));
  BOOST_TEST(!now->next_probe_at.has_value());
  BOOST_TEST(version("acme") == before + 1);
  BOOST_TEST(sql("select breaker_resets from endpoint") == "1");
  BOOST_TEST(sql("select opened_in_a_row from endpoint_runtime") == "0");
  BOOST_TEST(sql("select kind || ' ' || from_state || '-' || to_state from transition") == "operator open-closed");
  BOOST_TEST(operate(&operations_store::reset_breaker, made.id).has_value()); // closed already
  BOOST_TEST(sql("select breaker_resets from endpoint") == "2");
}

BOOST_AUTO_TEST_CASE(a_test_makes_one_event_for_this_endpoint_alone) {
  const auto first = endpoint("acme").config;
  (void)endpoint("acme", "https://example.com/other");
  const auto made = operate(&operations_store::test_endpoint, first.id);
  BOOST_REQUIRE(made);
  BOOST_TEST(sql("select type || ' ' || source_no || ' ' || content_type from event") ==
             "postrider.test 0 application/json");
  BOOST_REQUIRE(deliveries().size() == 1U);
  BOOST_TEST(sql("select (d.next_attempt_at <= clock_timestamp())::text || d.state || d.generation from delivery d join"
                 " endpoint e on e.no = d.endpoint_no and e.url = 'https://example.com/hook'") == "true01");
  BOOST_TEST(due.size() == 1U);
  check_counters();
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(operations_on_single_deliveries, operations_fixture)

BOOST_AUTO_TEST_CASE(a_final_delivery_is_retried_in_a_new_generation_and_a_live_one_is_not) {
  (void)endpoint("acme");
  publish(4);
  const auto ids = deliveries();
  become(ids[0], delivery_state::dead, ", reason = 1, step = 13, last_reason = 1, last_status = 500, cancel_asked = 7");
  become(ids[1], delivery_state::succeeded);
  become(ids[2], delivery_state::cancelled);
  due.clear();
  for (std::size_t i = 0; i < 3; ++i) {
    const auto now = operate(&operations_store::retry_delivery, ids[i]);
    BOOST_REQUIRE(now);
    BOOST_TEST((now->state == delivery_state::pending));
    BOOST_TEST(now->generation == 2U);
    BOOST_TEST(now->attempt_count == 1U); // its history goes on
    BOOST_TEST(now->next_attempt_at.has_value());
  }
  BOOST_TEST(column(ids[0], "step || ' ' || reason || ' ' || cancel_asked || ' ' || lane") == "0 0 0 4");
  BOOST_TEST(due.size() == 1U);
  check_refused(operate(&operations_store::retry_delivery, ids[3]), 409, "delivery-live");
  check_refused(operate(&operations_store::retry_delivery, ids[0]), 409, "delivery-live");
  check_refused(operate(&operations_store::retry_delivery, delivery_id{random_id(wall_time{1ms})}), 404, "not-found");
  check_counters();
}

BOOST_AUTO_TEST_CASE(a_success_that_its_row_keeps_becomes_a_row_of_its_own_when_the_delivery_is_retried) {
  (void)endpoint("acme");
  publish(1);
  const auto id = deliveries()[0];
  become(id, delivery_state::succeeded,
         ", last_status = 204, success_started_at = now(), success_duration_ms = 7, success_excerpt = 'done'");
  const auto before = ask(&postgres_management_store::get_delivery, "acme", id);
  BOOST_REQUIRE(before);
  const auto after = operate(&operations_store::retry_delivery, id);
  BOOST_REQUIRE(after);
  for (const auto* each : {&*before, &*after}) {
    BOOST_REQUIRE(each->attempts.size() == 1U);
    const auto& attempt = each->attempts[0];
    BOOST_TEST(attempt.number == 1U);
    BOOST_TEST((attempt.outcome == attempt_outcome::succeeded));
    BOOST_TEST((attempt.reason == attempt_reason::none));
    BOOST_TEST(attempt.http_status == 204);
    BOOST_TEST((attempt.duration == 7ms));
    BOOST_TEST(attempt.excerpt == "done");
    BOOST_TEST((attempt.started_at == before->attempts[0].started_at));
  }
  BOOST_TEST(column(id, "num_nulls(success_started_at, success_duration_ms, success_excerpt)") == "3");
  BOOST_TEST(sql("select count(*) from attempt") == "1");
}

BOOST_AUTO_TEST_CASE(what_waits_is_cancelled_at_once_and_what_runs_is_marked_and_withdrawn) {
  (void)endpoint("acme");
  publish(3);
  const auto ids = deliveries();
  become(ids[1], delivery_state::in_flight, ", fence = 5, updated_at = now() - interval '1 hour'");
  become(ids[2], delivery_state::retry_wait, ", next_attempt_at = now() + interval '1 hour'");
  const auto started = column(ids[1], "updated_at");
  for (const auto i : {0U, 2U}) {
    const auto now = operate(&operations_store::cancel_delivery, ids[i]);
    BOOST_REQUIRE(now);
    BOOST_TEST((now->state == delivery_state::cancelled));
    BOOST_TEST((now->reason == delivery_reason::cancelled_by_user));
    BOOST_TEST(!now->next_attempt_at.has_value());
    check_refused(operate(&operations_store::cancel_delivery, ids[i]), 409, "delivery-final");
  }
  BOOST_TEST(withdrawn.empty());
  for (int i = 0; i < 2; ++i) // asked twice, it is the same
    BOOST_TEST((operate(&operations_store::cancel_delivery, ids[1])->state == delivery_state::in_flight));
  BOOST_TEST(withdrawn.size() == 2U);
  BOOST_TEST(column(ids[1], "cancel_asked") == "7");
  BOOST_TEST(column(ids[1], "updated_at") == started); // its attempt began then
  check_counters();
}

BOOST_AUTO_TEST_CASE(an_erased_event_is_gone_for_good_and_its_live_deliveries_end) {
  (void)endpoint("acme");
  (void)endpoint("acme", "https://example.com/other");
  (void)endpoint("acme", "https://example.com/third");
  const auto event = publish(1).front();
  const auto ids = deliveries();
  BOOST_REQUIRE(ids.size() == 3U);
  become(ids[0], delivery_state::in_flight, ", fence = 5");
  sql("insert into attempt (delivery_id, number, started_at, duration_ms, outcome, reason, http_status, excerpt)"
      " values ('" +
      to_string(ids[1].value) + "', 1, now(), 1, 2, 1, 500, 'secret')");
  become(ids[2], delivery_state::succeeded,
         ", success_started_at = now(), success_duration_ms = 1, success_excerpt = 'secret'");
  const auto erased = operate(&operations_store::erase_event, event);
  BOOST_REQUIRE(erased);
  BOOST_TEST(erased->erased);
  BOOST_TEST(erased->size == 0U);
  BOOST_TEST(column(ids[0], "state || ' ' || cancel_asked") == "1 8");
  BOOST_TEST(column(ids[1], "state || ' ' || reason") == "5 8");
  BOOST_TEST(sql("select count(*) from delivery_attempt where excerpt is not null") == "0");
  BOOST_TEST(withdrawn.size() == 1U);
  check_refused(ask(&postgres_management_store::get_payload, "acme", event), 410, "payload-erased");
  check_refused(operate(&operations_store::retry_delivery, ids[1]), 409, "payload-erased");
  BOOST_TEST(operate(&operations_store::erase_event, event).has_value());
  check_refused(operate(&operations_store::erase_event, event_id{random_id(wall_time{1ms})}), 404, "not-found");
  check_counters();
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(published_events, operations_fixture)

BOOST_AUTO_TEST_CASE(an_event_goes_to_the_endpoints_that_match_and_its_id_is_taken_once) {
  (void)endpoint("acme");
  sql("update endpoint set event_types = '{invoice.*}'");
  (void)endpoint("acme", "https://example.com/paused");
  sql("update endpoint set status = 1 where url like '%paused'");
  (void)endpoint("acme", "https://example.com/disabled");
  sql("update endpoint set status = 2 where url like '%disabled'");
  new_event one{"invoice.paid", "application/json", R"({"a": 1})", "order-1", {}, 2, ""};
  auto other = one;
  other.type = "customer.made";
  other.id = "order-2";
  const auto done = operate(&operations_store::publish, std::vector{one, other, one});
  BOOST_REQUIRE(done);
  BOOST_TEST(!(*done)[0].duplicate);
  BOOST_TEST(!(*done)[1].duplicate);
  BOOST_TEST((*done)[2].duplicate);
  BOOST_TEST(((*done)[2].id == (*done)[0].id));
  BOOST_TEST(
    sql("select string_agg(v.provider_event_id || '>' || right(e.url, 6), ' ' order by v.id, e.no) from delivery d"
        " join event v on v.id = d.event_id join endpoint e on e.no = d.endpoint_no") ==
    "order-1>m/hook order-1>paused order-2>paused");
  BOOST_TEST(
    sql("select body = convert_to('{\"a\": 1}', 'UTF8') and priority = 2 and source_no = 0 from event limit 1") == "t");
  BOOST_TEST(sql("select bool_and(lane = coalesce(v.priority, 1)) from delivery d join event v on v.id = d.event_id") ==
             "t");           // the event's own word, else the endpoint's
  one.type = "invoice.sent"; // the id is the tenant's, whatever the type
  const auto again = operate(&operations_store::publish, std::vector{one});
  BOOST_REQUIRE(again);
  BOOST_TEST((*again)[0].duplicate);
  BOOST_TEST(((*again)[0].id == (*done)[0].id));
  BOOST_TEST(sql("select count(*) from event") == "2");
  const auto of_event = ask(&postgres_management_store::get_event, "acme", (*done)[0].id);
  BOOST_REQUIRE(of_event);
  BOOST_TEST(of_event->deliveries.size() == 1U); // all pending: its deliveries are found by its millisecond
  BOOST_TEST(of_event->deliveries.at(0).second == 2);
  check_counters();
}

BOOST_AUTO_TEST_CASE(what_is_to_be_delivered_later_waits_and_never_matches_an_ordered_endpoint) {
  (void)endpoint("acme");
  const auto later = std::chrono::floor<milliseconds>(std::chrono::system_clock::now()) + 1h;
  new_event one{"a", "text/plain", "x", {}, later, {}, "/events/3"};
  due.clear();
  BOOST_REQUIRE(operate(&operations_store::publish, std::vector{one}));
  BOOST_TEST(sql("select next_attempt_at > clock_timestamp() + interval '59 min' from delivery") == "t");
  BOOST_TEST(due.empty());
  one.deliver_at = later - 48h;
  BOOST_REQUIRE(operate(&operations_store::publish, std::vector{one}));
  BOOST_TEST(due.size() == 1U);
  sql("update endpoint set ordering = 1");
  const auto refused = operate(&operations_store::publish, std::vector{one});
  check_refused(refused, 422, "validation-failed");
  BOOST_TEST(refused.error().errors.at(0).pointer == "/events/3/deliver_at");
  sql("update tenant set enabled = false");
  one.deliver_at.reset();
  check_refused(operate(&operations_store::publish, std::vector{one}), 403, "tenant-disabled");
}

BOOST_AUTO_TEST_CASE(the_sums_are_those_of_the_counters_and_since_then_of_the_rows) {
  (void)endpoint("acme");
  publish(4);
  const auto ids = deliveries();
  become(ids[0], delivery_state::succeeded, ", updated_at = now() + interval '1 s'");
  become(ids[1], delivery_state::dead);
  for (const auto& since : {std::optional<wall_time>{}, std::optional<wall_time>{wall_time{1ms}}}) {
    const auto stats = operate(&operations_store::get_stats, since);
    BOOST_REQUIRE(stats);
    const std::array<std::int64_t, delivery_state_count> expected{2, 0, 0, 1, 1, 0};
    BOOST_TEST(stats->by_state == expected, boost::test_tools::per_element());
    BOOST_REQUIRE(stats->latency_p99_ms.has_value());
    BOOST_TEST(*stats->latency_p50_ms >= 1'000);
  }
  const auto none = operate(&operations_store::get_stats, std::optional<wall_time>{time_of(ids[0].value) + 24h});
  BOOST_REQUIRE(none);
  BOOST_TEST(!none->latency_p50_ms.has_value());
  BOOST_TEST(none->by_state[0] == 0);
}

BOOST_AUTO_TEST_SUITE_END()
