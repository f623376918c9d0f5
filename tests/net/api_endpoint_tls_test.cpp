#include "net/api_endpoint_tls.hpp"

#include "net/api_json.hpp"
#include "tests/net/test_certificates.hpp"

#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace postrider::test;
namespace json = boost::json;

namespace {

struct fixture {
  test_authority authority;
  test_identity identity = authority.issue({.name = "DNS:client"});
  std::vector<field_error> errors;

  std::shared_ptr<const endpoint_tls> read(const json::value& tls, const endpoint_tls* stored = nullptr) {
    errors.clear();
    const json::object body{{"tls", tls}};
    json_reader reader{body, "", errors};
    return read_endpoint_tls(reader, stored);
  }
  /// `pointer code` of each.
  std::vector<std::string> wrong(const json::value& tls, const endpoint_tls* stored = nullptr) {
    BOOST_TEST((read(tls, stored) == nullptr || !errors.empty()));
    std::vector<std::string> out;
    for (const auto& each : errors)
      out.push_back(each.pointer + " " + each.code);
    return out;
  }
  json::object whole() const {
    return {
      {"ca_pem", authority.pem()}, {"client_certificate_pem", identity.certificate}, {"client_key_pem", identity.key}};
  }
  json::object with(const json::object& base, std::string_view name, const std::string& text) const {
    return with(base, name, json::value(json::string(text)));
  }
  json::object with(const json::object& base, std::string_view name, const json::value& value) const {
    auto out = base;
    out[{name.data(), name.size()}] = value;
    return out;
  }
  using texts = std::vector<std::string>;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(net_api_endpoint_tls, fixture)

BOOST_AUTO_TEST_CASE(what_is_good_is_taken_and_shown_without_the_key) {
  const auto tls = read(whole());
  BOOST_TEST(errors.empty());
  BOOST_REQUIRE(tls != nullptr);
  BOOST_TEST(tls->ca_pem == authority.pem());
  BOOST_TEST(tls->client_key_pem == identity.key);
  const auto shown = json::serialize(endpoint_tls_json(tls));
  BOOST_TEST(shown.find("PRIVATE KEY") == std::string::npos);
  BOOST_TEST(endpoint_tls_json(tls).at("client_key_pem").at("set").as_bool());
  BOOST_TEST(endpoint_tls_json(read({{"ca_pem", authority.pem()}})).at("client_key_pem").is_null());
  BOOST_TEST(endpoint_tls_json(nullptr).is_null());
  BOOST_TEST((read(nullptr) == nullptr));
  BOOST_TEST((read(json::object{}) == nullptr));
  BOOST_TEST(errors.empty());
}

BOOST_AUTO_TEST_CASE(what_stands_between_certificates_is_not_kept) {
  const auto tls = read({{"ca_pem", "# ours\n" + authority.pem() + "\nnotes: hunter2\n" + identity.certificate}});
  BOOST_REQUIRE(tls != nullptr);
  BOOST_TEST(tls->ca_pem == authority.pem() + identity.certificate);
}

BOOST_AUTO_TEST_CASE(each_mistake_is_told_with_its_place) {
  BOOST_TEST(wrong("yes") == texts{"/tls wrong-type"}, boost::test_tools::per_element());
  BOOST_TEST(wrong({{"ca_pem", 1}}) == texts{"/tls/ca_pem wrong-type"}, boost::test_tools::per_element());
  BOOST_TEST(wrong({{"ca_pem", ""}}) == texts{"/tls/ca_pem too-short"}, boost::test_tools::per_element());
  BOOST_TEST(wrong({{"ca_pem", std::string(tls_text_max + 1, 'a')}}) == texts{"/tls/ca_pem too-long"},
             boost::test_tools::per_element());
  std::string many;
  for (std::size_t i = 0; i <= tls_certificates_max; ++i)
    many += authority.pem();
  BOOST_TEST(wrong({{"ca_pem", many}}) == texts{"/tls/ca_pem too-long"}, boost::test_tools::per_element());
  for (const auto& text : {std::string{"no pem"}, authority.pem().substr(0, 300), authority.pem() + identity.key})
    BOOST_TEST(wrong({{"ca_pem", text}}) == texts{"/tls/ca_pem pem-invalid"}, boost::test_tools::per_element());
  BOOST_TEST(wrong({{"ca_file", "/etc/passwd"}}) == texts{"/tls/ca_file unknown-field"},
             boost::test_tools::per_element());
  BOOST_TEST(wrong({{"client_certificate_pem", identity.certificate}}) == texts{"/tls/client_key_pem required"},
             boost::test_tools::per_element());
  BOOST_TEST(wrong({{"client_key_pem", identity.key}}) == texts{"/tls/client_certificate_pem required"},
             boost::test_tools::per_element());
  const auto other = authority.issue({});
  BOOST_TEST(wrong(with(whole(), "client_key_pem", other.key)) == texts{"/tls/client_key_pem key-mismatch"},
             boost::test_tools::per_element());
  BOOST_TEST(wrong(with(whole(), "client_key_pem", identity.certificate)) == texts{"/tls/client_key_pem pem-invalid"},
             boost::test_tools::per_element());
  const auto weak = authority.issue({.weak = true});
  BOOST_TEST(wrong({{"client_certificate_pem", weak.certificate}, {"client_key_pem", weak.key}}) ==
               texts{"/tls/client_certificate_pem pem-invalid"},
             boost::test_tools::per_element());
  // All at once, and no text of the request in them.
  BOOST_TEST(
    wrong({{"ca_pem", "hunter2"}, {"client_certificate_pem", "hunter2"}, {"client_key_pem", true}}) ==
      (texts{"/tls/ca_pem pem-invalid", "/tls/client_certificate_pem pem-invalid", "/tls/client_key_pem wrong-type"}),
    boost::test_tools::per_element());
  for (const auto& each : errors)
    BOOST_TEST(each.detail.find("hunter2") == std::string::npos, each.detail);
}

BOOST_AUTO_TEST_CASE(a_change_may_leave_the_stored_key_as_it_is) {
  const auto stored = read(whole());
  BOOST_REQUIRE(stored != nullptr);
  const json::value shown_key{{"set", true}};
  const auto document = with(whole(), "client_key_pem", shown_key);
  const auto same = read(document, stored.get());
  BOOST_TEST(errors.empty());
  BOOST_REQUIRE(same != nullptr);
  BOOST_TEST(same->client_certificate_pem == stored->client_certificate_pem);
  BOOST_TEST(same->client_key_pem == "");
  const auto other = authority.issue({});
  BOOST_TEST(wrong(with(document, "client_certificate_pem", other.certificate), stored.get()) ==
               texts{"/tls/client_key_pem required"},
             boost::test_tools::per_element());
  BOOST_TEST(wrong(with(document, "client_certificate_pem", json::value(nullptr)), stored.get()) ==
               texts{"/tls/client_certificate_pem required"},
             boost::test_tools::per_element());
  BOOST_TEST(wrong(document) == texts{"/tls/client_key_pem wrong-type"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
