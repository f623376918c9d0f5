#include "net/keyed_call.hpp"

#include "tests/net/api_answers.hpp"
#include "tests/net/server_fixture.hpp"

#include <boost/json/serialize.hpp>

using namespace postrider;
using namespace postrider::test;

namespace {

struct tenant_fixture : server_fixture {
  tenant_id acme = store.add_tenant("acme");
  tenant_id other = store.add_tenant("other");
  std::string op = store.add_key(api_role::operator_);
  std::string admin = store.add_key(api_role::tenant_admin, acme);
  std::string viewer = store.add_key(api_role::tenant_viewer, acme);
  std::string base = "/v1/tenants/acme";

  http_answer post(const std::string& path, const std::string& key, const std::string& body,
                   const std::string& idempotency_key) {
    raw_client client{public_address()};
    client.send("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + key +
                "\r\nIdempotency-Key: " + idempotency_key + "\r\nContent-Type: application/json\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body);
    return client.receive();
  }
};

const std::string endpoint = R"({"url":"https://example.com/hook"})";

} // namespace

BOOST_FIXTURE_TEST_SUITE(tenant_routes_of_management, tenant_fixture)

BOOST_AUTO_TEST_CASE(a_patch_names_what_changes_and_null_restores_the_default) {
  const auto patch = [&](const std::string& body) { return call("PATCH", base, op, body); };
  const auto first = patch(R"({"name":"New","plan":"gold","quotas":{"sources":3,"backlog":9},"enabled":true})");
  BOOST_TEST(first.status == 200);
  BOOST_TEST(text(first.json(), "name") == "New");
  BOOST_TEST(text(first.json(), "plan") == "gold");
  const auto second = patch(R"({"quotas":{"sources":null},"plan":null})").json();
  BOOST_TEST(second.at("quotas").at("sources").is_null());
  BOOST_TEST(second.at("quotas").at("backlog").as_int64() == 9);
  BOOST_TEST(second.at("plan").is_null());
  BOOST_TEST(patch(R"({"quotas":null})").json().at("quotas").at("backlog").is_null());
  BOOST_TEST(!patch(R"({"enabled":false})").json().at("enabled").as_bool());
  BOOST_TEST(patch(R"({"enabled":null})").json().at("enabled").as_bool());
  BOOST_TEST(patch("{}").status == 200);
  const auto wrong =
    patch(R"({"slug":"x","name":null,"plan":"tin","quotas":{"backlog":0,"x":1},"enabled":1,"shard":2})");
  BOOST_TEST(wrong.status == 422);
  const std::vector<std::string> expected{
    "/slug immutable",         "/name required",      "/plan plan-unknown",  "/quotas/backlog out-of-range",
    "/quotas/x unknown-field", "/enabled wrong-type", "/shard unknown-field"};
  BOOST_TEST(errors(wrong) == expected, boost::test_tools::per_element());
  BOOST_TEST(call("PATCH", base, admin, "{}").status == 403);
  BOOST_TEST(call("PATCH", "/v1/tenants/nobody", op, "{}").status == 404);
  BOOST_TEST(patch("[]").status == 422);
}

BOOST_AUTO_TEST_CASE(a_disabled_tenants_keys_are_good_and_may_do_nothing) {
  BOOST_TEST(call("PATCH", base, op, R"({"enabled":false})").status == 200);
  for (const auto& key : {admin, viewer}) {
    const auto answer = call("GET", base, key);
    BOOST_TEST(answer.status == 403);
    BOOST_TEST(answer.code() == "tenant-disabled");
    BOOST_TEST(call("GET", "/v1/providers", key).status == 403);
  }
  BOOST_TEST(call("GET", base, op).status == 200);
  BOOST_TEST(call("PATCH", base, op, R"({"enabled":true})").status == 200);
  BOOST_TEST(call("GET", base, viewer).status == 200);
}

BOOST_AUTO_TEST_CASE(another_tenant_is_told_of_like_one_that_does_not_exist) {
  const auto told = [](const http_answer& answer) {
    auto document = answer.json().as_object();
    document.erase("instance");
    return std::to_string(answer.status) + boost::json::serialize(document);
  };
  const auto nobody = call("GET", "/v1/tenants/nobody", viewer);
  BOOST_TEST(nobody.status == 404);
  for (const auto& path : {std::string{"/v1/tenants/other"}, "/v1/tenants/" + to_string(other),
                           "/v1/tenants/" + to_string(store.make_id<tenant_id>()), std::string{"/v1/tenants/acm"}}) {
    BOOST_TEST(told(call("GET", path, viewer)) == told(nobody), path);
    BOOST_TEST(told(call("GET", path + "/sources", viewer)) == told(nobody), path);
    BOOST_TEST(told(call("POST", path + "/endpoints", viewer, endpoint)) == told(nobody), path); // nor by the role
  }
  BOOST_TEST(told(call("GET", "/v1/tenants/nobody", op)) == told(nobody)); // the store's own words are the same
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_a_request_is_told_only_to_who_has_a_key) {
  const std::string long_key(256, 'k');
  BOOST_TEST(post(base + "/endpoints", "prk_wrong", endpoint, long_key).status == 401);
  BOOST_TEST(post(base + "/endpoints", admin, endpoint, long_key).code() == "idempotency-key-invalid");
  BOOST_TEST(call("GET", base + "/events?type=%ff", "prk_wrong").status == 401);
  BOOST_TEST(call("GET", base + "/events?type=%ff", viewer).code() == "parameter-invalid");
  BOOST_TEST(call("GET", base + "/events?type=%01", viewer).code() == "parameter-invalid");
}

BOOST_AUTO_TEST_CASE(api_keys_are_shown_once_and_revoked_for_good) {
  const auto path = base + "/api-keys";
  const auto made =
    call("POST", path, admin, R"({"name":"ci","role":"tenant_viewer","expires_at":"2999-01-01T00:00:00Z"})");
  BOOST_TEST(made.status == 201);
  BOOST_TEST(made.header("cache-control") == "no-store");
  const auto key = text(made.json(), "key");
  const auto id = text(made.json(), "id");
  BOOST_TEST(key.starts_with("prk_"));
  BOOST_TEST(text(made.json(), "expires_at") == "2999-01-01T00:00:00.000Z");
  BOOST_TEST(call("GET", base, key).status == 200);
  const auto listed = call("GET", path, viewer);
  BOOST_TEST(listed.body.find(key) == std::string::npos);
  BOOST_TEST(listed.json().at("data").as_array().size() == 3u);
  BOOST_TEST(call("DELETE", path + "/" + id, viewer).status == 403);
  BOOST_TEST(call("DELETE", "/v1/tenants/other/api-keys/" + id, op).status == 404);
  BOOST_TEST(call("DELETE", path + "/" + id, admin).status == 204);
  BOOST_TEST(call("DELETE", path + "/" + id, admin).status == 404);
  BOOST_TEST(call("DELETE", path + "/key_x", admin).status == 404);
  BOOST_TEST(call("GET", base, key).status == 401);
  BOOST_TEST(call("POST", path, viewer, R"({"name":"x","role":"tenant_viewer"})").status == 403);
  const auto wrong = call("POST", path, admin, R"({"role":"operator","expires_at":"2001-01-01T00:00:00Z","x":1})");
  const std::vector<std::string> expected{"/name required", "/role bad-format", "/expires_at not-in-future",
                                          "/x unknown-field"};
  BOOST_TEST(errors(wrong) == expected, boost::test_tools::per_element());
  BOOST_TEST(errors(call("POST", path, admin, R"({"name":"x","role":"root","expires_at":"soon"})")).size() == 2u);
}

BOOST_AUTO_TEST_CASE(events_are_listed_and_filtered) {
  std::vector<std::string> ids;
  for (const std::string type : {"push", "push", "issues"}) {
    event_record event;
    event.id = store.make_id<event_id>();
    event.type = type;
    event.source = "github";
    event.received_at = time_of(event.id.value);
    store.add_event("acme", event, {"text/plain", ""});
    ids.insert(ids.begin(), to_string(event.id));
  }
  const auto found = [&](const std::string& query) {
    std::vector<std::string> out;
    const auto document = call("GET", base + "/events" + query, viewer).json();
    for (const auto& one : document.at("data").as_array())
      out.push_back(text(one, "id"));
    return out;
  };
  BOOST_TEST(found("") == ids, boost::test_tools::per_element());
  BOOST_TEST(found("?type=issues").size() == 1u);
  BOOST_TEST(found("?type=push&source=github").size() == 2u);
  BOOST_TEST(found("?source=stripe").empty());
  BOOST_TEST(found("?since=2100-01-01T00:00:00Z").empty());
  BOOST_TEST(found("?until=2100-01-01T00:00:00Z&limit=2").size() == 2u);
  BOOST_TEST(found("?since=2000-01-01T00:00:00+02:00").size() == 3u); // as people write it, the + not escaped
  BOOST_TEST(found("?since=2000-01-01T00:00:00%2B02:00&until=2100-01-01T00:00:00-02:00").size() == 3u);
  BOOST_TEST(call("GET", base + "/deliveries?since=2000-01-01T00:00:00.5+02:00", viewer).status == 200);
  BOOST_TEST(call("GET", base + "/events?since=2000-01-01T00:00:00+", viewer).code() == "parameter-invalid");
  const auto cursor = text(call("GET", base + "/events?limit=2", viewer).json(), "next_cursor");
  BOOST_TEST(found("?cursor=" + cursor).size() == 1u);
  for (const std::string query : {"type=", "type=a%20b", "source=", "since=x", "until=x", "limit=0", "cursor=x"})
    BOOST_TEST(call("GET", base + "/events?" + query, viewer).code() == "parameter-invalid", query);
  BOOST_TEST(call("GET", "/v1/tenants/other/events", viewer).status == 404);
}

BOOST_AUTO_TEST_CASE(a_post_with_a_key_is_answered_again_without_its_secret) {
  const auto first = post(base + "/endpoints", admin, endpoint, "one");
  BOOST_TEST(first.status == 201);
  BOOST_TEST(!text(first.json(), "secret").empty());
  const auto again = post("/v1/tenants/" + to_string(acme) + "/endpoints", op, endpoint, "one");
  BOOST_TEST(again.status == 201);
  BOOST_TEST(again.header("idempotent-replayed") == "true");
  BOOST_TEST(again.header("cache-control") == "no-store");
  BOOST_TEST(again.json().as_object().contains("secret") == false);
  BOOST_TEST(text(again.json(), "id") == text(first.json(), "id"));
  BOOST_TEST(post(base + "/endpoints", admin, R"({"url":"https://example.com/2"})", "one").code() ==
             "idempotency-key-reused");
  BOOST_TEST(post(base + "/sources", admin, endpoint, "one").code() == "idempotency-key-reused");
  BOOST_TEST(call("GET", base + "/endpoints", viewer).json().at("data").as_array().size() == 1u);
  BOOST_TEST(post(base + "/endpoints", viewer, endpoint, "one").status == 403); // a replay asks for the same role
}

BOOST_AUTO_TEST_CASE(failures_and_requests_without_a_key_are_not_kept) {
  BOOST_TEST(post(base + "/endpoints", admin, "{}", "two").status == 422);
  BOOST_TEST(post(base + "/endpoints", admin, endpoint, "two").status == 201);
  for (int i = 0; i < 2; ++i)
    BOOST_TEST(call("POST", base + "/endpoints", admin, endpoint).status == 201);
  BOOST_TEST(call("GET", base + "/endpoints", viewer).json().at("data").as_array().size() == 3u);
}

BOOST_AUTO_TEST_CASE(a_key_has_1_to_255_bytes_of_text) {
  BOOST_TEST(post(base + "/endpoints", admin, endpoint, std::string(255, 'k')).status == 201);
  for (const auto& key : {std::string(256, 'k'), std::string{}, std::string{"a\xff"}})
    BOOST_TEST(post(base + "/endpoints", admin, endpoint, key).code() == "idempotency-key-invalid");
  BOOST_TEST(post(base + "/endpoints", admin, endpoint, "schl\xc3\xbcssel").status == 201);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(keyed_calls)

BOOST_AUTO_TEST_CASE(what_is_shown_once_is_left_out_where_it_stands_and_nowhere_else) {
  BOOST_TEST(without_shown_once(R"({"id":"a","secret":"s","key":"k","ordering":{"key":"json:/x"}})") ==
             R"({"id":"a","ordering":{"key":"json:/x"}})");
  BOOST_TEST(without_shown_once(R"({"data":[{"secret":"s","rate":0.25},{"id":"b","key":"k"}]})") ==
             R"({"data":[{"rate":0.25},{"id":"b"}]})");
  BOOST_TEST(without_shown_once(R"({"secret":"s"})") == "{}");
  BOOST_TEST(without_shown_once(R"({"headers":{"secret":"x"}, "n": 1.50})") ==
             R"({"headers":{"secret":"x"}, "n": 1.50})");
  BOOST_TEST(without_shown_once("") == "");
}

BOOST_AUTO_TEST_SUITE_END()
