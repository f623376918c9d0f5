#include "daemon/command_line.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <vector>

using namespace postrider;

namespace {

std::variant<command_line, command_line_end> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "postrider");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

command_line parsed(std::vector<const char*> arguments) {
  auto out = parse(std::move(arguments));
  if (const auto* end = std::get_if<command_line_end>(&out))
    BOOST_FAIL(end->err);
  return std::get<command_line>(std::move(out));
}

int refused(std::vector<const char*> arguments) {
  const auto out = parse(std::move(arguments));
  const auto* end = std::get_if<command_line_end>(&out);
  BOOST_REQUIRE(end != nullptr);
  if (end->exit_status != 0)
    BOOST_TEST(end->out.empty(), end->out);
  return end->exit_status;
}

} // namespace

BOOST_AUTO_TEST_SUITE(daemon_command_line)

BOOST_AUTO_TEST_CASE(serve_takes_the_flags_of_the_settings_and_its_own) {
  const auto line = parsed({"serve",
                            "--config",
                            "/etc/p.toml",
                            "--embedded-postgres",
                            "/data",
                            "--public",
                            "127.0.0.1:0",
                            "--operator",
                            "127.0.0.1:1",
                            "--node",
                            "n1",
                            "--dev",
                            "--lease-ttl-ms",
                            "2000",
                            "--log-level",
                            "debug",
                            "--no-migrate",
                            "--database-url",
                            "postgresql:///x",
                            "--cluster",
                            "127.0.0.1:2"});
  BOOST_TEST((line.command == command_name::serve));
  BOOST_TEST(line.config_file.value() == "/etc/p.toml");
  BOOST_TEST(line.embedded_postgres.value() == "/data");
  BOOST_TEST(line.dev);
  BOOST_TEST(line.no_migrate);
  const std::map<std::string, std::string> flags{{"cluster", "127.0.0.1:2"},
                                                 {"database-url", "postgresql:///x"},
                                                 {"lease-ttl-ms", "2000"},
                                                 {"log-level", "debug"},
                                                 {"node", "n1"},
                                                 {"operator", "127.0.0.1:1"},
                                                 {"public", "127.0.0.1:0"}};
  BOOST_TEST((line.flags == flags));
}

BOOST_AUTO_TEST_CASE(keys_create_takes_role_name_expiry_and_format) {
  const auto line = parsed(
    {"keys", "create", "--role", "operator", "--name", "ops", "--expires-at", "2030-01-01T00:00:00Z", "-o", "json"});
  BOOST_TEST((line.command == command_name::keys_create));
  BOOST_TEST((line.role == api_role::operator_));
  BOOST_TEST(line.key_name == "ops");
  BOOST_TEST(to_rfc3339(line.expires_at.value()) == "2030-01-01T00:00:00.000Z");
  BOOST_TEST((line.output == output_format::json));
}

BOOST_AUTO_TEST_CASE(the_other_commands_are_known) {
  BOOST_TEST((parsed({"version"}).command == command_name::version));
  BOOST_TEST((parsed({"--version"}).command == command_name::version));
  BOOST_TEST((parsed({"migrate", "--database-url", "postgresql:///x"}).command == command_name::migrate));
  BOOST_TEST((parsed({"check-config", "--config", "x"}).command == command_name::check_config));
  BOOST_TEST((parsed({"keys", "list", "-o", "table"}).command == command_name::keys_list));
  const auto revoke = parsed({"keys", "revoke", "key_019082f0-0000-7000-8000-000000000000"});
  BOOST_TEST((revoke.command == command_name::keys_revoke));
  BOOST_TEST(revoke.key == "key_019082f0-0000-7000-8000-000000000000");
}

BOOST_AUTO_TEST_CASE(wrong_usage_ends_with_2_and_says_nothing_on_standard_output) {
  const std::vector<std::vector<const char*>> wrong{
    {},
    {"fly"},
    {"serve", "--fly"},
    {"serve", "--config"},
    {"serve", "extra"},
    {"keys"},
    {"keys", "create"},
    {"keys", "create", "--role", "king"},
    {"keys", "create", "--role", "tenant_admin"},
    {"keys", "create", "--role", "operator", "--expires-at", "tomorrow"},
    {"keys", "create", "--role", "operator", "-o", "xml"},
    {"keys", "revoke"},
    {"keys", "revoke", "evt_019082f0-0000-7000-8000-000000000000"},
    {"version", "--loud"},
  };
  for (const auto& arguments : wrong) {
    std::string text;
    for (const auto* argument : arguments)
      text.append(argument).append(" ");
    BOOST_TEST_CONTEXT(text)
    BOOST_TEST(refused(arguments) == 2);
  }
}

BOOST_AUTO_TEST_CASE(help_ends_with_0) {
  BOOST_TEST(refused({"--help"}) == 0);
  BOOST_TEST(refused({"serve", "--help"}) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
