#include "daemon/command_line.hpp"

#include "config/setting_keys.hpp"
#include "core/ids.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <sstream>
#include <string_view>

namespace postrider {

namespace {

constexpr int wrong_usage = 2;

/// A flag of the settings' table; its text goes to `load_settings`, which checks it.
void add_setting(CLI::App& to, command_line& into, std::string_view flag) {
  for (const auto& key : setting_keys())
    if (key.flag == flag)
      to.add_option_function<std::string>(
        "--" + std::string{flag},
        [&into, name = std::string{flag}](const std::string& text) { into.flags[name] = text; },
        std::string{key.name} + ": " + std::string{key.help});
}

void add_database(CLI::App& to, command_line& into) {
  to.add_option("--config", into.config_file, "TOML file");
  add_setting(to, into, "database-url");
  to.add_option("--embedded-postgres", into.embedded_postgres,
                "start a private PostgreSQL with its data in this directory");
}

void add_output(CLI::App& to, command_line& into) {
  static const std::map<std::string, output_format> formats{{"table", output_format::table},
                                                            {"json", output_format::json}};
  to.add_option("-o,--output", into.output, "table or json")
    ->transform(CLI::CheckedTransformer(formats).description("{table,json}"));
}

CLI::App* add_command(CLI::App& to, command_line& into, command_name command, std::string name, std::string help) {
  auto* added = to.add_subcommand(std::move(name), std::move(help));
  added->callback([&into, command] { into.command = command; });
  return added;
}

void add_serve(CLI::App& to, command_line& into) {
  auto* serve = add_command(to, into, command_name::serve, "serve", "Run a node");
  add_database(*serve, into);
  for (const auto& key : setting_keys())
    if (!key.flag.empty() && key.flag != "database-url")
      add_setting(*serve, into, key.flag);
  serve->add_flag("--dev", into.dev,
                  "a first try on one machine: insecure master key, http:// and loopback endpoints allowed");
  serve->add_flag("--no-migrate", into.no_migrate, "leave the database's schema as it is");
}

void add_keys(CLI::App& to, command_line& into) {
  auto* keys = to.add_subcommand("keys", "API keys");
  keys->require_subcommand(1);

  auto* create = add_command(*keys, into, command_name::keys_create, "create", "Make a key; it is shown this once");
  add_database(*create, into);
  add_output(*create, into);
  create->add_option("--name", into.key_name, "what it is for, at most 255 characters")
    ->check(CLI::Validator([](std::string& text) { return text.size() > 255 ? "longer than 255" : ""; }, ""));
  create
    ->add_option_function<std::string>(
      "--role", [&into](const std::string& word) { into.role = *parse_api_role(word); },
      "operator; tenants' keys are made through the API")
    ->required()
    ->check(CLI::IsMember({"operator"}));
  create
    ->add_option_function<std::string>(
      "--expires-at", [&into](const std::string& text) { into.expires_at = parse_rfc3339(text); },
      "RFC 3339 time; without it the key does not expire")
    ->check(CLI::Validator([](std::string& text) { return parse_rfc3339(text) ? "" : "is no RFC 3339 time"; }, ""));

  auto* list = add_command(*keys, into, command_name::keys_list, "list", "Operators' keys, newest first");
  add_database(*list, into);
  add_output(*list, into);

  auto* revoke = add_command(*keys, into, command_name::keys_revoke, "revoke", "Refuse a key from now on");
  add_database(*revoke, into);
  revoke->add_option("key", into.key, "its id, key_...")
    ->required()
    ->check(CLI::Validator([](std::string& text) { return parse_id<key_id>(text) ? "" : "is no id of a key"; }, ""));
}

} // namespace

std::variant<command_line, command_line_end> parse_command_line(int argc, const char* const* argv) {
  command_line into;
  CLI::App app{"Postrider: webhook relay for many tenants", "postrider"};
  app.require_subcommand(1);
  bool version_flag = false;
  app.add_flag_callback(
    "--version",
    [&] {
      version_flag = true;
      throw CLI::Success{};
    },
    "Print the version");
  add_serve(app, into);
  auto* migrate = add_command(app, into, command_name::migrate, "migrate", "Bring the database's schema up to date");
  add_database(*migrate, into);
  auto* check =
    add_command(app, into, command_name::check_config, "check-config", "Say what is wrong with a configuration");
  add_database(*check, into);
  check->add_flag("--example", into.example, "print a file with every key and its default instead");
  add_keys(app, into);
  add_command(app, into, command_name::version, "version", "Print the version");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& end) {
    if (version_flag) {
      into.command = command_name::version;
      return into;
    }
    std::ostringstream out, err;
    const bool asked = app.exit(end, out, err) == 0;
    return command_line_end{asked ? 0 : wrong_usage, out.str(), err.str()};
  }
  return into;
}

} // namespace postrider
