#include "persistence/endpoint_tls_columns.hpp"

#include "persistence/secret_columns.hpp"
#include "persistence/session.hpp"
#include "persistence/tenant_loader.hpp"
#include "persistence/watchdog.hpp"
#include "tests/persistence/management_fixture.hpp"

using namespace postrider;
using management = postgres_management_store;

namespace {

const std::string key_text = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n";

struct fixture : tests::management_fixture {
  fixture() { tenant("acme"); }

  endpoint_record endpoint_with(const endpoint_tls& tls) {
    new_endpoint wanted;
    wanted.config.url = "https://example.com/hook";
    wanted.config.secrets = {{"whsec_readable_secret_text"}};
    wanted.config.tls = std::make_shared<const endpoint_tls>(tls);
    const auto made = ask(&management::create_endpoints, "acme", std::vector{wanted});
    BOOST_REQUIRE_MESSAGE(made, (made ? "" : made.error().detail));
    return made->front();
  }
  /// The endpoint as the engine has it, with that master key.
  std::shared_ptr<const endpoint_tls> loaded(const secret_key& with) {
    watchdog dog;
    session_options options;
    options.url = url;
    options.role = "endpoint tls test";
    options.statements = tenant_loader_statements();
    session on{options, dog, counts};
    BOOST_REQUIRE(!on.connect());
    const auto found = read_tenant(on, {"acme", 0}, std::vector{with});
    BOOST_REQUIRE(found && *found && (*found)->endpoints.size() == 1U);
    return (*found)->endpoints.front().tls;
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(endpoint_tls_columns_stored, fixture)

BOOST_AUTO_TEST_CASE(certificates_are_shown_and_the_key_is_sealed) {
  const auto made = endpoint_with({"authorities", "certificate", key_text});
  const auto got = ask(&management::get_endpoint, "acme", made.config.id);
  BOOST_REQUIRE(got);
  for (const auto* each : {&made, &*got}) {
    BOOST_REQUIRE(each->config.tls != nullptr);
    BOOST_TEST(each->config.tls->ca_pem == "authorities");
    BOOST_TEST(each->config.tls->client_certificate_pem == "certificate");
    BOOST_TEST(each->config.tls->client_key_pem == "");
  }
  BOOST_TEST(sql("select position('hunter2'::bytea in tls_client_key_sealed) || ' ' || tls::text from endpoint") ==
             R"(0 {"ca_pem": "authorities", "client_certificate_pem": "certificate"})");
  const auto engine = loaded(master_key);
  BOOST_REQUIRE(engine != nullptr);
  BOOST_TEST((*engine == endpoint_tls{"authorities", "certificate", key_text}));
}

BOOST_AUTO_TEST_CASE(a_key_that_cannot_be_opened_is_missing) {
  endpoint_with({"", "certificate", key_text});
  const auto engine = loaded(random_bytes<32>());
  BOOST_REQUIRE(engine != nullptr);
  BOOST_TEST(engine->client_certificate_pem == "certificate");
  BOOST_TEST(engine->client_key_pem == "");
}

BOOST_AUTO_TEST_CASE(an_endpoint_without_tls_has_none) {
  const auto made = endpoint("acme");
  BOOST_TEST((made.config.tls == nullptr));
  BOOST_TEST((loaded(master_key) == nullptr));
  BOOST_TEST(sql("select tls is null and tls_client_key_sealed is null from endpoint") == "t");
}

BOOST_AUTO_TEST_CASE(authorities_alone_have_no_key) {
  endpoint_with({"authorities", "", ""});
  BOOST_TEST((*loaded(master_key) == endpoint_tls{"authorities", "", ""}));
  BOOST_TEST(sql("select tls_client_key_sealed is null from endpoint") == "t");
}

BOOST_AUTO_TEST_CASE(a_change_keeps_the_key_unless_it_brings_one_or_takes_the_certificate) {
  const auto made = endpoint_with({"authorities", "certificate", key_text});
  // As a PATCH does it, in a transaction of its own.
  const auto change = [&](const std::shared_ptr<const endpoint_tls>& to) {
    pqxx::connection connection{url};
    pqxx::work transaction{connection};
    const auto row = transaction.exec1("select no, id, data_key from tenant");
    const tenant_id id{*parse_uuid(row[1].as<std::string>())};
    const pqxx::binarystring sealed{row[2]};
    const auto data_key = open_data_key(master_key, id, {sealed.get(), sealed.size()});
    BOOST_REQUIRE(data_key.has_value());
    entered_tenant tenant{};
    tenant.no = row[0].as<tenant_no>();
    write_endpoint_tls(transaction, tenant, made.config.id, to, *data_key);
    transaction.commit();
  };
  change(std::make_shared<const endpoint_tls>(endpoint_tls{"", "certificate", ""}));
  BOOST_TEST((*loaded(master_key) == endpoint_tls{"", "certificate", key_text}));
  change(std::make_shared<const endpoint_tls>(endpoint_tls{"", "another", "its key"}));
  BOOST_TEST((*loaded(master_key) == endpoint_tls{"", "another", "its key"}));
  change(nullptr);
  BOOST_TEST((loaded(master_key) == nullptr));
  BOOST_TEST(sql("select tls is null and tls_client_key_sealed is null from endpoint") == "t");
}

BOOST_AUTO_TEST_CASE(a_change_that_does_not_name_it_leaves_it_and_one_that_does_sets_it) {
  const auto made = endpoint_with({"authorities", "certificate", key_text});
  const auto change = [&](const std::shared_ptr<const endpoint_tls>& tls, bool named) {
    const auto done = ask(&store::change_endpoint, "acme", made.config.id, [=](const endpoint_record& now) {
      changed_endpoint to{{now.config, {}, "/sources", now.description}, ""};
      to.fields.config.tls = tls;
      to.tls_named = named;
      return result<changed_endpoint>{to};
    });
    BOOST_REQUIRE_MESSAGE(done, (done ? "" : done.error().detail));
  };
  change(nullptr, false);
  BOOST_REQUIRE(loaded(master_key) != nullptr);
  BOOST_TEST((*loaded(master_key) == endpoint_tls{"authorities", "certificate", key_text}));
  change(std::make_shared<const endpoint_tls>(endpoint_tls{"others", "certificate", ""}), true); // as it was shown
  BOOST_REQUIRE(loaded(master_key) != nullptr);
  BOOST_TEST((*loaded(master_key) == endpoint_tls{"others", "certificate", key_text}));
  change(nullptr, true);
  BOOST_TEST((loaded(master_key) == nullptr));
}

BOOST_AUTO_TEST_SUITE_END()
