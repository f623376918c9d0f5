// The vectors of all providers through the HTTP interface: a source is made of each case, and verify-sample asked.
#include "config/presets.hpp"
#include "core/signature.hpp"
#include "tests/net/api_answers.hpp"
#include "tests/net/server_fixture.hpp"
#include "tests/support/provider_vectors.hpp"

#include <boost/json.hpp>

#include <filesystem>
#include <map>

using namespace postrider;
using namespace postrider::test;
namespace json = boost::json;

namespace {

struct verify_fixture : server_fixture {
  tenant_id acme = store.add_tenant("acme");
  std::string op = store.add_key(api_role::operator_);

  http_answer make_source(const std::string& name, const provider_vector& vector) {
    const auto& all = presets();
    json::object body{{"name", name}, {"scheme", vector.scheme}, {"config", config_of(vector)}};
    for (const auto& [provider, schemes] : all.providers)
      for (const auto& scheme : schemes)
        if (scheme == vector.scheme)
          body["provider"] = provider;
    json::array secrets;
    for (const auto& secret : vector.secrets)
      secrets.emplace_back(secret);
    body["secrets"] = std::move(secrets);
    return call("POST", "/v1/tenants/acme/sources", op, json::serialize(body));
  }

  /// Only what the scheme knows: the vectors say more of some.
  static json::object config_of(const provider_vector& vector) {
    json::object out;
    for (const auto& key : find_preset(vector.scheme)->config_keys)
      if (const auto found = vector.config.find(key); found != vector.config.end())
        out[key] = found->second;
    return out;
  }

  http_answer ask(const std::string& name, const provider_vector& vector) {
    json::object headers;
    for (const auto& [header, value] : vector.headers)
      headers[header] = value;
    const std::span bytes{reinterpret_cast<const std::uint8_t*>(vector.body.data()), vector.body.size()};
    const json::object body{{"method", vector.method},
                            {"url", vector.url},
                            {"headers", std::move(headers)},
                            {"body_base64", encode_base64(bytes)},
                            {"received_at", to_rfc3339(wall_time{std::chrono::seconds{vector.now}})}};
    return call("POST", "/v1/tenants/acme/sources/" + name + "/verify-sample", op, json::serialize(body));
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(verify_routes_over_http, verify_fixture)

BOOST_AUTO_TEST_CASE(every_vector_gets_its_verdict_from_verify_sample) {
  std::size_t asked = 0;
  for (const auto& file : std::filesystem::directory_iterator{POSTRIDER_SOURCE_DIR "/tests/vectors/providers"})
    for (const auto& vector : load_provider_vectors(file.path())) {
      if (!find_preset(vector.scheme))
        continue;
      BOOST_TEST_CONTEXT(vector.id) {
        const auto name = "s" + std::to_string(++asked);
        const auto made = make_source(name, vector);
        BOOST_REQUIRE_MESSAGE(made.status == 201, made.body);
        const auto answer = ask(name, vector);
        BOOST_REQUIRE_MESSAGE(answer.status == 200, answer.body);
        const auto said = answer.json();
        const auto* const expected = !vector.accept ? "reject" : vector.is_handshake ? "handshake" : "accept";
        BOOST_TEST(json::value_to<std::string>(said.at("verdict")) == expected);
        BOOST_TEST(said.at("reason").is_null() == vector.accept, answer.body);
        if (vector.accept && !vector.event_id.empty())
          BOOST_TEST(json::value_to<std::string>(said.at("provider_event_id")) == vector.event_id);
        if (vector.answer)
          BOOST_TEST(said.at("response").at("status").as_int64() == vector.answer->status);
      }
    }
  BOOST_TEST(asked > 300U);
}

// `response` is what LISTENER would write: the problem with its reason, the methods, no page for a browser.
BOOST_AUTO_TEST_CASE(the_response_is_that_which_the_provider_would_get) {
  const auto make = [&](std::string_view body) {
    BOOST_TEST(call("POST", "/v1/tenants/acme/sources", op, std::string{body}).status == 201);
  };
  const auto ask_about = [&](const std::string& name, const std::string& sample) {
    const auto answer = call("POST", "/v1/tenants/acme/sources/" + name + "/verify-sample", op, sample);
    BOOST_REQUIRE_MESSAGE(answer.status == 200, answer.body);
    return answer.json();
  };
  const auto text = [](const json::value& value) { return json::value_to<std::string>(value); };
  const auto problem_of = [&](const json::value& said) {
    return json::parse(decode_base64(text(said.at("response").at("body_base64"))).value());
  };
  make(R"({"name":"gh","provider":"github","secrets":["s"]})");
  const auto refused = ask_about("gh", R"({"headers":{},"body_base64":""})");
  BOOST_TEST(refused.at("response").at("status").as_int64() == 401);
  BOOST_TEST(text(refused.at("response").at("headers").at("www-authenticate")) == "Signature");
  BOOST_TEST(text(problem_of(refused).at("code")) == "signature-missing");
  const auto method = ask_about("gh", R"({"method":"PUT","headers":{},"body_base64":""})");
  BOOST_TEST(method.at("response").at("status").as_int64() == 405);
  BOOST_TEST(text(method.at("response").at("headers").at("allow")) == "POST");
  BOOST_TEST(text(problem_of(method).at("code")) == "method-not-allowed");
  make(R"({"name":"graph","provider":"microsoft-graph","secrets":["s"]})");
  const auto graph = [&](const std::string& with) {
    return ask_about("graph", with + R"("url":"https://x.example/?validationToken=x","headers":{},"body_base64":""})");
  };
  BOOST_TEST(text(graph(R"({"method":"GET",)").at("verdict")) == "reject"); // a question by a method of nobody
  const auto question = graph("{");
  BOOST_TEST(text(question.at("response").at("headers").at("x-content-type-options")) == "nosniff");
  BOOST_TEST(text(question.at("response").at("headers").at("content-type")) == "text/plain");
  make(R"({"name":"xero","provider":"xero","secrets":["s"]})");
  const auto xero = ask_about("xero", R"({"headers":{"x-xero-signature":"AAAA"},"body_base64":""})");
  BOOST_TEST(xero.at("response").at("status").as_int64() == 401);
  BOOST_TEST(text(xero.at("response").at("body_base64")).empty());
  BOOST_TEST(!xero.at("response").at("headers").as_object().contains("content-type"));
}

BOOST_AUTO_TEST_CASE(without_a_url_the_samples_host_and_the_ingest_path_stand_for_it) {
  BOOST_TEST(
    call("POST", "/v1/tenants/acme/sources", op, R"({"name":"sq","provider":"square","secrets":["s"]})").status == 201);
  const auto mac = hmac_sha256("s", "https://hooks.example.com/in/acme/sq{}");
  const json::object sample{
    {"headers", json::object{{"Host", "hooks.example.com"}, {"x-square-hmacsha256-signature", encode_base64(mac)}}},
    {"body_base64", "e30="}};
  const auto answer = call("POST", "/v1/tenants/acme/sources/sq/verify-sample", op, json::serialize(sample));
  BOOST_TEST(json::value_to<std::string>(answer.json().at("verdict")) == "accept", answer.body);
}

BOOST_AUTO_TEST_CASE(the_providers_are_listed_with_their_schemes) {
  const auto answer = call("GET", "/v1/providers", op);
  BOOST_TEST(answer.status == 200);
  std::map<std::string, std::size_t> schemes;
  const auto document = answer.json();
  for (const auto& each : document.at("data").as_array())
    schemes[json::value_to<std::string>(each.at("name"))] = each.at("schemes").as_array().size();
  BOOST_TEST(schemes.at("github") == 1U);
  BOOST_TEST(schemes.at("gitlab") == 2U);
  BOOST_TEST(schemes.at("standard-webhooks") == 1U); // v1a is not supported yet
  BOOST_TEST(!schemes.contains("paypal"));
}

BOOST_AUTO_TEST_CASE(all_that_is_wrong_with_a_source_or_a_sample_is_named) {
  const auto make = [&](std::string_view body) {
    return call("POST", "/v1/tenants/acme/sources", op, std::string{body});
  };
  using texts = std::vector<std::string>;
  BOOST_TEST(
    (errors(make(R"({"name":"a","provider":"nobody","secrets":["s"]})")) == texts{"/provider provider-unknown"}));
  BOOST_TEST((errors(make(R"({"name":"a","provider":"gitlab","secrets":["s"]})")) == texts{"/scheme required"}));
  BOOST_TEST(
    (errors(make(R"({"name":"a","provider":"paypal","secrets":["s"]})")) == texts{"/provider not-supported-yet"}));
  BOOST_TEST((errors(make(R"({"name":"a","provider":"standard-webhooks","secrets":["not base64!"]})")) ==
              texts{"/secrets/0 bad-format"}));
  BOOST_TEST(
    (errors(make(
       R"({"name":"a","provider":"postmark","secrets":["s"],"config":{"colour":"red","public_url":"ftp://x"}})")) ==
     texts{"/config/public_url bad-format", "/config/username bad-format", "/config/colour bad-format"}));
  BOOST_TEST(
    (errors(
       make(R"({"name":"a","provider":"custom","secrets":["s"],"config":{"family":"hmac","sig":{"header":"X"}}})")) ==
     texts{"/config/signed bad-format"}));
  BOOST_TEST(make(R"({"name":"own","provider":"custom","secrets":["s"],
    "config":{"family":"hmac","sig":{"header":"X-Sig"},"signed":"{body}","public_url":"https://x.example/in"}})")
               .status == 201);
  const auto sample = call("POST", "/v1/tenants/acme/sources/own/verify-sample", op,
                           R"({"headers":{"a b":"x"},"body_base64":"%","received_at":"yesterday","more":1})");
  const auto escaped =
    call("POST", "/v1/tenants/acme/sources/own/verify-sample", op, R"({"headers":{"a/b~c d":"x"},"body_base64":""})");
  BOOST_TEST((errors(escaped) == texts{"/headers/a~1b~0c d bad-format"}));
  BOOST_TEST(
    (errors(make(R"({"name":"a","provider":"messagebird","secrets":["s"]})")) == texts{"/provider not-supported-yet"}));
  BOOST_TEST((errors(sample) == texts{"/headers/a b bad-format", "/body_base64 bad-format", "/received_at bad-format",
                                      "/more unknown-field"}));
  BOOST_TEST(
    call("POST", "/v1/tenants/acme/sources/none/verify-sample", op, R"({"headers":{},"body_base64":""})").status ==
    404);
}

BOOST_AUTO_TEST_SUITE_END()
