#include "config/redact.hpp"

#include "config/address.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;

BOOST_AUTO_TEST_SUITE(config_redact)

BOOST_AUTO_TEST_CASE(passwords_of_a_url_are_hidden) {
  BOOST_TEST(redact_database_url("postgresql://u:hunter2@h:5432,i/db?sslmode=require") ==
             "postgresql://u:***@h:5432,i/db?sslmode=require");
  BOOST_TEST(redact_database_url("postgres://u@h/db") == "postgres://u@h/db");
  BOOST_TEST(redact_database_url("postgres://h/db?user=u&password=hunter2&application_name=x") ==
             "postgres://h/db?user=u&password=***&application_name=x");
  BOOST_TEST(redact_database_url("postgres://h/db?sslPassword=hunter2") == "postgres://h/db?sslPassword=***");
  BOOST_TEST(redact_database_url("postgresql:///db?host=/run") == "postgresql:///db?host=/run");
}

BOOST_AUTO_TEST_CASE(passwords_with_characters_that_should_have_been_escaped_are_hidden_as_well) {
  for (const auto* url :
       {"postgresql://u:hunter2/x@h/db", "postgresql://u:hun@ter2@h/db", "postgresql://u:hunter2?x@h/db"}) {
    const auto text = redact_database_url(url);
    BOOST_TEST(text.find("hun") == std::string::npos, text);
    BOOST_TEST(text.find("ter2") == std::string::npos, text);
  }
}

BOOST_AUTO_TEST_CASE(passwords_of_a_dsn_are_hidden) {
  BOOST_TEST(redact_database_url("host=h password=hunter2 dbname=d") == "host=h password=*** dbname=d");
  BOOST_TEST(redact_database_url("host=h password = 'hun ter\\'2' dbname=d") == "host=h password=*** dbname=d");
  BOOST_TEST(redact_database_url("password=hun\\ ter2 host=h") == "password=*** host=h");
  BOOST_TEST(redact_database_url("passfile=/x sslpassword=hunter2") == "passfile=*** sslpassword=***");
  BOOST_TEST(redact_database_url("password='hunter2") == "password=***");
  BOOST_TEST(redact_database_url("no dsn hunter2") == "***");
  BOOST_TEST(redact_database_url("") == "");
}

BOOST_AUTO_TEST_CASE(addresses_are_read_strictly) {
  BOOST_TEST((parse_host_port("[::1]:80") == host_port{"::1", 80}));
  BOOST_TEST((parse_host_port("localhost:0") == host_port{"localhost", 0}));
  BOOST_TEST(to_string(host_port{"::1", 80}) == "[::1]:80");
  for (const auto* text :
       {"", ":80", "h", "h:", "h:-1", "h:65536", "h:8 0", "::1:80", "[::1:80", "[x]:80", "a b:80", "h:80:80"})
    BOOST_TEST(!parse_host_port(text).has_value(), text);
  for (const auto* text :
       {"10.0.0.0/8", "0.0.0.0/0", "::/0", "fd00::/8", "192.0.2.1", "2001:db8::1/128", "10.128.0.0/9"})
    BOOST_TEST(is_cidr(text), text);
  for (const auto* text : {"", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "10.1.0.0/8", "fd00::1/8", "::/129", "x/8",
                           "10.128.0.0/8", "10.0.0.0/0008"})
    BOOST_TEST(!is_cidr(text), text);
}

BOOST_AUTO_TEST_SUITE_END()
