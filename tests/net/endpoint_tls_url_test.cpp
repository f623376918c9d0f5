#include "net/api_endpoint_patch.hpp"
#include "tests/net/test_certificates.hpp"

#include <boost/json/object.hpp>
#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace postrider::test;
namespace json = boost::json;

BOOST_AUTO_TEST_SUITE(net_endpoint_tls_and_url)

BOOST_AUTO_TEST_CASE(certificates_for_a_url_without_tls_are_refused_instead_of_ignored) {
  const test_authority authority;
  const api_options options{.http_allowed = true};
  endpoint_record stored;
  stored.config.url = "https://example.com/";
  const auto patched = [&](const json::object& patch) {
    const auto done = patch_endpoint(patch, options)(stored);
    return done ? std::string{"ok"} : done.error().errors.at(0).pointer + " " + done.error().errors.at(0).code;
  };
  const json::object tls{{"ca_pem", authority.pem()}};
  BOOST_TEST(patched({{"tls", tls}}) == "ok");
  BOOST_TEST(patched({{"url", "http://example.com/"}, {"tls", tls}}) == "/tls https-required");
  BOOST_TEST(patched({{"url", "http://example.com/"}}) == "ok");
  stored.config.tls = std::make_shared<const endpoint_tls>(endpoint_tls{authority.pem(), {}, {}});
  BOOST_TEST(patched({{"url", "http://example.com/"}}) == "/url https-required");
  BOOST_TEST(patched({{"url", "http://example.com/"}, {"tls", nullptr}}) == "ok");
  stored.config.url = "http://example.com/"; // made before this was checked: it can still be changed
  BOOST_TEST(patched({{"description", "x"}}) == "ok");
}

BOOST_AUTO_TEST_SUITE_END()
