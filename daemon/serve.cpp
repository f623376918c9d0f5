#include "daemon/serve.hpp"

#include "config/log_fields.hpp"
#include "config/redact.hpp"
#include "core/version.hpp"
#include "daemon/configuration.hpp"
#include "daemon/database_location.hpp"
#include "daemon/engine.hpp"
#include "daemon/logging.hpp"
#include "daemon/master_key.hpp"
#include "daemon/process_limits.hpp"
#include "daemon/signal_watch.hpp"
#include "daemon/tls_files.hpp"
#include "persistence/embedded_postgres.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <atomic>
#include <csignal>
#include <iostream>

#include <unistd.h>

namespace postrider {

namespace {

int refuse(const problem& what) {
  log_event(spdlog::level::err, "cannot start: " + what.detail, {{"code", what.code}});
  return exit_failed;
}

/// What `--dev` allows, each as a warning.
void warn_of_dev(const command_line& given, bool key_is_insecure) {
  if (!given.dev)
    return;
  if (key_is_insecure)
    log_event(spdlog::level::warn,
              given.embedded_postgres ? "--dev: the master key is insecure: it is kept beside the database"
                                      : "--dev: the master key is insecure: it is kept in the database itself",
              {});
  log_event(spdlog::level::warn, "--dev: endpoints with http:// URLs are allowed", {});
  log_event(spdlog::level::warn, "--dev: endpoints on loopback addresses are allowed", {});
}

void print_ready_line(const std::string& node, const engine::addresses& at) {
  const boost::json::object line{
    {"ready", true}, {"node", node}, {"public", at.public_}, {"operator", at.operator_}, {"pid", ::getpid()}};
  std::cout << boost::json::serialize(line) << std::endl; // at once: someone waits for it
}

/// The key that is known before the database answers: the configured one, or that of `--dev` beside a private
/// PostgreSQL.
result<std::optional<secret_key>> master_key_of(const command_line& given, std::optional<secret_key> configured) {
  if (configured || !given.embedded_postgres)
    return configured;
  const auto beside = insecure_master_key_file(*given.embedded_postgres);
  if (!beside)
    return beside.error();
  return std::optional{*beside};
}

/// What a second signal does to the private PostgreSQL, for as long as this lives.
class last_act {
public:
  last_act(signal_watch& signals, const embedded_postgres* server) : signals_{signals} {
    if (server != nullptr)
      signals_.set_last_act([server] {
        if (const auto pid = server->server_pid(); pid > 0)
          ::kill(pid, SIGINT); // PostgreSQL's fast shutdown; it ends by itself
      });
  }
  ~last_act() { signals_.set_last_act({}); }
  last_act(const last_act&) = delete;
  last_act& operator=(const last_act&) = delete;

private:
  signal_watch& signals_;
};

void warn_of_tls(const tls_findings& found) {
  for (const auto& warning : found.warnings)
    log_event(spdlog::level::warn, to_string(warning), {});
}

/// SIGHUP reads the listeners' certificates and keys again, for as long as this lives. New files that are no good leave
/// the old ones in force.
class certificate_reload {
public:
  certificate_reload(signal_watch& signals, engine& node, const configuration& loaded) : signals_{signals} {
    signals_.set_reload([&node, &loaded] {
      tls_findings found;
      const auto fresh = read_listener_tls(*loaded.values, loaded.origins, found);
      warn_of_tls(found);
      for (const auto& error : found.errors)
        log_event(spdlog::level::err, to_string(error), {});
      if (!found.errors.empty())
        return log_event(spdlog::level::err, "SIGHUP: the certificates stay as they were", {});
      node.use_tls(fresh);
      log_event(spdlog::level::info, "SIGHUP: certificates and keys were read again", {});
    });
  }
  ~certificate_reload() { signals_.set_reload({}); }
  certificate_reload(const certificate_reload&) = delete;
  certificate_reload& operator=(const certificate_reload&) = delete;

private:
  signal_watch& signals_;
};

/// A node from its start to its end; the signals are watched already.
int run_node(const command_line& given, const configuration& loaded, node_tls tls, std::optional<secret_key> configured,
             signal_watch& signals) {
  const auto& values = *loaded.values;
  auto database = open_database(given, values);
  if (!database)
    return refuse(database.error());
  const last_act end_server{signals, database->server.get()}; // goes before the server does, whichever way we leave
  const auto key = master_key_of(given, configured);
  if (!key)
    return refuse(key.error());
  log_event(spdlog::level::info, "starting",
            {{"version", version()}, {"database", redact_database_url(database->url)}});
  warn_of_dev(given, !configured);

  std::atomic<bool> failed{false};
  engine node{{.values = values,
               .tls = std::move(tls),
               .database_url = database->url,
               .server = database->server.get(),
               .master_key = *key,
               .dev = given.dev,
               .migrate = !given.no_migrate,
               .failed = [&](const problem& what) {
                 refuse(what);
                 failed = true;
                 signals.request();
               }}};
  const auto at = node.bind();
  if (!at)
    return refuse(at.error());
  if (const auto started = node.start(); !started)
    return refuse(started.error());
  const certificate_reload reload{signals, node, loaded};
  if (!signals.requested())
    print_ready_line(values.node.name, *at);
  signals.wait();
  node.drain();
  signals.set_last_act({});
  database->server.reset(); // stops the private PostgreSQL
  node.stop();
  if (failed)
    return exit_failed;
  log_event(spdlog::level::info, "stopped", {});
  return exit_done;
}

} // namespace

int serve(const command_line& given) {
  const auto loaded = load_configuration(given, std::cerr);
  if (!loaded.values)
    return loaded.exit_status;
  const auto& values = *loaded.values;
  tls_findings found;
  auto tls = read_node_tls(values, loaded.origins, found);
  for (const auto& error : found.errors)
    std::cerr << "postrider: " << to_string(error) << '\n';
  if (!found.errors.empty())
    return exit_failed;
  start_logging(values.log, values.node.name);
  warn_of_tls(found);
  const auto configured = configured_master_key(values);
  if (!configured)
    return refuse(configured.error());
  if (!*configured && !given.dev)
    return refuse({400, "master-key-missing",
                   "secrets.master_key is not set: name a key with file:PATH or env:NAME, or give --dev"});
  signal_watch signals; // before any other thread
  raise_descriptor_limit();
  return run_node(given, loaded, std::move(tls), *configured, signals);
}

} // namespace postrider
