#include "net/forwarded.hpp"

#include "tests/net/server_fixture.hpp"

#include <boost/test/data/test_case.hpp>

using namespace postrider;
using namespace postrider::test;

namespace {

const std::string nothing;

trusted_proxies proxies() {
  std::vector<cidr_block> blocks;
  for (const auto* const text : {"10.0.0.0/8", "fd00::/8"})
    blocks.push_back(*parse_cidr_block(text));
  return trusted_proxies{blocks};
}

struct sample {
  std::string fields;
  std::string address;
  int over_tls; ///< -1: not known
  std::string host;
};
std::ostream& operator<<(std::ostream& out, const sample& one) {
  return out << one.fields;
}

const std::vector<sample> samples{
  {"host: a\r\n", "10.0.0.1", -1, ""},
  {"X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: hooks.example.com\r\n", "203.0.113.7",
   1, "hooks.example.com"},
  {"x-forwarded-for: 203.0.113.7:4711\r\nx-forwarded-proto: HTTP\r\n", "203.0.113.7", 0, ""},
  {"x-forwarded-for: [2001:db8::7]:47\r\nx-forwarded-host: a:8443\r\n", "2001:db8::7", -1, "a:8443"},
  {"x-forwarded-for: 2001:DB8::7\r\n", "2001:db8::7", -1, ""},
  // The rightmost that is no proxy; what stands left of it is a stranger's word.
  {"x-forwarded-for: 1.2.3.4, 203.0.113.7, 10.9.9.9,fd00::1\r\n", "203.0.113.7", -1, ""},
  {"x-forwarded-for: 1.2.3.4\r\nx-forwarded-for: 203.0.113.7\r\nx-forwarded-for: 10.1.1.1\r\n", "203.0.113.7", -1, ""},
  {"x-forwarded-for: \", 203.0.113.7\r\n", "203.0.113.7", -1, ""},
  {"x-forwarded-for: 10.3.3.3, 10.2.2.2\r\n", "10.3.3.3", -1, ""},
  {"x-forwarded-for: ::ffff:203.0.113.7, ::ffff:10.1.1.1\r\n", "203.0.113.7", -1, ""},
  // Not of the form: the last address that could be read.
  {"x-forwarded-for: unknown\r\n", "10.0.0.1", -1, ""},
  {"x-forwarded-for: 203.0.113.7, nobody, 10.2.2.2\r\n", "10.2.2.2", -1, ""},
  {"x-forwarded-for: \r\n", "10.0.0.1", -1, ""},
  {"x-forwarded-for: 203.0.113.7:x\r\n", "10.0.0.1", -1, ""},
  {"x-forwarded-for: 203.0.113.07\r\n", "10.0.0.1", -1, ""},
  {"x-forwarded-for: [203.0.113.7]\r\n", "10.0.0.1", -1, ""},
  {"x-forwarded-for: [2001:db8::1\r\n", "10.0.0.1", -1, ""},
  {"x-forwarded-proto: https, http\r\n", "10.0.0.1", -1, ""},
  {"x-forwarded-proto: https\r\nx-forwarded-proto: https\r\n", "10.0.0.1", -1, ""},
  {"x-forwarded-proto: wss\r\n", "10.0.0.1", -1, ""},
  {"x-forwarded-host: a/b\r\n", "10.0.0.1", -1, ""},
  {"x-forwarded-host: a, b\r\n", "10.0.0.1", -1, ""},
  {"x-forwarded-host: a@b\r\n", "10.0.0.1", -1, ""},
  // RFC 7239.
  {"forwarded: for=203.0.113.7;proto=https;host=hooks.example.com\r\n", "203.0.113.7", 1, "hooks.example.com"},
  {"Forwarded: For=\"[2001:db8::7]:4711\" ; Host=\"a:8443\" ; Proto=http\r\n", "2001:db8::7", 0, "a:8443"},
  {"forwarded: for=1.2.3.4;host=evil, for=203.0.113.7;host=a, for=10.1.1.1;host=inner\r\n", "203.0.113.7", -1, "a"},
  {"forwarded: for=203.0.113.7\r\nforwarded: for=10.1.1.1;proto=https\r\n", "203.0.113.7", -1, ""},
  {"forwarded: for=_hidden;proto=https\r\n", "10.0.0.1", -1, ""},
  {"forwarded: for=unknown\r\n", "10.0.0.1", -1, ""},
  {"forwarded: for=203.0.113.7;for=203.0.113.8\r\n", "10.0.0.1", -1, ""},
  {"forwarded: for=2001:db8::7\r\n", "10.0.0.1", -1, ""},
  {"forwarded: for=\"203.0.113.7\r\n", "10.0.0.1", -1, ""},
  {"forwarded: for=203.0.113.7;host=\"a/b\"\r\n", "203.0.113.7", -1, ""},
  {"forwarded: proto=https\r\n", "10.0.0.1", -1, ""},
  {"forwarded: for=203.0.113.7, ,\r\n", "10.0.0.1", -1, ""},
  // Both kinds: one of them may be the client's.
  {"x-forwarded-for: 203.0.113.7\r\nforwarded: for=203.0.113.8;proto=https\r\n", "10.0.0.1", -1, ""},
  {"x-forwarded-proto: https\r\nforwarded: for=203.0.113.8\r\n", "10.0.0.1", -1, ""},
};

} // namespace

BOOST_AUTO_TEST_SUITE(net_forwarded)

BOOST_DATA_TEST_CASE(a_trusted_proxy_is_believed_as_far_as_it_can_be_read, samples) {
  const auto said = proxies().read("10.0.0.1", sample.fields);
  BOOST_REQUIRE(said.has_value());
  BOOST_TEST(said->address == sample.address);
  BOOST_TEST((said->over_tls ? static_cast<int>(*said->over_tls) : -1) == sample.over_tls);
  BOOST_TEST(said->host == sample.host);
}

BOOST_AUTO_TEST_CASE(nobody_else_is_believed) {
  const std::string fields = "x-forwarded-for: 203.0.113.7\r\nx-forwarded-proto: https\r\n";
  for (const auto* const peer : {"203.0.113.9", "fe80::1%eth0", "::1", "", "2001:db8::1"})
    BOOST_TEST(!proxies().read(peer, fields).has_value());
  for (const auto* const peer : {"10.0.0.1", "fd00::9", "::ffff:10.0.0.1"})
    BOOST_TEST(proxies().read(peer, fields).has_value());
}

BOOST_AUTO_TEST_CASE(routes_behind_a_proxy_see_the_client) {
  struct recorder final : http_handler {
    std::string examined, handled, host;
    bool over_tls = false;
    head_verdict examine(const request_head&, std::string_view, std::string_view remote_address) override {
      examined = remote_address;
      return {};
    }
    std::unique_ptr<http_response> handle(http_call call) override {
      handled = call.remote_address;
      host = call.host;
      over_tls = call.over_tls;
      return nullptr;
    }
  } seen;
  proxied_routes routes{proxies(), seen};
  request_head head;
  const std::shared_ptr<http_replies> replies;
  const auto ask = [&](std::string_view peer, std::string_view fields, bool over_tls) {
    head.fields = fields;
    routes.examine(head, "id", peer);
    routes.handle({head, peer, "id", {}, replies, {}, over_tls, {}});
  };
  ask("10.0.0.1", "x-forwarded-for: 203.0.113.7\r\nx-forwarded-proto: https\r\nx-forwarded-host: a\r\n", false);
  BOOST_TEST(seen.examined == "203.0.113.7");
  BOOST_TEST(seen.handled == "203.0.113.7");
  BOOST_TEST(seen.host == "a");
  BOOST_TEST(seen.over_tls);
  ask("10.0.0.1", "x-forwarded-for: 203.0.113.7\r\n", true);
  BOOST_TEST(seen.over_tls);
  BOOST_TEST(seen.host == "");
  ask("203.0.113.9", "x-forwarded-for: 203.0.113.7\r\nx-forwarded-proto: https\r\nx-forwarded-host: a\r\n", false);
  BOOST_TEST(seen.handled == "203.0.113.9");
  BOOST_TEST(!seen.over_tls);
  BOOST_TEST(seen.host == "");
}

BOOST_AUTO_TEST_SUITE_END()
