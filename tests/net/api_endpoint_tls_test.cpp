#include "net/api_endpoint_tls.hpp"

#include "net/api_json.hpp"
#include "tests/net/test_certificates.hpp"

#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

using namespace postrider;
using namespace postrider::test;
namespace json = boost::json;

namespace {

/// The same key, whose private exponent is longer by thousands of bits: it signs as before, and takes as much longer.
std::string with_long_exponent(const std::string& pem) {
  const std::shared_ptr<BIO> in{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free};
  const std::shared_ptr<EVP_PKEY> key{PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr), EVP_PKEY_free};
  const std::shared_ptr<OSSL_PARAM_BLD> build{OSSL_PARAM_BLD_new(), OSSL_PARAM_BLD_free};
  std::vector<std::shared_ptr<BIGNUM>> numbers;
  for (const auto* const name :
       {OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_E, OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1,
        OSSL_PKEY_PARAM_RSA_FACTOR2, OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2,
        OSSL_PKEY_PARAM_RSA_COEFFICIENT1}) {
    BIGNUM* number = nullptr;
    EVP_PKEY_get_bn_param(key.get(), name, &number);
    if (std::string_view{name} == OSSL_PKEY_PARAM_RSA_D)
      BN_lshift(number, number, 5'000);
    numbers.emplace_back(number, BN_free);
    OSSL_PARAM_BLD_push_BN(build.get(), name, number);
  }
  const std::shared_ptr<OSSL_PARAM> data{OSSL_PARAM_BLD_to_param(build.get()), OSSL_PARAM_free};
  const std::shared_ptr<EVP_PKEY_CTX> context{EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr), EVP_PKEY_CTX_free};
  EVP_PKEY* made = nullptr;
  EVP_PKEY_fromdata_init(context.get());
  EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_KEYPAIR, data.get());
  const std::shared_ptr<EVP_PKEY> owned{made, EVP_PKEY_free};
  const std::shared_ptr<BIO> out{BIO_new(BIO_s_mem()), BIO_free};
  PEM_write_bio_PrivateKey(out.get(), made, nullptr, nullptr, 0, nullptr, nullptr);
  char* text = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

/// Whose public half is not in it.
std::string dsa_key() {
  return "-----BEGIN PRIVATE KEY-----\n"
         "MCsCAQAwHwYHKoZIzjgEATAUAgkAgAAAAAAAAB0CAwEAAQICAP0EBQIDAQAB\n"
         "-----END PRIVATE KEY-----\n";
}

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
               texts{"/tls/client_key_pem pem-invalid"},
             boost::test_tools::per_element());
  // All at once, and no text of the request in them.
  BOOST_TEST(
    wrong({{"ca_pem", "hunter2"}, {"client_certificate_pem", "hunter2"}, {"client_key_pem", true}}) ==
      (texts{"/tls/ca_pem pem-invalid", "/tls/client_certificate_pem pem-invalid", "/tls/client_key_pem wrong-type"}),
    boost::test_tools::per_element());
  for (const auto& each : errors)
    BOOST_TEST(each.detail.find("hunter2") == std::string::npos, each.detail);
}

BOOST_AUTO_TEST_CASE(keys_that_take_long_to_compute_with_are_refused) {
  const auto with_identity = [](const test_identity& who) {
    return json::object{{"client_certificate_pem", who.certificate}, {"client_key_pem", who.key}};
  };
  std::vector<test_authority::certificate> good(6);
  good[0].rsa_bits = 2048;
  good[1].rsa_bits = 4096;
  good[2].curve = "P-256";
  good[3].curve = "P-384";
  good[4].curve = "P-521";
  good[5].curve = "ED25519";
  for (const auto& each : good) {
    BOOST_TEST((read(with_identity(authority.issue(each))) != nullptr));
    BOOST_TEST(errors.empty(), each.rsa_bits << each.curve);
  }
  const texts key_refused{"/tls/client_key_pem pem-invalid"};
  test_authority::certificate what;
  what.rsa_bits = 4352;
  BOOST_TEST(wrong(with_identity(authority.issue(what))) == key_refused, boost::test_tools::per_element());
  BOOST_TEST(errors.front().detail == "it is an RSA key of 4352 bits: 2048 to 4096 are allowed");
  what = {};
  what.curve = "secp256k1";
  BOOST_TEST(wrong(with_identity(authority.issue(what))).size() == 1U);
  what = {};
  what.rsa_bits = 2048;
  BOOST_TEST(wrong(with_identity({authority.issue({}).certificate, dsa_key()})) == key_refused,
             boost::test_tools::per_element());
  BOOST_TEST(errors.front().detail.find("none for RSA, EC, Ed25519 or Ed448") != std::string::npos);
  auto slow = authority.issue(what);
  slow.key = with_long_exponent(slow.key);
  BOOST_TEST(wrong(with_identity(slow)) == key_refused, boost::test_tools::per_element());
  BOOST_TEST(errors.front().detail.find("unusual numbers") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(certificates_that_take_long_to_verify_are_refused) {
  const texts refused{"/tls/ca_pem pem-invalid"};
  const auto ca_with = [&](const test_authority::certificate& what) {
    return json::object{{"ca_pem", authority.issue(what).certificate}};
  };
  const auto many = [](int count, const std::string& each) {
    std::string out = each;
    for (int i = 1; i < count; ++i)
      out += "," + each;
    return out;
  };
  test_authority::certificate what;
  what.rsa_bits = 8192;
  BOOST_TEST((read(ca_with(what)) != nullptr));
  what.rsa_bits = 8200;
  BOOST_TEST(wrong(ca_with(what)) == refused, boost::test_tools::per_element());
  BOOST_TEST(errors.front().detail == "it holds an RSA key of more than 8192 bits");
  what = {};
  what.curve = "secp256k1";
  BOOST_TEST(wrong(ca_with(what)) == refused, boost::test_tools::per_element());
  what = {};
  what.name = many(990, "DNS:a");
  BOOST_TEST((read(ca_with(what)) != nullptr));
  what.name = many(1'001, "DNS:a");
  BOOST_TEST(wrong(ca_with(what)) == refused, boost::test_tools::per_element());
  what = {};
  what.name_constraints = many(100, "permitted;DNS:a");
  BOOST_TEST((read(ca_with(what)) != nullptr));
  const auto half = authority.issue(what).certificate;
  BOOST_TEST(wrong({{"ca_pem", half + half}}) == refused, boost::test_tools::per_element()); // 200 in all
  BOOST_TEST(errors.front().detail == "it holds more than 100 constraints on names");
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
