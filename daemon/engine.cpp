#include "daemon/engine.hpp"

#include "actors/clock.hpp"
#include "actors/engine.hpp"
#include "config/address.hpp"
#include "config/log_fields.hpp"
#include "core/metrics.hpp"
#include "core/progress.hpp"
#include "core/version.hpp"
#include "daemon/database_reach.hpp"
#include "daemon/node_readiness.hpp"
#include "daemon/node_routes.hpp"
#include "daemon/shutdown_plan.hpp"
#include "daemon/switched_routes.hpp"
#include "net/forwarded.hpp"
#include "net/http_sender.hpp"
#include "net/http_server.hpp"
#include "net/io_threads.hpp"
#include "net/target_guard.hpp"
#include "persistence/embedded_postgres.hpp"
#include "persistence/job_runner.hpp"
#include "persistence/postgres_store.hpp"
#include "persistence/stop_signal.hpp"

#include <mutex>
#include <thread>
#include <utility>

namespace postrider {

namespace {

constexpr milliseconds database_retry{1'000};  // between attempts to reach a database that is away at the start
constexpr milliseconds reach_patience{10'000}; // of the start; a database that takes longer is treated as away
constexpr milliseconds reach_look{50};         // how soon a stop is noticed while an attempt to reach it runs
constexpr milliseconds operator_patience{500}; // for the operator listener's last answers
// How long a part of the delivery loop may go without progress: above the deadline of one of its calls
// (postgres_store.cpp), and of connecting where it may have to.
constexpr milliseconds poll_patience{40'000};
constexpr milliseconds call_patience{12'000};
constexpr milliseconds accept_patience{10'000};
constexpr milliseconds hint_patience{10'000};
constexpr milliseconds io_patience{3'000};
constexpr milliseconds job_grace{200}; // for the batch that runs when a drain begins; another node goes on after it
constexpr const char* unreachable_database = "host=/nonexistent dbname=none"; // answers as one that is away

/// `unreadable`: the first block that cannot be read. A guard that left one out would let through what it must not.
target_guard::rules rules_of(const settings& values, bool dev, std::string& unreadable) {
  target_guard::rules rules;
  const auto read = [&](const std::vector<std::string>& texts, std::vector<cidr_block>& into) {
    for (const auto& text : texts) {
      if (const auto block = parse_cidr_block(text))
        into.push_back(*block);
      else if (unreadable.empty())
        unreadable = text;
    }
  };
  read(values.delivery.allow_cidrs, rules.allow);
  read(values.delivery.deny_cidrs, rules.deny);
  rules.allow_loopback = dev;
  return rules;
}

mono_time now() {
  return mono_time::clock::now();
}

/// A failure that more trying may heal.
bool is_away(const problem& what) {
  return what.status == 503;
}

std::map<std::string, tenant_quotas> plans_of(const settings& values) {
  std::map<std::string, tenant_quotas> out;
  for (const auto& [name, quotas] : values.plans)
    out[name] = {quotas.ingest_per_s, quotas.ingest_bytes_per_s, quotas.sources, quotas.endpoints,
                 quotas.backlog,      quotas.retention_days};
  return out;
}

} // namespace

struct engine::parts {
  explicit parts(engine_options given);

  [[nodiscard]] postgres_store_options store_options();
  [[nodiscard]] std::unique_ptr<node_routes> make_routes(std::string url, const secret_key& key);
  [[nodiscard]] operations_ears ears();
  void make_sender();
  [[nodiscard]] http_handler& public_entrance();
  [[nodiscard]] database_reach begin_reaching() const;
  result<std::optional<secret_key>> reach_first();
  result<void> start_store();
  [[nodiscard]] std::vector<part_progress> progress();
  void keep_reaching();
  void stop_reaching();
  void fail(const problem& what) {
    if (!failed.exchange(true))
      options.failed(what);
  }

  engine_options options;
  bool http_allowed;
  std::string unreadable_cidr; ///< before `guard`, whose making sets it
  std::shared_ptr<metrics> counts = std::make_shared<metrics>();
  std::shared_ptr<db_clock> clock = std::make_shared<db_clock>();
  std::shared_ptr<lease_trust> trust = std::make_shared<lease_trust>();
  std::shared_ptr<store_pulses> pulses = std::make_shared<store_pulses>();
  std::mutex hints_mutex; ///< of the next
  transit_watch hints;
  std::shared_ptr<ingest_admission> admission = std::make_shared<ingest_admission>();
  std::shared_ptr<target_guard> guard;
  io_threads threads;
  http_server server;
  actor_engine actors;
  node_readiness ready;
  std::unique_ptr<http_sender> requests;
  std::unique_ptr<postgres_store> store;
  std::unique_ptr<job_runner> jobs;
  std::unique_ptr<node_routes> waiting_routes, routes; // the former stay: a request may be under way in them
  std::unique_ptr<switched_routes> public_routes, operator_routes;
  std::unique_ptr<proxied_routes> behind_proxies; ///< in front of the public ones, where there are trusted proxies
  std::atomic<bool> failed{false};
  bool drained = false;
  bool stopped = false;
  stop_signal stopping;
  std::optional<database_reach> first_reach; ///< begun by `start`, and not ended in time
  std::thread reaching;
};

engine::parts::parts(engine_options given)
    : options{std::move(given)}
    , http_allowed{options.dev || !options.values.delivery.https_only}
    , guard{std::make_shared<target_guard>(rules_of(options.values, options.dev, unreadable_cidr))}
    , threads{static_cast<std::size_t>(options.values.node.io_threads)}
    , server{{.listen = {options.values.public_.listen, options.values.operator_.listen}}, threads, *counts}
    , actors{{.node_name = options.values.node.name,
              .scheduler_threads = static_cast<std::size_t>(options.values.node.actor_threads),
              .disable_after = std::chrono::seconds{options.values.delivery.disable_after_s},
              .failed =
                [this](const std::string& why) {
                  fail({500, "actors-failed", "the node's actors ended: " + why});
                }},
             *counts,
             *clock}
    , ready{actors.events(),
            {.trusts_leases = [this] { return trust->holds(boottime_ns()); },
             .since_last_turn = [this] { return actors.since_last_turn(); },
             .server_healthy = options.server ? std::function<bool()>{[this] { return options.server->healthy(); }}
                                              : std::function<bool()>{},
             .parts = [this] { return progress(); }}} {}

engine::engine(engine_options options) : parts_{std::make_unique<parts>(std::move(options))} {}

engine::~engine() {
  stop();
}

result<engine::addresses> engine::bind() {
  if (const auto& text = parts_->unreadable_cidr; !text.empty())
    return problem{400, "configuration-invalid", "delivery.allow_cidrs or deny_cidrs: cannot read " + text};
  use_tls(parts_->options.tls.listeners);
  const auto bound = parts_->server.listen();
  if (!bound)
    return bound.error();
  const auto& [public_at, operator_at] = *bound;
  const auto interfaces = local_addresses();
  for (const auto& at : {public_at, operator_at}) {
    const auto where = parse_host_port(at);
    const auto address = where ? parse_ip_address(where->host) : std::nullopt;
    if (address)
      parts_->guard->block_listener(*address, where->port, interfaces);
  }
  return addresses{public_at, operator_at};
}

void engine::use_tls(const decltype(node_tls::listeners)& listeners) {
  for (const auto which : {listener::public_, listener::operator_})
    parts_->server.use_tls(which, listeners[static_cast<std::size_t>(which)]);
}

postgres_store_options engine::parts::store_options() {
  postgres_store_options out;
  out.url = options.database_url;
  out.node_name = options.values.node.name;
  out.version = version();
  out.lease_ttl = milliseconds{options.values.cluster.lease_ttl_ms};
  out.master_keys = {*options.master_key};
  out.counts = counts;
  out.clock = clock;
  out.trust = trust;
  out.pulses = pulses;
  out.accept_writers = static_cast<int>(options.values.database.accept_writers);
  out.plans = plans_of(options.values);
  out.retention_days = static_cast<int>(options.values.retention.days);
  out.accept_linger = std::chrono::microseconds{options.values.database.accept_linger_us};
  out.refused = [this](const problem& what) { fail(what); };
  return out;
}

/// The parts of the delivery loop but NODE. From any thread; asks nobody.
std::vector<part_progress> engine::parts::progress() {
  std::vector<part_progress> out{{"poll", pulses->poll.last(), poll_patience},
                                 {"claim", pulses->claim.last(), call_patience},
                                 {"lookup", pulses->lookup.last(), call_patience},
                                 {"outcome", pulses->outcome.last(), call_patience}};
  for (const auto& each : pulses->accept)
    out.push_back({"accept", each.last(), accept_patience});
  for (std::size_t i = 0; i < threads.size(); ++i)
    out.push_back({"io", threads.last_turn(i), io_patience});
  const std::lock_guard lock{hints_mutex};
  out.push_back(
    {"hints", hints.look(counts->due_hints.value(), counts->due_hints_taken.value(), now()), hint_patience});
  return out;
}

std::unique_ptr<node_routes> engine::parts::make_routes(std::string url, const secret_key& key) {
  management_store_options store_of_api;
  store_of_api.url = std::move(url);
  store_of_api.master_key = key;
  store_of_api.lease_ttl = milliseconds{options.values.cluster.lease_ttl_ms};
  store_of_api.changed = [this](tenant_no tenant) { ready.configuration_changed({tenant}); };
  store_of_api.ears = ears();
  const auto& delivery = options.values.delivery;
  api_options api{.http_allowed = http_allowed,
                  .guard = guard,
                  .plans = {},
                  .timeout_default = milliseconds{delivery.timeout_ms},
                  .max_in_flight_default = static_cast<std::uint32_t>(delivery.max_in_flight)};
  for (const auto& [name, quotas] : options.values.plans)
    api.plans.push_back(name);
  store_of_api.plans = plans_of(options.values);
  return std::make_unique<node_routes>(
    store_of_api, api,
    node_routes::reach{actors.gate(), admission, actors.inspect(), ready, counts, options.values.node.name});
}

/// So that what people ask for happens at once where the endpoint's owner is this node.
operations_ears engine::parts::ears() {
  operations_ears out;
  out.due = [this](tenant_no tenant, endpoint_no endpoint) { ready.due({{tenant, endpoint, clock->now()}}); };
  out.withdrawals = &actors.withdrawals();
  return out;
}

void engine::parts::make_sender() {
  const sender_settings how{.connections_max = options.values.delivery.connections_max, .https_only = !http_allowed};
  requests = std::make_unique<http_sender>(threads, how, guard, options.tls.endpoints, *trust, *clock, *counts);
}

/// The public routes as they are seen through `public.trusted_proxies`.
http_handler& engine::parts::public_entrance() {
  std::vector<cidr_block> trusted;
  for (const auto& text : options.values.public_.trusted_proxies)
    if (const auto block = parse_cidr_block(text)) // which `load_settings` has looked at; none is trusted by mistake
      trusted.push_back(*block);
  if (trusted.empty())
    return *public_routes;
  behind_proxies = std::make_unique<proxied_routes>(trusted_proxies{std::move(trusted)}, *public_routes);
  return *behind_proxies;
}

database_reach engine::parts::begin_reaching() const {
  return database_reach{{options.database_url, options.migrate, !options.master_key.has_value()}};
}

/// The attempt of the start. One that takes too long goes on in the thread that waits for the database.
result<std::optional<secret_key>> engine::parts::reach_first() {
  first_reach = begin_reaching();
  if (!first_reach->wait_for(reach_patience))
    return problem{503, "store-unavailable", "it does not answer, or another process is migrating it", {}, {}};
  return std::exchange(first_reach, std::nullopt)->outcome();
}

/// Everything that needs the master key. STORE goes on trying by itself where the database is away.
result<void> engine::parts::start_store() {
  routes = make_routes(options.database_url, *options.master_key);
  store = std::make_unique<postgres_store>(store_options(), ready);
  if (const auto started = store->start(); !started)
    return started.error();
  actors.start(*store, *requests);
  jobs = std::make_unique<job_runner>(job_runner_options{options.database_url, ears()}, *counts);
  jobs->start();
  return {};
}

/// Body of the thread that waits for a database which was away at the start. Leaves an attempt alone when it is asked
/// to stop.
void engine::parts::keep_reaching() {
  auto attempt = std::exchange(first_reach, std::nullopt);
  while (true) {
    if (!attempt) {
      if (stopping.wait_for(database_retry))
        return;
      attempt = begin_reaching();
    }
    while (!attempt->wait_for(reach_look))
      if (stopping.requested())
        return;
    const auto reached = attempt->outcome();
    attempt.reset();
    if (stopping.requested())
      return;
    if (!reached && is_away(reached.error()))
      continue;
    if (!reached)
      return fail(reached.error());
    if (!store) {
      if (*reached)
        options.master_key = **reached;
      if (const auto started = start_store(); !started)
        return fail(started.error());
      public_routes->switch_to(routes->public_listener());
      operator_routes->switch_to(routes->operator_listener());
    }
    log_event(spdlog::level::info, "the database is reached", {});
    return;
  }
}

void engine::parts::stop_reaching() {
  stopping.request();
  if (reaching.joinable())
    reaching.join();
}

result<void> engine::start() {
  auto& self = *parts_;
  self.make_sender();
  self.threads.start();
  const auto reached = self.reach_first();
  if (!reached && !is_away(reached.error()))
    return reached.error();
  if (!reached) {
    log_event(spdlog::level::warn, "the database is away", {{"detail", reached.error().detail}});
    self.ready.availability(false, reached.error().detail);
  } else if (*reached) {
    self.options.master_key = **reached;
  }
  if (self.options.master_key) {
    if (auto started = self.start_store(); !started)
      return started;
  } else { // of --dev, and in a database that is away: until it is there, the API has none
    self.waiting_routes = self.make_routes(unreachable_database, {});
  }
  auto& first = self.routes ? *self.routes : *self.waiting_routes;
  self.public_routes = std::make_unique<switched_routes>(first.public_listener());
  self.operator_routes = std::make_unique<switched_routes>(first.operator_listener());
  self.server.start(self.public_entrance(), *self.operator_routes);
  if (!reached)
    self.reaching = std::thread{[&self] { self.keep_reaching(); }};
  return {};
}

void engine::drain() {
  auto& self = *parts_;
  if (std::exchange(self.drained, true))
    return;
  const auto& how = self.options.values.shutdown;
  const shutdown_plan plan{now(), milliseconds{how.linger_ms}, milliseconds{how.drain_ms}};
  self.ready.drain();
  self.stop_reaching();
  if (self.jobs)
    self.jobs->stop(job_grace);
  if (self.store)
    self.store->drain();
  self.server.linger();
  std::this_thread::sleep_for(plan.to_linger(now()));
  self.server.close(listener::public_, plan.to_finish(now()));
  if (self.store)
    self.store->close_accepting(plan.to_finish(now()));
  if (!self.actors.drain(plan.to_finish(now())))
    log_event(spdlog::level::warn, "not all attempts ended in time; they will be closed as interrupted", {});
  if (self.store)
    self.store->stop(plan.to_end(now()));
  self.actors.stop();
}

void engine::stop() {
  auto& self = *parts_;
  if (std::exchange(self.stopped, true))
    return;
  self.stop_reaching();
  if (self.jobs)
    self.jobs->stop();
  if (self.store && !self.drained)
    self.store->stop(milliseconds{0});
  self.actors.stop();
  if (self.public_routes) // else it never listened to anyone
    self.server.stop(self.drained ? operator_patience : milliseconds{0});
  self.threads.stop();
}

} // namespace postrider
