#include "persistence/event_rows.hpp"
#include "persistence/published_rows.hpp"
#include "tests/persistence/operations_fixture.hpp"

using namespace postrider;
using namespace postrider::tests;
using namespace std::chrono_literals;

namespace {

const std::vector dead{delivery_state::dead};
const std::vector live{delivery_state::pending, delivery_state::in_flight, delivery_state::retry_wait};

} // namespace

BOOST_FIXTURE_TEST_SUITE(jobs, operations_fixture)

BOOST_AUTO_TEST_CASE(a_replay_revives_the_dead_of_its_endpoint_range_and_types) {
  const auto id = endpoint("acme").config.id;
  (void)endpoint("acme", "https://example.com/other");
  publish(3);
  publish(2, "customer.made");
  sql("update delivery set state = 4, next_attempt_at = null, reason = 1");
  sql("update tenant_counter set dead = pending, pending = 0");
  due.clear();
  new_job wanted{job_kind::replay, id, dead, {"invoice.*"}, wall_time{1ms}, {}};
  const auto done = finish(wanted);
  BOOST_TEST(done.done == 3);
  BOOST_TEST(done.total.value() == 3);
  BOOST_TEST(due.size() == 1U);
  BOOST_TEST(sql("select count(*) from delivery where state = 0 and generation = 2 and next_attempt_at is not null") ==
             "3");
  BOOST_TEST(sql("select count(*) from delivery where state = 4") == "7");
  wanted.until = wall_time{2ms};
  wanted.event_types.clear();
  BOOST_TEST(finish(wanted).total.value() == 0);
  check_counters();
}

BOOST_AUTO_TEST_CASE(a_bulk_cancel_ends_what_waits_and_marks_what_runs_of_all_endpoints) {
  (void)endpoint("acme");
  (void)endpoint("acme", "https://example.com/other");
  publish(600); // more than a batch
  const auto ids = deliveries();
  become(ids[7], delivery_state::in_flight, ", fence = 5");
  become(ids[8], delivery_state::succeeded);
  const auto done = finish({job_kind::cancel, {}, live, {}, {}, {}});
  BOOST_TEST(done.done == 1'199);
  BOOST_TEST(done.total.value() == 1'199);
  BOOST_TEST(sql("select count(*) from delivery where state = 5 and reason = 7") == "1198");
  BOOST_TEST(column(ids[7], "cancel_asked") == "7");
  BOOST_REQUIRE(withdrawn.size() == 1U);
  BOOST_TEST((withdrawn[0] == ids[7]));
  check_counters();
  BOOST_TEST(finish({job_kind::retry, {}, {delivery_state::cancelled}, {}, {}, {}}).done == 1'198);
  check_counters();
}

BOOST_AUTO_TEST_CASE(what_others_hold_is_cancelled_once_they_let_go) {
  (void)endpoint("acme");
  publish(3);
  const auto ids = deliveries();
  pqxx::connection other{url};
  auto held = std::make_unique<pqxx::work>(other);
  held->exec("select from delivery where id = '" + to_string(ids[1].value) + "' for update");
  const auto made = operate(&operations_store::start_job, new_job{job_kind::cancel, {}, live, {}, {}, {}});
  BOOST_REQUIRE(made);
  job_runner runner{{url, ears(), 5ms}, counts};
  runner.start();
  BOOST_REQUIRE(eventually([&] { return sql("select count(*) from delivery where state = 5") == "2"; }));
  BOOST_TEST((operate(&operations_store::get_job, made->id)->state == job_state::running));
  held.reset();
  BOOST_REQUIRE(eventually([&] { return operate(&operations_store::get_job, made->id)->state == job_state::done; }));
  BOOST_TEST(operate(&operations_store::get_job, made->id)->done == 3);
  check_counters();
}

BOOST_AUTO_TEST_CASE(events_from_before_the_endpoint_get_their_deliveries_once) {
  const auto events = publish(3);
  (void)publish(1, "customer.made");
  const auto id = endpoint("acme").config.id;
  sql("update endpoint set event_types = '{invoice.**}'");
  publish(1); // has one already
  const new_job wanted{job_kind::replay_missing, id, dead, {}, wall_time{1ms}, {}};
  const auto done = finish(wanted);
  BOOST_TEST(done.done == 3);
  BOOST_TEST(done.total.value() == 3);
  BOOST_TEST(finish(wanted).done == 0);
  BOOST_TEST(sql("select count(*) from delivery where state = 0") == "4");
  for (const auto& each : events) {
    const auto counted = ask(&postgres_management_store::get_event, "acme", each);
    BOOST_REQUIRE(counted);
    BOOST_TEST(counted->deliveries.size() == 1U); // found by the event's own millisecond
  }
  check_counters();
}

BOOST_AUTO_TEST_CASE(a_job_waits_while_its_endpoint_has_enough_to_do_unless_that_is_paused) {
  const auto id = endpoint("acme").config.id;
  publish(500);
  publish(500);
  publish(10);
  sql("update delivery set lane = 4"); // replays
  sql(
    "with d as (update delivery set state = 4, next_attempt_at = null where id in (select id from delivery order by id"
    " limit 10) returning tenant_no) insert into tenant_counter select min(tenant_no), 0, -10, 0, 0, 0, 10, 0 from d");
  const auto made = operate(&operations_store::start_job, new_job{job_kind::replay, id, dead, {}, wall_time{1ms}, {}});
  BOOST_REQUIRE(made);
  job_runner runner{{url, ears(), 5ms}, counts};
  runner.start();
  BOOST_REQUIRE(eventually([&] { return operate(&operations_store::get_job, made->id)->total == 10; }));
  const auto updated = [&] { return operate(&operations_store::get_job, made->id)->updated_at; };
  const auto first = updated();
  BOOST_REQUIRE(eventually([&] { return updated() > first; })); // it was looked at again
  BOOST_TEST(operate(&operations_store::get_job, made->id)->done == 0);
  sql("update endpoint set status = 1");
  BOOST_REQUIRE(eventually([&] { return operate(&operations_store::get_job, made->id)->state == job_state::done; }));
  BOOST_TEST(operate(&operations_store::get_job, made->id)->done == 10);
  check_counters();
}

BOOST_AUTO_TEST_CASE(a_job_that_cannot_go_on_fails_and_says_so) {
  (void)endpoint("acme");
  publish(1);
  const auto made = operate(&operations_store::start_job, new_job{job_kind::cancel, {}, live, {}, {}, {}});
  BOOST_REQUIRE(made);
  sql("update job set failures = 19, stage = 2, endpoint_cursor = (select no from endpoint)");
  sql("create function broken() returns trigger language plpgsql as 'begin raise exception ''no room''; end'");
  sql("create trigger broken before update on delivery for each row execute function broken()");
  job_runner runner{{url, ears(), 5ms}, counts};
  runner.start();
  BOOST_REQUIRE(eventually([&] { return operate(&operations_store::get_job, made->id)->state == job_state::failed; }));
  BOOST_TEST(operate(&operations_store::get_job, made->id)->error.find("no room") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_tenant_has_so_many_running_jobs_and_sees_no_other_tenants) {
  (void)endpoint("acme");
  (void)tenant("other");
  const new_job wanted{job_kind::cancel, {}, live, {}, {}, {}};
  const auto first = operate(&operations_store::start_job, wanted);
  BOOST_REQUIRE(first);
  for (std::int64_t i = 1; i < running_jobs_max; ++i)
    BOOST_REQUIRE(operate(&operations_store::start_job, wanted));
  check_refused(operate(&operations_store::start_job, wanted), 409, "too-many-jobs");
  auto of_nobody = wanted;
  of_nobody.endpoint = endpoint_id{};
  check_refused(operate(&operations_store::start_job, of_nobody), 404, "not-found");
  std::promise<result<job_record>> answer;
  operations.get_job("other", first->id, [&](result<job_record> found) { answer.set_value(std::move(found)); });
  check_refused(answer.get_future().get(), 404, "not-found");
}

BOOST_AUTO_TEST_CASE(the_id_of_a_later_delivery_is_always_the_same_and_of_its_events_millisecond) {
  const event_id event{make_uuid_v7(wall_time{1'700'000'000'123ms}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})};
  const auto id = later_delivery_id(event, 7);
  BOOST_TEST((id == later_delivery_id(event, 7)));
  BOOST_TEST((id != later_delivery_id(event, 8)));
  BOOST_TEST((id.value != event.value));
  const auto [low, high] = delivery_ids_of(event);
  BOOST_TEST((id.value >= low && id.value < high));
}

BOOST_AUTO_TEST_SUITE_END()
