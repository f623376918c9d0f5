#include "net/api_routes.hpp"

#include "net/api_page.hpp"
#include "tests/net/api_answers.hpp"
#include "tests/net/server_fixture.hpp"

using namespace postrider;
using namespace postrider::test;

namespace {

struct api_fixture : server_fixture {
  tenant_id acme = store.add_tenant("acme");
  tenant_id other = store.add_tenant("other");
  std::string op = store.add_key(api_role::operator_);
  std::string admin = store.add_key(api_role::tenant_admin, acme);
  std::string viewer = store.add_key(api_role::tenant_viewer, acme);
  std::string base = "/v1/tenants/acme";
};

const std::string github = R"({"name":"github","provider":"github","secrets":["s3cret"]})";

} // namespace

BOOST_FIXTURE_TEST_SUITE(api_of_management, api_fixture)

BOOST_AUTO_TEST_CASE(tenants_are_made_listed_read_and_deleted_by_operators) {
  const auto made =
    call("POST", "/v1/tenants", op, R"({"slug":"new","name":"New","plan":"gold","quotas":{"sources":3}})");
  BOOST_TEST(made.status == 201);
  BOOST_TEST(made.json().at("quotas").at("sources").as_int64() == 3);
  BOOST_TEST(call("GET", "/v1/tenants/new", op).status == 200);
  BOOST_TEST(call("GET", "/v1/tenants/" + text(made.json(), "id"), op).status == 200);
  const auto taken = call("POST", "/v1/tenants", op, R"({"slug":"new","name":"New"})");
  BOOST_TEST(taken.status == 409);
  BOOST_TEST(taken.code() == "slug-taken");
  const auto batch =
    call("POST", "/v1/tenants", op, R"({"tenants":[{"slug":"b1","name":"x"},{"slug":"b2","name":"y"}]})");
  BOOST_TEST(batch.status == 201);
  BOOST_TEST(batch.json().at("data").as_array().size() == 2u);
  BOOST_TEST(call("DELETE", "/v1/tenants/new", op).status == 204);
  BOOST_TEST(call("GET", "/v1/tenants/new", op).status == 404);
  BOOST_TEST(call("GET", "/v1/tenants", op).json().at("data").as_array().size() == 4u);
}

BOOST_AUTO_TEST_CASE(all_errors_of_a_request_are_named_at_once) {
  const auto answer =
    call("POST", "/v1/tenants", op, R"({"slug":"A B","nmae":"x","plan":"tin","quotas":{"sources":-1}})");
  BOOST_TEST(answer.status == 422);
  BOOST_TEST(answer.code() == "validation-failed");
  const std::vector<std::string> expected{"/slug bad-format", "/name required", "/plan plan-unknown",
                                          "/quotas/sources out-of-range", "/nmae unknown-field"};
  BOOST_TEST(errors(answer) == expected, boost::test_tools::per_element());
  const auto batch =
    call("POST", "/v1/tenants", op, R"({"tenants":[{"slug":"ok","name":"x"},{"slug":"ok2"},7],"x":1})");
  const std::vector<std::string> in_batch{"/tenants/1/name required", "/tenants/2 wrong-type", "/x unknown-field"};
  BOOST_TEST(errors(batch) == in_batch, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(bodies_that_are_no_json_are_told_so) {
  BOOST_TEST(call("POST", "/v1/tenants", op, "{").code() == "json-invalid");
  BOOST_TEST(call("POST", "/v1/tenants", op).code() == "json-invalid");
  BOOST_TEST(call("POST", "/v1/tenants", op, "[]").status == 422);
  BOOST_TEST(call("POST", "/v1/tenants", op, "{\"a\":" + std::string(70, '[') + std::string(70, ']') + "}").code() ==
             "json-too-deep");
  BOOST_TEST(call("POST", "/v1/tenants", op, "{\"a\":" + std::string(63, '[') + std::string(63, ']') + "}").code() ==
             "validation-failed");
  BOOST_TEST(call("POST", "/v1/tenants", op, "a=b", false, "text/plain").status == 415);
  BOOST_TEST(
    call("POST", "/v1/tenants", op, R"({"slug":"u","name":"u"})", false, "application/json; charset=utf-8").status ==
    201);
  BOOST_TEST(call("POST", "/v1/tenants", op, R"({"slug":"v","name":"a\u0007b"})").status == 422);
}

BOOST_AUTO_TEST_CASE(roles_and_tenants_are_kept_apart) {
  BOOST_TEST(call("GET", base, viewer).status == 200);
  BOOST_TEST(call("GET", "/v1/tenants/" + to_string(acme), viewer).status == 200);
  BOOST_TEST(call("GET", "/v1/tenants/other", admin).status == 404);
  BOOST_TEST(call("GET", "/v1/tenants/" + to_string(other), admin).status == 404);
  BOOST_TEST(call("POST", "/v1/tenants/other/sources", admin, github).status == 404);
  BOOST_TEST(call("GET", "/v1/tenants", admin).status == 403);
  BOOST_TEST(call("DELETE", base, admin).status == 403);
  BOOST_TEST(call("POST", base + "/sources", viewer, github).status == 403);
  BOOST_TEST(call("POST", base + "/sources", admin, github).status == 201);
  BOOST_TEST(call("GET", "/actors", admin, "", true).status == 403);
}

BOOST_AUTO_TEST_CASE(without_a_good_key_nothing_is_told) {
  const auto none = call("GET", base);
  BOOST_TEST(none.status == 401);
  BOOST_TEST(!none.header("www-authenticate").empty());
  for (int i = 0; i < 19; ++i)
    BOOST_TEST(call("GET", base, "prk_wrong" + std::to_string(i)).status == 401);
  const auto over = call("GET", base, "prk_wrong");
  BOOST_TEST(over.status == 429);
  BOOST_TEST(!over.header("retry-after").empty());
  BOOST_TEST(call("GET", base, viewer).status == 200);
}

BOOST_AUTO_TEST_CASE(sources_never_show_their_secrets) {
  const auto made = call("POST", base + "/sources", admin, github);
  BOOST_TEST(made.status == 201);
  BOOST_TEST(text(made.json(), "ingest_path") == "/in/acme/github");
  BOOST_TEST(made.json().at("secret_count").as_int64() == 1);
  BOOST_TEST(made.body.find("s3cret") == std::string::npos);
  BOOST_TEST(call("POST", base + "/sources", admin, github).code() == "name-taken");
  BOOST_TEST(call("GET", base + "/sources/github", viewer).status == 200);
  const auto wrong =
    call("POST", base + "/sources", admin, R"({"name":"a b","provider":"stripe","secrets":[""],"dedupe":"x"})");
  const std::vector<std::string> expected{"/name bad-format", "/secrets/0 too-short", "/dedupe bad-format"};
  BOOST_TEST(errors(wrong) == expected, boost::test_tools::per_element());
  BOOST_TEST(call("DELETE", base + "/sources/github", admin).status == 204);
  BOOST_TEST(call("DELETE", base + "/sources/github", admin).status == 404);
}

BOOST_AUTO_TEST_CASE(endpoints_show_their_secret_at_creation_and_on_demand) {
  const auto made = call("POST", base + "/endpoints", admin, R"({"url":"https://example.com/hook"})");
  BOOST_TEST(made.status == 201);
  const auto secret = text(made.json(), "secret");
  BOOST_TEST(secret.starts_with("whsec_"));
  BOOST_TEST(text(made.json(), "status") == "active");
  BOOST_TEST(made.json().at("timeout_ms").as_int64() == 15'000);
  BOOST_TEST(made.json().at("retry").at("schedule_s").as_array().size() == 13u);
  const auto path = base + "/endpoints/" + text(made.json(), "id");
  BOOST_TEST(call("GET", path, viewer).body.find(secret) == std::string::npos);
  BOOST_TEST(text(call("GET", path + "/secret", admin).json(), "secret") == secret);
  BOOST_TEST(call("GET", path + "/secret", viewer).status == 403);
  BOOST_TEST(call("GET", base + "/endpoints/ep_nonsense", viewer).status == 404);
  BOOST_TEST(call("DELETE", path, admin).status == 204);
  BOOST_TEST(call("GET", path, viewer).status == 404);
}

BOOST_AUTO_TEST_CASE(endpoints_are_validated_field_by_field) {
  const auto wrong =
    call("POST", base + "/endpoints", admin,
         R"({"url":"http://example.com","event_types":["a.b*"],"headers":{"Host":"x","a b":"y"},)"
         R"("max_in_flight":0,"timeout_ms":1.5,"retry":{"schedule_s":[1],"base_ms":1},)"
         R"("breaker":{"failure_rate":0,"foo":1},"filter":{},"ordering":"lifo","signing":{"profile":"svix"},)"
         R"("secret":"abc!","priority":"medium"})");
  const std::vector<std::string> expected{"/url https-required",           "/event_types bad-format",
                                          "/headers/Host header-reserved", "/headers/a b bad-format",
                                          "/max_in_flight out-of-range",   "/timeout_ms wrong-type",
                                          "/retry/schedule_s bad-format",  "/breaker/failure_rate out-of-range",
                                          "/breaker/foo unknown-field",    "/ordering bad-format",
                                          "/filter not-supported-yet",     "/signing not-supported-yet",
                                          "/secret secret-malformed"};
  BOOST_TEST(errors(wrong) == expected, boost::test_tools::per_element());
  for (const std::string url : {"https://127.0.0.1/x", "https://[::1]/", "https://169.254.169.254/latest"})
    BOOST_TEST(errors(call("POST", base + "/endpoints", admin, "{\"url\":\"" + url + "\"}")).front() ==
               "/url endpoint-address-blocked");
  for (const std::string url :
       {"https://a:b@example.com/", "https://example.com/#x", "example.com", "ftp://example.com/"})
    BOOST_TEST(errors(call("POST", base + "/endpoints", admin, "{\"url\":\"" + url + "\"}")).front() ==
               "/url bad-format");
}

BOOST_AUTO_TEST_CASE(policies_given_are_policies_kept) {
  const auto made =
    call("POST", base + "/endpoints", admin,
         R"({"url":"https://example.com/","retry":{"base_ms":10,"factor":3,"max_ms":100,"max_attempts":4,"jitter":0},)"
         R"("breaker":{"failures":2,"cool_down_ms":50},"enabled":false,"headers":{"X-A":"b"}})");
  BOOST_TEST(made.status == 201);
  const auto json = made.json();
  BOOST_TEST(json.at("retry").at("max_attempts").as_int64() == 4);
  BOOST_TEST(json.at("breaker").at("failures").as_int64() == 2);
  BOOST_TEST(json.at("breaker").at("probes").as_int64() == 1);
  BOOST_TEST(text(json, "status") == "disabled");
  BOOST_TEST(text(json.at("headers"), "X-A") == "b");
}

BOOST_AUTO_TEST_CASE(lists_are_paged_by_cursors_of_their_own) {
  for (int i = 0; i < 3; ++i)
    call("POST", base + "/endpoints", admin, R"({"url":"https://example.com/"})");
  const auto first = call("GET", base + "/endpoints?limit=2", viewer).json();
  BOOST_TEST(first.at("data").as_array().size() == 2u);
  const auto cursor = text(first, "next_cursor");
  const auto second = call("GET", base + "/endpoints?limit=2&cursor=" + cursor, viewer).json();
  BOOST_TEST(second.at("data").as_array().size() == 1u);
  BOOST_TEST(second.at("next_cursor").is_null());
  BOOST_TEST(call("GET", base + "/sources?cursor=" + cursor, viewer).code() == "parameter-invalid");
  BOOST_TEST(call("GET", "/v1/tenants/other/endpoints?cursor=" + cursor, op).code() == "parameter-invalid");
  for (const std::string limit : {"0", "-1", "x", ""})
    BOOST_TEST(call("GET", base + "/endpoints?limit=" + limit, viewer).status == 400);
  BOOST_TEST(call("GET", base + "/endpoints?limit=99999999999999999999", viewer).status == 200);
}

BOOST_AUTO_TEST_CASE(events_and_deliveries_are_shown_with_reasons) {
  event_record event;
  event.id = store.make_id<event_id>();
  event.type = "push";
  event.headers = "X-A: 1\r\nx-a: 2\r\n";
  store.add_event("acme", event, {"text/odd", std::string{"a\0b", 3}});
  delivery_record delivery;
  delivery.id = store.make_id<delivery_id>();
  delivery.event = event.id;
  delivery.state = delivery_state::retry_wait;
  delivery.attempt_count = 1;
  delivery.next_attempt_at = std::chrono::floor<milliseconds>(std::chrono::system_clock::now()) + std::chrono::hours{1};
  delivery.attempts.emplace_back().number = 1;
  store.add_delivery("acme", delivery);

  const auto shown = call("GET", base + "/events/" + to_string(event.id), viewer).json();
  BOOST_TEST(text(shown.at("headers"), "x-a") == "1, 2");
  const auto payload = call("GET", base + "/events/" + to_string(event.id) + "/payload", viewer);
  BOOST_TEST(payload.header("content-type") == "text/odd");
  BOOST_TEST(payload.body == std::string("a\0b", 3));
  BOOST_TEST(call("GET", "/v1/tenants/other/events/" + to_string(event.id), op).status == 404);
  const auto one = call("GET", base + "/deliveries/" + to_string(delivery.id), viewer).json();
  BOOST_TEST(text(one.at("explain"), "waiting_for") == "backoff");
  BOOST_TEST(one.at("attempts").as_array().size() == 1u);
  const auto found = [&](const std::string& query) {
    return call("GET", base + "/deliveries?" + query, viewer).json().at("data").as_array().size();
  };
  BOOST_TEST(found("state=retry_wait&event=" + to_string(event.id)) == 1u);
  BOOST_TEST(found("state=dead") == 0u);
  BOOST_TEST(call("GET", base + "/deliveries?state=odd", viewer).code() == "parameter-invalid");
  BOOST_TEST(call("GET", base + "/deliveries?since=yesterday", viewer).code() == "parameter-invalid");
}

BOOST_AUTO_TEST_CASE(with_the_database_away_it_is_503_with_retry_after) {
  store.away = true;
  const auto answer = call("GET", base, op);
  BOOST_TEST(answer.status == 503);
  BOOST_TEST(!answer.header("retry-after").empty());
}

BOOST_AUTO_TEST_CASE(methods_and_heads_are_served_from_the_table) {
  const auto wrong = call("PUT", base, op);
  BOOST_TEST(wrong.status == 405);
  BOOST_TEST(wrong.header("allow") == "GET, HEAD, PATCH, DELETE, OPTIONS");
  BOOST_TEST(call("OPTIONS", base).status == 204);
  const auto head = call("HEAD", base, viewer);
  BOOST_TEST(head.status == 200);
  BOOST_TEST(head.header("content-length") != "0");
  BOOST_TEST(call("GET", "/v1/nothing", op).status == 404);
  BOOST_TEST(call("GET", base + "/", op).status == 404);
}

BOOST_AUTO_TEST_CASE(operators_see_actors_health_and_metrics) {
  const auto on = [this](const std::string& path, const std::string& key = {}) {
    return call("GET", path, key, "", true);
  };
  BOOST_TEST(on("/healthz").status == 200);
  BOOST_TEST(on("/readyz").status == 200);
  ready.ok = false;
  BOOST_TEST(on("/readyz").status == 503);
  BOOST_TEST(!on("/readyz").json().at("dependencies").at("database").at("ok").as_bool());
  BOOST_TEST(on("/actors").status == 401);
  BOOST_TEST(on("/actors", op).json().at("data").as_array().size() == 3u);
  BOOST_TEST(on("/actors?depth=1", op).json().at("data").as_array().size() == 2u);
  BOOST_TEST(on("/actors?kind=provider_verifier", op).json().at("data").as_array().size() == 1u);
  BOOST_TEST(on("/actors?node=n2", op).json().at("data").as_array().empty());
  const auto first = on("/actors?limit=2", op).json();
  BOOST_TEST(on("/actors?cursor=" + text(first, "next_cursor"), op).json().at("data").as_array().size() == 1u);
  BOOST_TEST(text(on("/actors/node/n1", op).json(), "kind") == "node");
  BOOST_TEST(on("/actors/node/n2", op).code() == "actor-unknown");
  BOOST_TEST(on(base, op).status == 200);
  const auto page = on("/metrics");
  BOOST_TEST(page.header("content-type").starts_with("text/plain; version=0.0.4"));
  BOOST_TEST(page.body.find("\npostrider_ingest_duration_seconds_bucket{le=\"+Inf\"} ") != std::string::npos);
  BOOST_TEST(page.body.find("\npostrider_ingest_duration_seconds_bucket{le=\"0.0025\"} ") != std::string::npos);
  BOOST_TEST(page.body.find("\n# TYPE postrider_ingest_requests_total counter\n") != std::string::npos);
  std::size_t at = 0;
  while (at < page.body.size()) {
    const auto line = page.body.substr(at, page.body.find('\n', at) - at);
    BOOST_TEST((line.starts_with("# ") || line.starts_with("postrider_")), line);
    at += line.size() + 1;
  }
}

BOOST_AUTO_TEST_CASE(a_batch_of_one_is_told_of_as_a_batch) {
  const std::string one = R"({"url":"https://example.com/","sources":["nobody"]})";
  const std::vector<std::string> alone{"/sources/0 source-unknown"};
  const std::vector<std::string> in_batch{"/endpoints/0/sources/0 source-unknown"};
  BOOST_TEST(errors(call("POST", base + "/endpoints", admin, one)) == alone, boost::test_tools::per_element());
  BOOST_TEST(errors(call("POST", base + "/endpoints", admin, R"({"endpoints":[)" + one + "]}")) == in_batch,
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_carries_a_secret_is_not_to_be_stored) {
  const auto made = call("POST", base + "/endpoints", admin, R"({"url":"https://example.com/"})");
  BOOST_TEST(made.status == 201);
  BOOST_TEST(made.header("cache-control") == "no-store");
  const auto secret = call("GET", base + "/endpoints/" + text(made.json(), "id") + "/secret", admin);
  BOOST_TEST(secret.header("cache-control") == "no-store");
}

BOOST_AUTO_TEST_CASE(fractions_are_written_as_people_write_them) {
  const auto made = call("POST", base + "/endpoints", admin, R"({"url":"https://example.com/"})");
  BOOST_TEST(made.body.find(R"("jitter":0.25)") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(without_a_key_the_body_is_not_read) {
  raw_client client{public_address()};
  client.send("POST /v1/tenants HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
              "Transfer-Encoding: chunked\r\n\r\n"); // and silence
  const auto answer = client.receive();
  BOOST_TEST(answer.status == 401);
  BOOST_TEST(!answer.header("www-authenticate").empty());
  BOOST_TEST(client.closed());
}

BOOST_AUTO_TEST_CASE(a_path_that_is_no_text_is_no_path) {
  for (const auto* const bad : {"acme%00junk", "%ff", "acme%0a", "%c0%af", "%ed%a0%80", "acme%7f"})
    BOOST_TEST(call("GET", std::string{"/v1/tenants/"} + bad, op).status == 404, bad);
  BOOST_TEST(call("GET", base + "/deliveries?state=%ff", op).code() == "parameter-invalid");
}

BOOST_AUTO_TEST_CASE(the_actors_are_seen_while_the_database_is_away_with_a_key_that_it_confirmed_lately) {
  const auto status_of = [&](const char* path, const std::string& key) {
    return call("GET", path, key, "", true).status;
  };
  BOOST_TEST(status_of("/actors", op) == 200);
  store.away = true;
  for (int i = 0; i < 2; ++i) {
    BOOST_TEST(status_of("/actors", op) == 200);
    BOOST_TEST(status_of("/actors/node/n1", op) == 200);
    BOOST_TEST(status_of("/v1/tenants", op) == 503);                             // nothing else
    BOOST_TEST(status_of("/actors", store.add_key(api_role::operator_)) == 503); // not confirmed yet
    BOOST_TEST(status_of("/actors", admin) == 503);
  }
  store.silent = true; // it hangs: who was told before that it is away does not wait again
  BOOST_TEST(status_of("/actors", op) == 200);
  store.silent = false;
  store.away = false;
  BOOST_TEST(status_of("/actors", admin) == 403);
}

BOOST_AUTO_TEST_CASE(confirmed_operators_are_forgotten_in_time) {
  confirmed_operators all;
  const mono_time start{};
  const wall_time wall{};
  const auto hash = hash_api_key("prk_one");
  api_key_record record;
  record.role = api_role::operator_;
  all.note(hash, record, start);
  BOOST_TEST(all.find(hash, start + confirmed_operators::lifetime - milliseconds{1}, wall).has_value());
  BOOST_TEST(!all.find(hash, start + confirmed_operators::lifetime, wall).has_value());
  all.note(hash, record, start);
  all.note(hash, std::nullopt, start); // revoked
  BOOST_TEST(!all.find(hash, start, wall).has_value());
  record.expires_at = wall + milliseconds{5};
  all.note(hash, record, start);
  BOOST_TEST(all.find(hash, start, wall).has_value());
  BOOST_TEST(!all.find(hash, start, wall + milliseconds{5}).has_value());
  record = {};
  record.role = api_role::tenant_admin;
  all.note(hash, record, start);
  BOOST_TEST(!all.find(hash, start, wall).has_value());
  record.role = api_role::operator_;
  for (std::size_t i = 0; i <= confirmed_operators::keys_max; ++i)
    all.note(hash_api_key("prk_" + std::to_string(i)), record, start + milliseconds{static_cast<int>(i)});
  BOOST_TEST(!all.find(hash_api_key("prk_0"), start, wall).has_value());
  BOOST_TEST(all.find(hash_api_key("prk_1"), start, wall).has_value());
}

BOOST_AUTO_TEST_CASE(lists_of_actors_have_the_bounds_of_every_list) {
  actors.add_deliveries(300);
  const auto size_of = [&](const std::string& query) {
    return call("GET", "/actors" + query, op, "", true).json().at("data").as_array().size();
  };
  BOOST_TEST(size_of("") == 50u);
  BOOST_TEST(size_of("?limit=9999") == 250u);
  BOOST_TEST(call("GET", "/actors?limit=0", op, "", true).status == 400);
}

BOOST_AUTO_TEST_SUITE_END()
