#include "net/api_operations.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace postrider;
namespace json = boost::json;
using namespace std::chrono_literals;

namespace {

const auto some_uuid = make_uuid_v7(wall_time{1'700'000'000'000ms}, {1, 2, 3});

/// Answers at once with what the test has set; remembers what it was asked.
struct scripted_operations final : operations_store {
  std::vector<std::string> asked;
  delivery_state state = delivery_state::cancelled; ///< of every delivery
  problem refusal{};                                ///< of what it is set for
  bool refuses = false;
  new_job job;
  std::vector<new_event> published;
  std::optional<wall_time> since;
  tenant_stats stats;

  template <class T>
  void answer(const std::string& what, const reply<T>& done, T value) {
    asked.push_back(what);
    refuses ? done(refusal) : done(std::move(value));
  }
  [[nodiscard]] delivery_record delivery() const {
    delivery_record out;
    out.state = state;
    return out;
  }
  [[nodiscard]] job_record record() const {
    job_record out;
    out.id = {some_uuid};
    out.kind = job.kind;
    out.done = 2;
    return out;
  }
  void pause_endpoint(std::string, endpoint_id, reply<endpoint_record> done) override { answer("pause", done, {}); }
  void resume_endpoint(std::string, endpoint_id, reply<endpoint_record> done) override { answer("resume", done, {}); }
  void reset_breaker(std::string, endpoint_id, reply<endpoint_record> done) override { answer("reset", done, {}); }
  void test_endpoint(std::string, endpoint_id, reply<event_id> done) override { answer("test", done, {some_uuid}); }
  void retry_delivery(std::string, delivery_id, reply<delivery_record> done) override {
    answer("retry", done, delivery());
  }
  void cancel_delivery(std::string, delivery_id, reply<delivery_record> done) override {
    answer("cancel", done, delivery());
  }
  void start_job(std::string, new_job wanted, reply<job_record> done) override {
    job = std::move(wanted);
    answer("job", done, record());
  }
  void get_job(std::string, job_id, reply<job_record> done) override { answer("get job", done, record()); }
  void erase_event(std::string, event_id, reply<event_record> done) override {
    event_record out;
    out.erased = true;
    answer("erase", done, out);
  }
  void publish(std::string, std::vector<new_event> events, reply<std::vector<published_event>> done) override {
    published = std::move(events);
    answer("publish", done, std::vector<published_event>(published.size(), {{some_uuid}, false}));
  }
  void get_stats(std::string, std::optional<wall_time> from, reply<tenant_stats> done) override {
    since = from;
    answer("stats", done, stats);
  }
};

struct operations_bench {
  /// Runs the route of that pattern as the router would.
  json::value ask(const std::string& method, const std::string& pattern, const std::string& body = {},
                  const std::string& parameter = {}) {
    for (const auto& route : operation_routes(store))
      if (route.method == method && route.pattern == "/v1/tenants/{tenant}" + pattern) {
        std::optional<http_response> held;
        auto call = std::make_shared<api_call>();
        call->parameters = {"acme", parameter};
        call->body = body;
        call->query = query;
        call->held = &held;
        route.handle(call);
        BOOST_REQUIRE(held.has_value());
        status = held->status;
        return json::parse(held->body);
      }
    BOOST_FAIL("no such route: " + pattern);
    return {};
  }
  std::vector<std::string> errors(const std::string& pattern, const std::string& body, const std::string& id = {}) {
    const auto answer = ask("POST", pattern, body, id);
    BOOST_TEST(status == 422);
    std::vector<std::string> out;
    for (const auto& one : answer.at("errors").as_array())
      out.push_back(json::value_to<std::string>(one.at("pointer")) + " " + json::value_to<std::string>(one.at("code")));
    std::sort(out.begin(), out.end());
    BOOST_TEST(store.asked.empty());
    return out;
  }
  std::string text(const json::value& object, const char* name) { return json::value_to<std::string>(object.at(name)); }

  scripted_operations store;
  query_parameters query;
  int status = 0;
  std::string endpoint = to_string(endpoint_id{some_uuid});
  std::string delivery = to_string(delivery_id{some_uuid});
};

using texts = std::vector<std::string>;
#define CHECK_TEXTS(got, ...) BOOST_TEST((got) == (texts{__VA_ARGS__}), boost::test_tools::per_element())

} // namespace

BOOST_FIXTURE_TEST_SUITE(api_operations, operations_bench)

BOOST_AUTO_TEST_CASE(operations_without_fields_take_no_body_or_an_empty_object) {
  for (const auto* word : {"pause", "resume", "reset-breaker"}) {
    ask("POST", "/endpoints/{endpoint}/" + std::string{word}, "", endpoint);
    BOOST_TEST(status == 200);
  }
  const auto made = ask("POST", "/endpoints/{endpoint}/test", "{}", endpoint);
  BOOST_TEST(status == 202);
  BOOST_TEST(text(made, "event_id") == to_string(event_id{some_uuid}));
  CHECK_TEXTS(store.asked, "pause", "resume", "reset", "test");
  store.asked.clear();
  CHECK_TEXTS(errors("/endpoints/{endpoint}/pause", R"({"for":5})", endpoint), "/for unknown-field");
  ask("POST", "/endpoints/{endpoint}/pause", "[", endpoint);
  BOOST_TEST(status == 400);
  ask("POST", "/endpoints/{endpoint}/pause", "", "ep_x");
  BOOST_TEST(status == 404);
  BOOST_TEST(store.asked.empty());
}

BOOST_AUTO_TEST_CASE(a_cancel_is_answered_202_while_an_attempt_runs) {
  BOOST_TEST(text(ask("POST", "/deliveries/{delivery}/cancel", "", delivery), "state") == "cancelled");
  BOOST_TEST(status == 200);
  store.state = delivery_state::in_flight;
  BOOST_TEST(text(ask("POST", "/deliveries/{delivery}/cancel", "", delivery), "state") == "in_flight");
  BOOST_TEST(status == 202);
  store.state = delivery_state::pending;
  ask("POST", "/deliveries/{delivery}/retry", "", delivery);
  BOOST_TEST(status == 200);
  store.refuses = true;
  store.refusal = {409, "delivery-live", "it is under way"};
  BOOST_TEST(text(ask("POST", "/deliveries/{delivery}/retry", "", delivery), "code") == "delivery-live");
  BOOST_TEST(status == 409);
  store.refuses = false;
  BOOST_TEST(text(ask("POST", "/events/{event}/erase", "", to_string(event_id{some_uuid})), "status") == "erased");
}

BOOST_AUTO_TEST_CASE(a_replay_means_the_dead_unless_it_says_otherwise) {
  const std::string path = "/endpoints/{endpoint}/replay";
  const auto made = ask("POST", path, R"({"since":"2026-11-21T18:00:00+01:00"})", endpoint);
  BOOST_TEST(status == 202);
  BOOST_TEST(made.at("replayed").as_int64() == 2);
  BOOST_TEST(made.at("total").is_null());
  BOOST_TEST((store.job.kind == job_kind::replay));
  BOOST_TEST((store.job.states == std::vector{delivery_state::dead}));
  BOOST_TEST((store.job.since == parse_rfc3339("2026-11-21T17:00:00Z")));
  BOOST_TEST((store.job.endpoint == endpoint_id{some_uuid}));
  ask("POST", path,
      R"({"since":"2026-11-21T18:00:00Z","until":"2026-11-22T00:00:00Z","states":["dead","succeeded"],)"
      R"("event_types":["a.*"],"missing":true})",
      endpoint);
  BOOST_TEST((store.job.kind == job_kind::replay_missing));
  BOOST_TEST(store.job.states.size() == 2U);
  BOOST_TEST(store.job.until.has_value());
  store.asked.clear();
  CHECK_TEXTS(
    errors(path, R"({"until":"x","states":["pending",7],"event_types":["a b","ok"],"missing":1,"more":0})", endpoint),
    "/event_types/0 bad-format", "/missing wrong-type", "/more unknown-field", "/since required",
    "/states/0 bad-format", "/states/1 wrong-type", "/until bad-format");
  CHECK_TEXTS(errors(path, R"({"since":"2026-11-21T18:00:00Z","states":[]})", endpoint), "/states too-short");
}

BOOST_AUTO_TEST_CASE(in_bulk_the_dead_are_retried_and_what_is_live_is_cancelled) {
  BOOST_TEST(ask("POST", "/deliveries/retry").at("retried").as_int64() == 2);
  BOOST_TEST((store.job.states == std::vector{delivery_state::dead}));
  BOOST_TEST(ask("POST", "/deliveries/cancel", "{}").at("cancelled").as_int64() == 2);
  BOOST_TEST(store.job.states.size() == 3U);
  ask("POST", "/deliveries/cancel", R"({"state":"retry_wait","event_type":"a.**","endpoint":")" + endpoint + R"("})");
  BOOST_TEST((store.job.states == std::vector{delivery_state::retry_wait}));
  BOOST_TEST(store.job.endpoint.has_value());
  CHECK_TEXTS(store.job.event_types, "a.**");
  store.asked.clear();
  CHECK_TEXTS(errors("/deliveries/retry", R"({"state":"pending","endpoint":"x","event_type":"a*","since":1})"),
              "/endpoint bad-format", "/event_type bad-format", "/since wrong-type", "/state bad-format");
  CHECK_TEXTS(errors("/deliveries/cancel", R"({"state":"dead"})"), "/state bad-format");
}

BOOST_AUTO_TEST_CASE(a_payload_is_published_as_it_stands_in_the_request) {
  const std::string payload = R"({ "b":1.10,"a" : [ "\u00e4", {"payload":2} ] })";
  const auto one =
    ask("POST", "/events", R"({"payload":7, "type":"a.b","pay\u006coad": )" + payload + R"( ,"id":"x"})");
  BOOST_TEST(status == 202);
  BOOST_TEST(!one.at("duplicate").as_bool());
  BOOST_REQUIRE(store.published.size() == 1U);
  BOOST_TEST(store.published[0].payload == payload); // of two of one name the last counts, as for any parser
  BOOST_TEST(store.published[0].content_type == "application/json");
  BOOST_TEST(store.published[0].id.value() == "x");
  const auto many = ask("POST", "/events",
                        R"({"events":[{"type":"a","payload":null},{"type":"b","payload":"]},{\""},)"
                        R"({"type":"c","payload_base64":"AAE=","content_type":"x/y","priority":"low",)"
                        R"("deliver_at":"2020-01-01T00:00:00Z"}]})");
  BOOST_TEST(many.at("data").as_array().size() == 3U);
  BOOST_REQUIRE(store.published.size() == 3U);
  BOOST_TEST(store.published[0].payload == "null");
  BOOST_TEST(store.published[1].payload == R"("]},{\"")");
  BOOST_TEST((store.published[2].payload == std::string{"\0\1", 2}));
  BOOST_TEST(store.published[2].priority.value() == 2);
  BOOST_TEST(store.published[2].at == "/events/2");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_published_is_told_all_at_once) {
  CHECK_TEXTS(errors("/events", R"({"type":"a b","deliver_at":"2999-01-01T00:00:00Z","priority":"top","more":1})"),
              "/deliver_at out-of-range", "/more unknown-field", "/payload required", "/priority bad-format",
              "/type bad-format");
  CHECK_TEXTS(errors("/events", R"({"payload":1,"payload_base64":"AA==","content_type":"x"})"),
              "/content_type read-only", "/payload_base64 read-only", "/type required");
  CHECK_TEXTS(errors("/events", R"({"events":[{"type":"a","payload_base64":"?"},7],"x":1})"),
              "/events/0/content_type required", "/events/0/payload_base64 bad-format", "/events/1 wrong-type",
              "/x unknown-field");
  CHECK_TEXTS(errors("/events", R"({"events":[]})"), "/events too-short");
  CHECK_TEXTS(errors("/events", R"({"events":null})"), "/events wrong-type");
  ask("POST", "/events", R"({"type":"a","payload":")" + std::string(5U << 20U, 'x') + "\"}");
  BOOST_TEST(status == 413);
}

BOOST_AUTO_TEST_CASE(the_sums_are_shown_with_what_follows_from_them) {
  store.stats.by_state = {1, 2, 3, 9, 1, 4};
  store.stats.latency_p50_ms = 5;
  const auto all = ask("GET", "/stats");
  BOOST_TEST(all.at("accounting").at("accepted").as_int64() == 20);
  BOOST_TEST(all.at("deliveries").at("retry_wait").as_int64() == 3);
  BOOST_TEST(all.at("success_rate").as_double() == 0.9);
  BOOST_TEST(all.at("latency").at("p50_ms").as_int64() == 5);
  BOOST_TEST(all.at("latency").at("p99_ms").is_null());
  BOOST_TEST(all.at("since").is_null());
  query = {{"since", "2026-11-21T18:00:00 01:00"}}; // an offset whose plus was not escaped
  store.stats = {};
  BOOST_TEST(ask("GET", "/stats").at("success_rate").is_null());
  BOOST_TEST((store.since == parse_rfc3339("2026-11-21T17:00:00Z")));
  query = {{"since", "yesterday"}};
  ask("GET", "/stats");
  BOOST_TEST(status == 400);
}

BOOST_AUTO_TEST_SUITE_END()
