#include "net/api_routes.hpp"
#include "tests/net/api_answers.hpp"
#include "tests/net/server_fixture.hpp"
#include "tests/net/test_certificates.hpp"

#include <boost/json/serialize.hpp>

using namespace postrider;
using namespace postrider::test;
namespace json = boost::json;

namespace {

struct change_fixture : server_fixture {
  tenant_id acme = store.add_tenant("acme");
  std::string admin = store.add_key(api_role::tenant_admin, acme);
  std::string viewer = store.add_key(api_role::tenant_viewer, acme);
  std::string sources = "/v1/tenants/acme/sources";
  std::string endpoints = "/v1/tenants/acme/endpoints";

  http_answer patch(const std::string& path, const std::string& body) { return call("PATCH", path, admin, body); }
  /// What is refused, and that nothing has changed by it.
  std::vector<std::string> refused(const std::string& path, const std::string& body) {
    const auto before = call("GET", path, admin).body;
    const auto answer = patch(path, body);
    BOOST_TEST(answer.status == 422, answer.body);
    BOOST_TEST(call("GET", path, admin).body == before);
    return answer.status == 422 ? errors(answer) : std::vector<std::string>{};
  }
  std::string source(const std::string& body) {
    const auto made = call("POST", sources, admin, body);
    BOOST_REQUIRE_MESSAGE(made.status == 201, made.body);
    return sources + "/" + text(made.json(), "id");
  }
  std::string endpoint(const std::string& body = R"({"url":"https://example.com/hook"})") {
    const auto made = call("POST", endpoints, admin, body);
    BOOST_REQUIRE_MESSAGE(made.status == 201, made.body);
    return endpoints + "/" + text(made.json(), "id");
  }
};

using texts = std::vector<std::string>;
#define CHECK_TEXTS(got, ...) BOOST_TEST((got) == (texts{__VA_ARGS__}), boost::test_tools::per_element())

const std::string github = R"({"name":"github","provider":"github","secrets":["s3cret"]})";
const std::string box =
  R"({"name":"box","provider":"box","secrets":[],"config":{"primary_key":"pppp","secondary_key":"qqqq"}})";

} // namespace

BOOST_FIXTURE_TEST_SUITE(api_changes_of_sources, change_fixture)

BOOST_AUTO_TEST_CASE(a_source_is_changed_field_by_field) {
  const auto path = source(github);
  const auto dedupe = [&] { // not among the fields that are shown
    auto out = dedupe_mode::off;
    store.get_source("acme", "renamed", [&](const result<source_record>& found) { out = found->dedupe; });
    return out;
  };
  BOOST_TEST(patch(path, R"({"name":"renamed","dedupe":"body_hash"})").status == 200);
  const auto changed = patch(path, R"({"enabled":false})");
  BOOST_TEST(changed.status == 200);
  BOOST_TEST(text(changed.json(), "name") == "renamed");
  BOOST_TEST(text(changed.json(), "ingest_path") == "/in/acme/renamed");
  BOOST_TEST((dedupe() == dedupe_mode::body_hash));
  BOOST_TEST(!changed.json().at("enabled").as_bool());
  const auto restored =
    patch(sources + "/renamed", R"({"dedupe":null,"enabled":null,"config":{"public_url":"https://a.example/x"}})");
  BOOST_TEST(restored.status == 200);
  BOOST_TEST((dedupe() == dedupe_mode::id));
  BOOST_TEST(restored.json().at("enabled").as_bool());
  BOOST_TEST(text(restored.json().at("config"), "public_url") == "https://a.example/x");
  BOOST_TEST(patch(path, R"({"config":null})").json().at("config").as_object().empty());
  BOOST_TEST(patch(path, "{}").status == 200);
}

BOOST_AUTO_TEST_CASE(all_that_is_wrong_with_a_change_of_a_source_is_told_at_once) {
  const auto path = source(github);
  CHECK_TEXTS(refused(path, R"({"secrets":["x"],"nmae":"x","id":"src_x","provider":"stripe","name":"a b","enabled":1,)"
                            R"("config":{"public_url":"x","odd":1},"on_unverified":"quarantine","dedupe":"x"})"),
              "/secrets read-only", "/nmae unknown-field", "/id read-only", "/provider read-only", "/name bad-format",
              "/config/public_url bad-format", "/config/odd bad-format", "/on_unverified not-supported-yet",
              "/dedupe bad-format", "/enabled wrong-type");
  CHECK_TEXTS(refused(path, R"({"name":null,"config":7})"), "/name required", "/config wrong-type");
  CHECK_TEXTS(refused(path, R"({"scheme":"stripe"})"), "/scheme scheme-unknown");
  source(R"({"name":"other","provider":"github","secrets":["s3cret"]})");
  const auto taken = patch(path, R"({"name":"other"})");
  BOOST_TEST(taken.status == 409);
  BOOST_TEST(taken.code() == "name-taken");
  BOOST_TEST(patch(sources + "/nobody", "{}").status == 404);
  BOOST_TEST(call("PATCH", path, viewer, "{}").status == 403);
  BOOST_TEST(patch(path, "[]").status == 422);
  BOOST_TEST(patch(path, "{").code() == "json-invalid");
}

BOOST_AUTO_TEST_CASE(whoever_reads_a_source_edits_it_and_writes_it_back_destroys_nothing) {
  const auto path = source(box);
  auto whole = call("GET", path, admin).json();
  BOOST_TEST(json::serialize(whole.at("config")) == R"({"primary_key":{"set":true},"secondary_key":{"set":true}})");
  whole.as_object()["name"] = "edited";
  whole.as_object()["secret_count"] = 7; // one ran out since it was read, say
  const auto answer = patch(path, json::serialize(whole));
  BOOST_TEST(answer.status == 200, answer.body);
  BOOST_TEST(text(answer.json(), "name") == "edited");
  std::map<std::string, std::string> kept;
  store.get_source_rules("acme", "edited", [&](const result<source_config>& found) { kept = found->config; });
  BOOST_TEST(kept.at("primary_key") == "pppp");
  BOOST_TEST(kept.at("secondary_key") == "qqqq");
}

BOOST_AUTO_TEST_CASE(secret_settings_change_by_patch_and_are_checked_as_a_whole) {
  const auto path = source(box);
  const auto settings = [&] {
    std::map<std::string, std::string> out;
    store.get_source_rules("acme", "box", [&](const result<source_config>& found) { out = found->config; });
    return out;
  };
  const auto answer = patch(path, R"({"config":{"primary_key":"new","secondary_key":{"set":true}}})");
  BOOST_TEST(answer.status == 200, answer.body);
  BOOST_TEST(answer.body.find("qqqq") == std::string::npos);
  BOOST_TEST(settings().at("primary_key") == "new");
  BOOST_TEST(settings().at("secondary_key") == "qqqq");
  const auto one = patch(path, R"({"config":{"primary_key":null}})"); // any one of them will do
  BOOST_TEST(json::serialize(one.json().at("config")) == R"({"secondary_key":{"set":true}})");
  CHECK_TEXTS(refused(path, R"({"config":{"primary_key":{"set":true}}})"), "/config/primary_key bad-format");
  CHECK_TEXTS(refused(path, R"({"config":{"secondary_key":null}})"), "/config/primary_key bad-format");
  CHECK_TEXTS(refused(path, R"({"config":{"verify_token":{"set":true}}})"), "/config/verify_token bad-format");
}

BOOST_AUTO_TEST_CASE(another_scheme_has_to_fit_the_secrets_that_stay) {
  const auto path = source(R"({"name":"gl","provider":"gitlab","scheme":"gitlab-token","secrets":["no whsec"]})");
  CHECK_TEXTS(refused(path, R"({"scheme":"gitlab-signed"})"), "/scheme secrets-do-not-fit");
  const auto other = source(
    R"({"name":"gl2","provider":"gitlab","scheme":"gitlab-token","secrets":["whsec_MDEyMzQ1Njc4OWFiY2RlZg=="]})");
  const auto answer = patch(other, R"({"scheme":"gitlab-signed"})");
  BOOST_TEST(answer.status == 200, answer.body);
  BOOST_TEST(text(answer.json(), "scheme") == "gitlab-signed");
}

BOOST_AUTO_TEST_CASE(a_rotation_of_a_source_is_read_strictly) {
  const auto path = source(github) + "/rotate-secret";
  const auto wrong = [&](const std::string& body) { return errors(call("POST", path, admin, body)); };
  CHECK_TEXTS(wrong("{}"), "/secret required", "/overlap_s required");
  CHECK_TEXTS(wrong(R"({"secret":"","overlap_s":-1,"x":1})"), "/secret too-short", "/overlap_s out-of-range",
              "/x unknown-field");
  CHECK_TEXTS(wrong(R"({"secret":5,"overlap_s":2592001})"), "/secret wrong-type", "/overlap_s out-of-range");
  CHECK_TEXTS(wrong(R"({"secret":"x","overlap_s":1.5})"), "/overlap_s wrong-type");
  BOOST_TEST(call("POST", path, viewer, R"({"secret":"x","overlap_s":0})").status == 403);
  const auto done = call("POST", path, admin, R"({"secret":"n3w","overlap_s":60})");
  BOOST_TEST(done.status == 200, done.body);
  BOOST_TEST(done.json().at("secret_count").as_int64() == 2);
  BOOST_TEST(done.body.find("n3w") == std::string::npos);
  BOOST_REQUIRE(store.rotations.size() == 1U);
  BOOST_TEST(store.rotations[0].secret == "n3w");
  BOOST_TEST(store.rotations[0].overlap.count() == 60);
  BOOST_TEST(call("POST", sources + "/nobody/rotate-secret", admin, R"({"secret":"x","overlap_s":0})").status == 404);
}

BOOST_AUTO_TEST_CASE(a_source_is_made_with_room_for_one_more_secret) {
  const auto with = [&](std::size_t count) {
    std::string list;
    for (std::size_t i = 0; i < count; ++i)
      list += (i == 0 ? "\"s" : ",\"s") + std::to_string(i) + "\"";
    return call("POST", sources, admin, R"({"name":"many","provider":"github","secrets":[)" + list + "]}");
  };
  const auto full = with(live_secrets_max);
  BOOST_TEST(full.status == 422, full.body);
  CHECK_TEXTS(errors(full), "/secrets too-long");
  BOOST_TEST(with(live_secrets_max - 1).status == 201);
}

BOOST_AUTO_TEST_CASE(secrets_of_a_scheme_of_ones_own_are_of_its_form) {
  const auto with = [&](const std::string& name, const std::string& secret) {
    return call("POST", sources, admin,
                R"({"name":")" + name + R"(","provider":"custom","secrets":[")" + secret +
                  R"("],"config":{"family":"hmac","key":"hex","sig":{"header":"X-Sig"},"signed":"{body}"}})");
  };
  CHECK_TEXTS(errors(with("own", "no hex")), "/secrets/0 bad-format");
  BOOST_TEST(with("own", "00ff00").status == 201);
  CHECK_TEXTS(refused(sources + "/own", R"({"config":{"key":"whsec"}})"), "/config secrets-do-not-fit");
  BOOST_TEST(patch(sources + "/own", R"({"config":{"sig":{"prefix":"v1="}}})").status == 200);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(api_changes_of_endpoints, change_fixture)

BOOST_AUTO_TEST_CASE(an_endpoint_is_changed_field_by_field_and_null_restores_the_default) {
  const auto path = endpoint(R"({"url":"https://example.com/hook","description":"one","event_types":["a.*"],)"
                             R"("headers":{"X-A":"1","X-B":"2"},"max_in_flight":5,"timeout_ms":2000})");
  const auto changed =
    patch(path, R"({"url":"https://example.com/other","headers":{"X-B":null,"X-C":"3"},"max_in_flight":7})");
  BOOST_TEST(changed.status == 200, changed.body);
  const auto json = changed.json();
  BOOST_TEST(text(json, "url") == "https://example.com/other");
  BOOST_TEST(text(json, "description") == "one");
  BOOST_TEST(json::serialize(json.at("headers")) == R"({"X-A":"1","X-C":"3"})");
  BOOST_TEST(json.at("max_in_flight").as_int64() == 7);
  BOOST_TEST(json.at("timeout_ms").as_int64() == 2000);
  const auto restored =
    patch(path, R"({"description":null,"event_types":null,"headers":null,"max_in_flight":null,"timeout_ms":null})")
      .json();
  BOOST_TEST(restored.at("description").is_null());
  BOOST_TEST(restored.at("event_types").as_array().empty());
  BOOST_TEST(restored.at("headers").as_object().empty());
  BOOST_TEST(restored.at("max_in_flight").as_int64() == 32);
  BOOST_TEST(restored.at("timeout_ms").as_int64() == 15'000);
}

BOOST_AUTO_TEST_CASE(retry_and_breaker_are_merged_too) {
  const auto path = endpoint();
  const auto retry = [&](const std::string& patch_of_it) {
    const auto answer = patch(path, R"({"retry":)" + patch_of_it + "}");
    BOOST_TEST(answer.status == 200, answer.body);
    return json::serialize(answer.json().at("retry"));
  };
  BOOST_TEST(retry(R"({"schedule_s":[1,2]})") == R"({"schedule_s":[1,2],"jitter":2.5E-1})");
  BOOST_TEST(retry(R"({"jitter":0})") == R"({"schedule_s":[1,2],"jitter":0})");
  // The other form takes the place of the first.
  BOOST_TEST(retry(R"({"base_ms":10,"factor":3,"max_ms":100,"max_attempts":4})") ==
             R"({"base_ms":10,"factor":3,"max_ms":100,"max_attempts":4,"jitter":0})");
  BOOST_TEST(retry(R"({"max_attempts":9})") == R"({"base_ms":10,"factor":3,"max_ms":100,"max_attempts":9,"jitter":0})");
  BOOST_TEST(retry(R"({"schedule_s":[5]})") == R"({"schedule_s":[5],"jitter":0})");
  const auto defaults = call("GET", endpoint(), admin).json().at("retry");
  BOOST_TEST(retry("null") == json::serialize(defaults));
  CHECK_TEXTS(refused(path, R"({"retry":{"schedule_s":[1],"base_ms":1}})"), "/retry/schedule_s bad-format");

  const auto breaker = patch(path, R"({"breaker":{"failures":3,"cool_down_ms":50}})").json().at("breaker");
  BOOST_TEST(breaker.at("failures").as_int64() == 3);
  BOOST_TEST(breaker.at("probes").as_int64() == 1);
  const auto more = patch(path, R"({"breaker":{"failures":null,"probes":2}})").json().at("breaker");
  BOOST_TEST(more.at("failures").as_int64() == 10);
  BOOST_TEST(more.at("probes").as_int64() == 2);
  BOOST_TEST(more.at("cool_down_ms").as_int64() == 50);
  // Checked as a whole: the greatest cool-down that is there is less.
  CHECK_TEXTS(refused(path, R"({"breaker":{"cool_down_ms":70000}})"), "/breaker/cool_down_max_ms out-of-range");
}

BOOST_AUTO_TEST_CASE(a_priority_is_one_of_three_words_and_null_restores_medium) {
  const auto path = endpoint(R"({"url":"https://example.com/hook","priority":"high"})");
  BOOST_TEST(patch(path, "{}").json().at("priority").as_string() == "high");
  BOOST_TEST(patch(path, R"({"priority":"low"})").json().at("priority").as_string() == "low");
  BOOST_TEST(patch(path, R"({"priority":null})").json().at("priority").as_string() == "medium");
  CHECK_TEXTS(refused(path, R"({"priority":"urgent"})"), "/priority bad-format");
}

BOOST_AUTO_TEST_CASE(all_that_is_wrong_with_a_change_of_an_endpoint_is_told_at_once) {
  const auto path = endpoint();
  CHECK_TEXTS(
    refused(path, R"({"secret":"whsec_MDEy","nope":1,"status":"paused","id":"x","breaker":{"state":"open","odd":1},)"
                  R"("url":"http://127.0.0.1/","headers":{"Webhook-Id":"x"},"max_in_flight":0,"filter":{"all":[]},)"
                  R"("ordering":"lifo","priority":"high","signing":{"profile":"svix"}})"),
    "/secret read-only", "/nope unknown-field", "/status read-only", "/id read-only", "/breaker/odd unknown-field",
    "/url https-required", "/headers/Webhook-Id header-reserved", "/max_in_flight out-of-range", "/ordering bad-format",
    "/priority endpoint-ordered", "/filter not-supported-yet", "/signing not-supported-yet");
  CHECK_TEXTS(refused(path, R"({"url":null})"), "/url required");
  CHECK_TEXTS(refused(path, R"({"url":"https://169.254.169.254/"})"), "/url endpoint-address-blocked");
  BOOST_TEST(patch(endpoints + "/ep_nonsense", "{}").status == 404);
  BOOST_TEST(patch(endpoints + "/" + to_string(store.make_id<endpoint_id>()), "{}").status == 404);
  BOOST_TEST(call("PATCH", path, viewer, "{}").status == 403);
  BOOST_TEST(call("PATCH", path, admin, "{}", false, "application/merge-patch+json").status == 200);
  BOOST_TEST(call("PATCH", path, admin, "{}", false, "application/json-patch+json").status == 415);
}

BOOST_AUTO_TEST_CASE(an_endpoint_written_back_as_it_was_read_is_the_same) {
  const auto path =
    endpoint(R"({"url":"https://example.com/hook","headers":{"X-A":"1"},"retry":{"schedule_s":[0.5,1]},)"
             R"("breaker":{"failures":3}})");
  const auto before = call("GET", path, admin).body;
  const auto answer = patch(path, before);
  BOOST_TEST(answer.status == 200, answer.body);
  BOOST_TEST(answer.body == before);
}

BOOST_AUTO_TEST_CASE(enabling_and_disabling_are_told_with_their_reason) {
  const auto path = endpoint();
  const auto state = [&](const std::string& body) {
    const auto json = patch(path, body).json();
    const auto& why = json.at("disabled_reason");
    return text(json, "status") + " " + (why.is_null() ? "" : json::value_to<std::string>(why));
  };
  BOOST_TEST(state("{}") == "active ");
  BOOST_TEST(state(R"({"enabled":false})") == "disabled disabled_by_user");
  BOOST_TEST(state(R"({"description":"x"})") == "disabled disabled_by_user");
  BOOST_TEST(state(R"({"enabled":true})") == "active ");
  BOOST_TEST(state(R"({"enabled":false})") == "disabled disabled_by_user");
  BOOST_TEST(state(R"({"enabled":null})") == "active ");
}

BOOST_AUTO_TEST_CASE(a_pause_is_not_ended_by_enabling_and_a_reason_is_not_lost_by_disabling_again) {
  const auto path = endpoint();
  const auto id = *parse_id<endpoint_id>(path.substr(endpoints.size() + 1));
  const auto become = [&](endpoint_status status, const std::string& reason) {
    store.change_endpoint(
      "acme", id,
      [&](const endpoint_record& now) {
        changed_endpoint to{{now.config, {}, "/sources", now.description}, reason, false};
        to.fields.config.status = status;
        return result<changed_endpoint>{to};
      },
      [](const result<endpoint_record>& done) { BOOST_REQUIRE(done.has_value()); });
  };
  become(endpoint_status::paused, "");
  BOOST_TEST(text(patch(path, R"({"enabled":true})").json(), "status") == "paused");
  BOOST_TEST(text(patch(path, R"({"enabled":false})").json(), "status") == "disabled");
  BOOST_TEST(text(patch(path, R"({"enabled":true})").json(), "status") == "active");
  become(endpoint_status::disabled, "endpoint_gone");
  BOOST_TEST(text(patch(path, R"({"enabled":false})").json(), "disabled_reason") == "endpoint_gone");
}

BOOST_AUTO_TEST_CASE(a_url_that_could_not_be_set_any_more_does_not_stand_in_the_way) {
  const auto path = endpoint();
  const auto id = *parse_id<endpoint_id>(path.substr(endpoints.size() + 1));
  store.change_endpoint(
    "acme", id,
    [&](const endpoint_record& now) {
      changed_endpoint to{{now.config, {}, "/sources", now.description}, "", false};
      to.fields.config.url = "http://127.0.0.1/";
      return result<changed_endpoint>{to};
    },
    [](const result<endpoint_record>& done) { BOOST_REQUIRE(done.has_value()); });
  BOOST_TEST(patch(path, R"({"enabled":false})").status == 200);
  auto whole = call("GET", path, admin).json();
  whole.as_object()["description"] = "edited";
  const auto answer = patch(path, json::serialize(whole)); // the url is named, but says what it is
  BOOST_TEST(answer.status == 200, answer.body);
  BOOST_TEST(text(answer.json(), "description") == "edited");
  CHECK_TEXTS(refused(path, R"({"url":"http://127.0.0.1/other"})"), "/url https-required");
}

BOOST_AUTO_TEST_CASE(an_endpoint_can_be_written_back_whole_after_its_breaker_moved_and_a_source_went) {
  source(github);
  const auto path = endpoint(R"({"url":"https://example.com/hook","sources":["github"]})");
  auto whole = call("GET", path, admin).json();
  auto& breaker = whole.as_object()["breaker"].as_object();
  breaker["state"] = "open"; // it was, when it was read
  breaker["since"] = "2026-01-02T03:04:05.000Z";
  breaker["next_probe_at"] = "2026-01-02T03:05:05.000Z";
  breaker["failures"] = 7;
  BOOST_TEST(call("DELETE", sources + "/github", admin).status == 204);
  const auto answer = patch(path, json::serialize(whole));
  BOOST_TEST(answer.status == 200, answer.body);
  BOOST_TEST(answer.json().at("breaker").at("failures").as_int64() == 7);
  BOOST_TEST(text(answer.json().at("breaker"), "state") == "closed");
  BOOST_TEST(answer.json().at("sources") == whole.at("sources")); // an empty list would be all of them
}

BOOST_AUTO_TEST_CASE(a_rotation_of_an_endpoint_shows_the_new_secret_once) {
  const auto path = endpoint();
  const auto made = call("POST", path + "/rotate-secret", admin, R"({"overlap_s":0})");
  BOOST_TEST(made.status == 200, made.body);
  BOOST_TEST(made.header("cache-control") == "no-store");
  const auto secret = text(made.json(), "secret");
  BOOST_TEST(secret.starts_with("whsec_"));
  BOOST_TEST(text(call("GET", path + "/secret", admin).json(), "secret") == secret);
  const std::string mine = "whsec_MDEyMzQ1Njc4OWFiY2RlZg==";
  BOOST_TEST(text(call("POST", path + "/rotate-secret", admin, R"({"overlap_s":5,"secret":")" + mine + "\"}").json(),
                  "secret") == mine);
  const auto wrong = call("POST", path + "/rotate-secret", admin, R"({"secret":"abc!","x":1})");
  CHECK_TEXTS(errors(wrong), "/overlap_s required", "/secret secret-malformed", "/x unknown-field");
  BOOST_TEST(wrong.body.find("abc!") == std::string::npos);
  BOOST_TEST(call("POST", path + "/rotate-secret", viewer, R"({"overlap_s":0})").status == 403);
  BOOST_TEST(call("POST", endpoints + "/ep_nonsense/rotate-secret", admin, R"({"overlap_s":0})").status == 404);
}

BOOST_AUTO_TEST_CASE(certificates_and_their_key_stay_where_they_are_not_named_and_change_as_a_whole) {
  const test_authority authority;
  const auto identity = authority.issue({.name = "DNS:client"});
  const json::object tls{
    {"ca_pem", authority.pem()}, {"client_certificate_pem", identity.certificate}, {"client_key_pem", identity.key}};
  const auto path = endpoint(json::serialize(json::object{{"url", "https://example.com/hook"}, {"tls", tls}}));
  const auto shown = call("GET", path, admin).json();
  BOOST_TEST(json::serialize(shown.at("tls").at("client_key_pem")) == R"({"set":true})");
  BOOST_TEST((patch(path, R"({"description":"x"})").json().at("tls") == shown.at("tls")));
  const auto back = patch(path, json::serialize(json::object{{"tls", shown.at("tls")}}));
  BOOST_TEST(back.status == 200, back.body);
  BOOST_TEST((back.json().at("tls") == shown.at("tls")));
  const auto less = patch(path, R"({"tls":{"ca_pem":null}})").json().at("tls");
  BOOST_TEST(less.at("ca_pem").is_null());
  BOOST_TEST(json::serialize(less.at("client_key_pem")) == R"({"set":true})");
  const auto other = authority.issue({.name = "DNS:other"}).certificate;
  CHECK_TEXTS(refused(path, json::serialize(json::object{{"tls", json::object{{"client_certificate_pem", other}}}})),
              "/tls/client_key_pem required");
  BOOST_TEST(patch(path, R"({"tls":null})").json().at("tls").is_null());
}

BOOST_AUTO_TEST_SUITE_END()
