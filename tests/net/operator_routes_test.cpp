#include "tests/net/server_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <string>

using namespace postrider;
using namespace postrider::test;

namespace {

struct operator_fixture : server_fixture {
  http_answer on(const std::string& path, const std::string& with = {}) {
    return call("GET", path, with.empty() ? op : with, "", true);
  }
  std::string op = store.add_key(api_role::operator_);
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(net_operator_routes, operator_fixture)

BOOST_AUTO_TEST_CASE(the_cluster_is_shown_to_operators_alone) {
  cluster_node node;
  node.name = "n1";
  node.incarnation.bytes[15] = 7;
  node.state = "live";
  node.heartbeat_age = milliseconds{12};
  node.shards = {{3, 9}};
  reads.add_node(node);
  const auto answer = on("/cluster");
  BOOST_REQUIRE(answer.status == 200);
  const auto body = answer.json();
  BOOST_TEST(body.at("node").as_string() == "n1");
  BOOST_TEST(body.at("shards").as_int64() == 64);
  const auto& shown = body.at("data").as_array().at(0).as_object();
  BOOST_TEST(shown.at("name").as_string() == "n1");
  BOOST_TEST(shown.at("incarnation").as_string() == "00000000-0000-0000-0000-000000000007");
  BOOST_TEST(shown.at("address").is_null());
  BOOST_TEST(shown.at("state").as_string() == "live");
  BOOST_TEST(shown.at("heartbeat_age_ms").as_int64() == 12);
  BOOST_TEST(shown.at("shards").as_array().at(0).at("shard").as_int64() == 3);
  BOOST_TEST(shown.at("shards").as_array().at(0).at("epoch").as_int64() == 9);
  BOOST_TEST(call("GET", "/cluster", {}, "", true).status == 401);
  BOOST_TEST(on("/cluster", store.add_key(api_role::tenant_admin, store.add_tenant("acme"))).status == 403);
  BOOST_TEST(call("GET", "/cluster", op, "", false).status == 404); // the public listener has none
  reads.away = true;
  BOOST_TEST(on("/cluster").status == 503);
}

BOOST_AUTO_TEST_CASE(a_cursor_leads_through_the_whole_list) {
  actors.add_deliveries(300);
  std::set<std::string> seen;
  std::string cursor;
  for (int pages = 0; pages < 10; ++pages) {
    const auto body = on("/actors?limit=100" + (cursor.empty() ? "" : "&cursor=" + cursor)).json();
    for (const auto& each : body.at("data").as_array())
      BOOST_TEST(seen.insert(std::string{each.at("path").as_string()}).second);
    if (body.at("next_cursor").is_null())
      break;
    cursor = std::string{body.at("next_cursor").as_string()};
  }
  BOOST_TEST(seen.size() == 303U);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_is_400_and_an_unknown_actor_404) {
  for (const auto* query : {"?kind=actors", "?depth=x", "?depth=-1", "?depth=", "?limit=0", "?limit=x", "?cursor=x",
                            "?cursor=L25vZGU", "?cursor=", "?cursor=AAAA"}) {
    const auto answer = on(std::string{"/actors"} + query);
    BOOST_TEST(answer.status == 400, query);
    BOOST_TEST(answer.code() == "parameter-invalid", query);
  }
  BOOST_TEST(on("/actors?depth=0").json().at("data").as_array().size() == 1U);
  for (const auto* path : {"/actors/node", "/actors/node/n2", "/actors/nobody", "/actors/node/n1/tenants/acme/x/y"}) {
    BOOST_TEST(on(path).status == 404, path);
    BOOST_TEST(on(path).code() == "actor-unknown", path);
  }
}

BOOST_AUTO_TEST_CASE(the_metrics_tell_readiness_by_its_parts) {
  ready.ok = false;
  const auto page = call("GET", "/metrics", {}, "", true);
  BOOST_TEST(page.status == 200);
  BOOST_TEST(page.body.find("postrider_ready{dependency=\"database\"} 0\n") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
