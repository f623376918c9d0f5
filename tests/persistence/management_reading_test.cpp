#include "tests/persistence/management_fixture.hpp"

#include "persistence/tenant_access.hpp"

using namespace postrider;
using store = postgres_management_store;
using tests::check_refused;

namespace {

/// A tenant with a source and an endpoint, and rows as the engine leaves them.
struct reading_fixture : tests::management_fixture {
  reading_fixture() {
    tenant("acme");
    tenant("umbrella");
    source("acme", "github");
    first_endpoint = endpoint("acme", "https://one.example.com").config.id;
    second_endpoint = endpoint("acme", "https://two.example.com").config.id;
  }

  event_id event(std::size_t index = 0, const std::string& body = "body", const std::string& source_name = "github") {
    const event_id id{new_uuid(now, index)};
    sql("insert into event (id, tenant_no, source_no, type, provider_event_id, content_type, headers, forward_headers, "
        "body)"
        " select '" +
        to_string(id.value) + "', tenant_no, " + (source_name == "api" ? "0" : "no") +
        ", 'push', 'p-1', 'application/json', 'x-a: 1\r\n', '', '" + body + "' from source where name = 'github'");
    return id;
  }
  delivery_id delivery(const event_id& of, const endpoint_id& to, delivery_state state, std::uint32_t attempts,
                       std::size_t index = 0) {
    const delivery_id id{new_uuid(now, index)};
    sql("insert into delivery (id, event_id, tenant_no, endpoint_no, fence, next_attempt_at, updated_at, seed, "
        "attempt_count,"
        " generation, step, shard, state, reason, last_reason, last_status) select '" +
        to_string(id.value) + "', '" + to_string(of.value) +
        "', tenant_no, no, 0, '2026-05-05 05:05:05.005Z', now(), 1, " + std::to_string(attempts) + ", 1, 0, 0, " +
        std::to_string(static_cast<int>(state)) + ", 0, 1, 503 from endpoint where id = '" + to_string(to.value) + "'");
    return id;
  }
  void attempt(const delivery_id& of, int number) {
    sql("insert into attempt values ('" + to_string(of.value) + "', " + std::to_string(number) +
        ", '2026-05-05 04:04:04.004Z', 12, 2, 1, 503, 'sorry')");
  }
  std::vector<delivery_id> list(const delivery_filter& filter, std::size_t limit = 50) {
    std::vector<delivery_id> out;
    page_request request{limit, {}};
    for (;;) {
      const auto page = ask(&store::list_deliveries, "acme", filter, request);
      BOOST_REQUIRE_MESSAGE(page, (page ? "" : page.error().detail));
      for (const auto& each : page->data)
        out.push_back(each.id);
      if (!page->next)
        return out;
      request.before = page->next;
    }
  }

  wall_time now = std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
  endpoint_id first_endpoint, second_endpoint;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(management_reading, reading_fixture)

BOOST_AUTO_TEST_CASE(an_event_is_shown_with_the_states_of_its_deliveries) {
  const auto id = event();
  const auto other = event(1);
  delivery(id, first_endpoint, delivery_state::succeeded, 1, 1);
  delivery(id, second_endpoint, delivery_state::dead, 9, 2);
  delivery(id, second_endpoint, delivery_state::dead, 9, 3);
  delivery(other, second_endpoint, delivery_state::pending, 0, 4);
  const auto got = ask(&store::get_event, "acme", id);
  BOOST_REQUIRE_MESSAGE(got, (got ? "" : got.error().detail));
  BOOST_TEST(got->source == "github");
  BOOST_TEST(got->type == "push");
  BOOST_TEST(got->provider_event_id == "p-1");
  BOOST_TEST(got->content_type == "application/json");
  BOOST_TEST(got->headers == "x-a: 1\r\n");
  BOOST_TEST(got->size == 4U);
  BOOST_TEST((got->received_at == now));
  const std::vector<std::pair<delivery_state, std::int64_t>> expected{{delivery_state::succeeded, 1},
                                                                      {delivery_state::dead, 2}};
  BOOST_TEST((got->deliveries == expected));
  check_refused(ask(&store::get_event, "umbrella", id), 404, "not-found");
  check_refused(ask(&store::get_event, "acme", event_id{new_uuid(now)}), 404, "not-found");
}

BOOST_AUTO_TEST_CASE(a_published_event_names_the_api_as_its_source) {
  const auto got = ask(&store::get_event, "acme", event(0, "x", "api"));
  BOOST_REQUIRE(got);
  BOOST_TEST(got->source == "api");
}

BOOST_AUTO_TEST_CASE(a_payload_comes_back_byte_for_byte_until_it_is_erased) {
  const auto id = event(0, "\\x00ff27");
  const auto got = ask(&store::get_payload, "acme", id);
  BOOST_REQUIRE(got);
  BOOST_TEST((got->body == std::string{"\x00\xff\x27", 3}));
  BOOST_TEST(got->content_type == "application/json");
  check_refused(ask(&store::get_payload, "umbrella", id), 404, "not-found");
  sql("update event set erased_at = now(), body = ''");
  check_refused(ask(&store::get_payload, "acme", id), 410, "payload-erased");
}

BOOST_AUTO_TEST_CASE(a_delivery_is_shown_with_its_attempts) {
  const auto id = delivery(event(), first_endpoint, delivery_state::retry_wait, 2);
  attempt(id, 1);
  attempt(id, 2);
  sql(
    "insert into endpoint_runtime (endpoint_no, tenant_no, breaker_state, opened_in_a_row, since, next_probe_at, fence)"
    " select no, tenant_no, 1, 2, now(), '2026-01-02 03:05:05.006Z', 1 from endpoint");
  const auto got = ask(&store::get_delivery, "acme", id);
  BOOST_REQUIRE_MESSAGE(got, (got ? "" : got.error().detail));
  BOOST_TEST((got->endpoint == first_endpoint));
  BOOST_TEST((got->state == delivery_state::retry_wait));
  BOOST_TEST(got->attempt_count == 2U);
  BOOST_TEST((got->next_attempt_at == parse_rfc3339("2026-05-05T05:05:05.005Z")));
  BOOST_TEST((got->created_at == now));
  BOOST_TEST(got->last_error == "http_status 503");
  BOOST_TEST((got->breaker == breaker_state::open));
  BOOST_TEST((got->next_probe_at == parse_rfc3339("2026-01-02T03:05:05.006Z")));
  BOOST_REQUIRE(got->attempts.size() == 2U);
  const auto& one = got->attempts.front();
  BOOST_TEST(one.number == 1U);
  BOOST_TEST((one.id == attempt_id_of(id, 1)));
  BOOST_TEST((got->attempts.back().id != one.id));
  BOOST_TEST((one.started_at == parse_rfc3339("2026-05-05T04:04:04.004Z")));
  BOOST_TEST((one.duration == milliseconds{12}));
  BOOST_TEST((one.outcome == attempt_outcome::failed));
  BOOST_TEST((one.reason == attempt_reason::http_status));
  BOOST_TEST(one.http_status == 503);
  BOOST_TEST(one.excerpt == "sorry");
  check_refused(ask(&store::get_delivery, "umbrella", id), 404, "not-found");
}

BOOST_AUTO_TEST_CASE(the_running_attempt_has_a_number_and_no_outcome) {
  const auto id = delivery(event(), first_endpoint, delivery_state::in_flight, 2);
  attempt(id, 1);
  const auto got = ask(&store::get_delivery, "acme", id);
  BOOST_REQUIRE(got);
  BOOST_TEST(!got->next_attempt_at);
  BOOST_REQUIRE(got->attempts.size() == 2U);
  const auto& running = got->attempts.back();
  BOOST_TEST(running.number == 2U);
  BOOST_TEST((running.id == attempt_id_of(id, 2)));
  BOOST_TEST(!running.outcome);
  BOOST_TEST(!running.started_at);
  BOOST_TEST(!running.duration);
}

BOOST_AUTO_TEST_CASE(lists_of_deliveries_are_filtered_and_paged) {
  const auto one = event(0);
  const auto two = event(1);
  std::vector<delivery_id> all;
  for (std::size_t i = 0; i < 9; ++i)
    all.insert(all.begin(), delivery(i % 2 == 0 ? one : two, i % 3 == 0 ? first_endpoint : second_endpoint,
                                     i < 4 ? delivery_state::dead : delivery_state::pending, 1, i));
  const auto where = [&](const std::function<bool(std::size_t)>& matching) {
    std::vector<delivery_id> out;
    for (std::size_t i = 9; i-- > 0;)
      if (matching(i))
        out.push_back(all[8 - i]);
    return out;
  };
  BOOST_TEST((list({}) == all));
  BOOST_TEST((list({}, 2) == all));
  BOOST_TEST((list({delivery_state::dead, {}, {}, {}}, 3) == where([](auto i) { return i < 4; })));
  BOOST_TEST((list({{}, first_endpoint, {}, {}}, 1) == where([](auto i) { return i % 3 == 0; })));
  BOOST_TEST((list({{}, {}, two, {}}) == where([](auto i) { return i % 2 == 1; })));
  BOOST_TEST((list({delivery_state::pending, second_endpoint, one, {}}) ==
              where([](auto i) { return i >= 4 && i % 3 && i % 2 == 0; })));
  BOOST_TEST((list({{}, {}, {}, now}) == all));
  BOOST_TEST(list({{}, {}, {}, now + milliseconds{1}}).empty());
  BOOST_TEST(list({{}, endpoint_id{new_uuid(now)}, {}, {}}).empty());
}

BOOST_AUTO_TEST_CASE(deliveries_of_a_deleted_endpoint_stay_visible) {
  const auto id = delivery(event(), first_endpoint, delivery_state::succeeded, 1);
  BOOST_REQUIRE(ask(&store::delete_endpoint, "acme", first_endpoint));
  BOOST_TEST(list({}).size() == 1U);
  BOOST_TEST(ask(&store::get_delivery, "acme", id).has_value());
}

/// Row-level security must not keep the conditions out of the index.
BOOST_AUTO_TEST_CASE(the_lists_of_a_confined_transaction_use_the_index_of_endpoints) {
  pqxx::connection connection{url};
  pqxx::work transaction{connection};
  enter_tenant(transaction, "acme", access::read);
  transaction.exec("set local enable_seqscan = off; set local enable_bitmapscan = off");
  std::string plan;
  for (const auto& row :
       transaction.exec("explain select * from delivery x where x.endpoint_no = 1"
                        " and x.id < 'ffffffff-ffff-ffff-ffff-ffffffffffff' order by x.id desc limit 5"))
    plan += row[0].as<std::string>() + "\n";
  BOOST_TEST_INFO(plan);
  BOOST_TEST(plan.find("Index Cond: ((endpoint_no = 1) AND (id < ") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
