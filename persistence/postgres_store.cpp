#include "persistence/postgres_store.hpp"

#include "persistence/accept_batch.hpp"
#include "persistence/accept_queue.hpp"
#include "persistence/accept_writer.hpp"
#include "persistence/availability.hpp"
#include "persistence/claimer.hpp"
#include "persistence/lease_keeper.hpp"
#include "persistence/maintenance.hpp"
#include "persistence/open_rides.hpp"
#include "persistence/outcome_writer.hpp"
#include "persistence/random_id.hpp"
#include "persistence/record_queue.hpp"
#include "persistence/retention.hpp"
#include "persistence/runtime_store.hpp"
#include "persistence/session_worker.hpp"
#include "persistence/shard_table.hpp"
#include "persistence/store_sessions.hpp"
#include "persistence/sweeper.hpp"
#include "persistence/tenant_loader.hpp"
#include "persistence/watchdog.hpp"

#include <algorithm>

namespace postrider {

namespace {

using clock_type = std::chrono::steady_clock;

// Of what DELIVERY allows for between the claim and the end of the request.
constexpr milliseconds claim_patience{5'000};
// A quarter of what the other lane takes.
constexpr std::size_t ordered_events_max = 1'024;
constexpr std::size_t ordered_bytes_max = 16U << 20;

} // namespace

struct postgres_store::parts {
  parts(postgres_store_options given, store_events& receiver);

  accept_environment environment(accept_queue& from) {
    // The ordered lane's delays are its locks', and tell nothing of the machine.
    return {from,
            events,
            rides,
            reports,
            *options.counts,
            *options.clock,
            [this] { upkeep.hurry("partitions"); },
            &from == &queue ? &pace : nullptr};
  }
  lease_environment leases() {
    return {events,        reports, *options.counts, options.clock,
            options.trust, shards,  rides,           [this] { poll.hurry("sweep"); }};
  }
  session_result<claim_result> claim_at_pace(session& on, claim_request request);
  void schedule();
  void expire(accept_queue& from, std::vector<queued_accept> late) {
    for (auto& each : late)
      each.item->outcome = accept_outcome::unavailable;
    publish_accepts(environment(from), std::move(late));
  }

  const postgres_store_options options;
  const std::shared_ptr<store_pulses> pulses;
  store_events& events;
  watchdog dog;
  availability reports;
  open_rides rides;
  shard_table shards;
  claimer claims;
  shared_pace pace;
  sweeper sweeps;
  configuration_poll changes;
  accept_queue queue;
  accept_queue ordered_queue; ///< events for ordered endpoints, whose counters stay locked until COMMIT
  record_queue outcomes;
  session_worker claim;
  session_worker lookup;
  session_worker poll;
  session_worker upkeep;      ///< short work that must not wait for
  session_worker maintenance; ///< the long one
  lease_keeper keeper;
  std::vector<std::unique_ptr<accept_writer>> writers;
  std::unique_ptr<outcome_writer> recorder;
  bool started = false;
};

postgres_store::parts::parts(postgres_store_options given, store_events& receiver)
    : options{std::move(given)}
    , pulses{options.pulses ? options.pulses : std::make_shared<store_pulses>()}
    , events{receiver}
    , reports{events, *options.counts}
    , claims{*options.counts}
    , pace{*options.counts}
    , sweeps{events, *options.counts, options.clock, shards, rides}
    , changes{events}
    , queue{{.linger = options.accept_linger},
            *options.counts,
            [this](std::vector<queued_accept> late) { expire(queue, std::move(late)); }}
    , ordered_queue{{.events_max = ordered_events_max, .bytes_max = ordered_bytes_max, .linger = options.accept_linger},
                    *options.counts,
                    [this](std::vector<queued_accept> late) { expire(ordered_queue, std::move(late)); }}
    , outcomes{*options.counts}
    , claim{claim_session(options), dog, *options.counts, &reports, session_role::claim}
    , lookup{lookup_session(options), dog, *options.counts}
    , poll{poll_session(options), dog, *options.counts}
    , upkeep{upkeep_session(options), dog, *options.counts}
    , maintenance{maintenance_session(options), dog, *options.counts}
    , keeper{leases(),
             {{options.node_name, random_id(options.clock->now()), options.node_address, options.version},
              options.lease_ttl,
              options.refused},
             lease_session(options),
             dog} {
  schedule();
}

session_result<claim_result> postgres_store::parts::claim_at_pace(session& on, claim_request request) {
  if (!request.fit_to_room()) {
    claim_result later;
    later.available = false;
    return later;
  }
  if (!request.late)
    return claims.claim(on, request);
  const auto cost = request.replays ? backlog_pace::replay_cost : 1;
  request.limit = std::max(pace.take(request.limit, clock_type::now(), cost), 1U);
  auto answer = claims.claim(on, request);
  const auto claimed = answer ? static_cast<std::uint32_t>(answer->claimed.size()) : 0;
  pace.give_back(request.limit - std::min(request.limit, claimed), clock_type::now(), cost);
  return answer;
}

void postgres_store::parts::schedule() {
  poll.every(milliseconds{250}, "sweep", [this](session& on) { return sweeps.sweep(on); });
  poll.every(milliseconds{500}, "configuration poll", [this](session& on) { return changes.poll(on); });
  poll.every(milliseconds{1'000}, "due poll", [this](session& on) {
    auto failure = sweeps.poll_due(on);
    if (!failure)
      pulses->poll.beat(clock_type::now());
    return failure;
  });
  poll.every(milliseconds{1'000}, "rides in doubt", [this](session& on) { return sweeps.expose_doubtful_rides(on); });
  poll.every(milliseconds{60'000}, "open rides", [this](session& on) { return sweeps.expose_open_rides(on); });
  poll.every(milliseconds{5'000}, "deleted tenants", [this](session& on) { return sweeps.close_deleted_tenants(on); });
  claim.tell_progress(pulses->claim);
  claim.pace_late([this](mono_time now) { return pace.ready_at(now); });
  lookup.tell_progress(pulses->lookup);
  upkeep.every(milliseconds{600'000}, "partitions", ensure_partitions);
  upkeep.every(milliseconds{5'000}, "counters", fold_counters);
  maintenance.every(milliseconds{3'600'000}, "expired", drop_expired);
  maintenance.every(milliseconds{600'000}, "retention", [this](session& on) {
    return retain(on, {options.retention_days, options.plans});
  });
  maintenance.every(milliseconds{1'800'000}, "freeze", freeze_past_days);
}

postgres_store::postgres_store(postgres_store_options options, store_events& events)
    : parts_{std::make_unique<parts>(std::move(options), events)} {}

postgres_store::~postgres_store() {
  stop(milliseconds{1'000});
}

result<void> postgres_store::start() {
  auto& p = *parts_;
  p.started = true;
  if (auto registered = p.keeper.start(); !registered) {
    p.started = false;
    return registered;
  }
  // From here on something is expected of them, also of one that hangs in its very first call.
  for (auto* each : {&p.pulses->poll, &p.pulses->claim, &p.pulses->lookup, &p.pulses->outcome})
    each->beat(clock_type::now());
  const auto writers = static_cast<std::size_t>(std::clamp(p.options.accept_writers, 1, 4));
  for (std::size_t i = 0; i < writers; ++i)
    p.pulses->accept.at(i).beat(clock_type::now());
  p.upkeep.start();
  p.maintenance.start();
  p.poll.start();
  p.lookup.start();
  p.claim.start();
  p.recorder = std::make_unique<outcome_writer>(p.outcomes, p.rides, p.reports, *p.options.counts,
                                                outcome_session(p.options), p.dog, &p.pulses->outcome);
  for (std::size_t i = 0; i < writers; ++i)
    p.writers.push_back(std::make_unique<accept_writer>(p.environment(p.queue), accept_session(p.options, "accept"),
                                                        p.dog, &p.pulses->accept.at(i)));
  p.pulses->accept.back().beat(clock_type::now());
  p.writers.push_back(std::make_unique<accept_writer>(p.environment(p.ordered_queue),
                                                      accept_session(p.options, "accept_in_order"), p.dog,
                                                      &p.pulses->accept.back(), session_role::accept_in_order));
  return {};
}

void postgres_store::drain() {
  auto& p = *parts_;
  p.keeper.drain();
  p.poll.begin_stop(milliseconds{0});
  p.upkeep.begin_stop(milliseconds{0});
  p.maintenance.begin_stop(milliseconds{0});
}

void postgres_store::close_accepting(milliseconds deadline) {
  auto& p = *parts_;
  const auto until = clock_type::now() + deadline;
  for (auto* each : {&p.queue, &p.ordered_queue})
    each->close();
  for (auto* each : {&p.queue, &p.ordered_queue})
    each->wait_drained(until);
  for (auto& each : p.writers)
    each->stop(until);
  for (auto* each : {&p.queue, &p.ordered_queue})
    each->expire_all();
}

void postgres_store::stop(milliseconds deadline) {
  auto& p = *parts_;
  if (!std::exchange(p.started, false))
    return;
  const auto until = clock_type::now() + deadline;
  const auto left = [until] {
    return std::max(milliseconds{0}, std::chrono::floor<milliseconds>(until - clock_type::now()));
  };
  drain();
  close_accepting(deadline);
  p.claim.begin_stop(milliseconds{0});
  p.lookup.begin_stop(left());
  p.outcomes.wait_drained(until);
  p.outcomes.close();
  p.recorder->stop(until);
  for (auto* each : {&p.claim, &p.lookup, &p.poll, &p.upkeep, &p.maintenance})
    each->stop(left()); // those that were told an earlier end keep it
  p.pulses->poll.rest();
  p.keeper.stop(); // the leases, as the last act
}

bool postgres_store::accept(accept_item_ptr& item) {
  std::vector<delivery_id> riding;
  for (const auto& each : item->deliveries)
    if (each.ride)
      riding.push_back(each.id);
  // Before it is queued: the writer may be done with it before this call returns.
  parts_->rides.add(riding);
  const bool ordered = std::any_of(item->deliveries.begin(), item->deliveries.end(),
                                   [](const planned_delivery& each) { return each.order_key.has_value(); });
  if ((ordered ? parts_->ordered_queue : parts_->queue).push(item))
    return true;
  parts_->rides.remove(riding);
  return false;
}

void postgres_store::record(std::vector<outcome_write> writes) {
  parts_->outcomes.push(std::move(writes));
}

void postgres_store::claim(claim_request request, std::function<void(claim_result)> done) {
  auto& p = *parts_;
  p.claim.post({.work = [&p, request, done](session& on) -> std::optional<session_failure> {
                  auto answer = p.claim_at_pace(on, request);
                  if (!answer)
                    return answer.error();
                  done(std::move(*answer));
                  return std::nullopt;
                },
                .abandon =
                  [done] {
                    claim_result away;
                    away.available = false;
                    done(std::move(away));
                  },
                .tenant = request.tenant,
                .late = request.late,
                .patience = claim_patience});
}

void postgres_store::close_interrupted(tenant_no tenant, endpoint_no endpoint, shard_no shard, fence under,
                                       std::vector<delivery_id> known,
                                       std::function<void(std::optional<std::size_t>)> done) {
  auto& p = *parts_;
  p.claim.post(
    {[&p, endpoint, shard, under, known = std::move(known), done](session& on) -> std::optional<session_failure> {
       const auto from = p.rides.low_water(p.options.clock->now(), milliseconds{60'000});
       const auto asked_at = claimer::database_time(on);
       if (!asked_at)
         return asked_at.error();
       const auto closed = claimer::close_interrupted(on, endpoint, shard, under, known, from, *asked_at);
       if (!closed)
         return closed.error();
       p.options.counts->attempts_interrupted.add(closed->value_or(0));
       done(*closed);
       return std::nullopt;
     },
     [done] { done(std::nullopt); }, false, tenant, endpoint});
}

void postgres_store::close_deleted(tenant_no tenant, endpoint_no endpoint, shard_no shard, fence under,
                                   std::function<void(deleted_closing)> done) {
  auto& p = *parts_;
  p.claim.post({[=, this, &p](session& on) -> std::optional<session_failure> {
                  const auto from = p.rides.low_water(p.options.clock->now(), milliseconds{60'000});
                  const auto page = claimer::close_deleted(on, tenant, endpoint, shard, under, from);
                  if (!page)
                    return page.error();
                  if (page->owned && page->more)
                    close_deleted(tenant, endpoint, shard, under, done); // behind the claims that wait
                  else
                    done(!page->owned    ? deleted_closing::unavailable
                         : page->deleted ? deleted_closing::done
                                         : deleted_closing::not_deleted);
                  return std::nullopt;
                },
                [done] { done(deleted_closing::unavailable); }, false, tenant, endpoint});
}

void postgres_store::load_tenant(tenant_key key, std::function<void(result<tenant_config_ptr>)> done) {
  auto& p = *parts_;
  p.lookup.post({[&p, key = std::move(key), done](session& on) -> std::optional<session_failure> {
                   auto found = read_tenant(on, key, p.options.master_keys, p.options.plans);
                   if (!found)
                     return found.error();
                   done(std::move(*found));
                   return std::nullopt;
                 },
                 [done] { done(store_unavailable()); }});
}

void postgres_store::count_live(tenant_no tenant, std::function<void(result<std::int64_t>)> done) {
  parts_->lookup.post({[tenant, done](session& on) -> std::optional<session_failure> {
                         const auto live = read_live(on, tenant);
                         if (!live)
                           return live.error();
                         done(*live);
                         return std::nullopt;
                       },
                       [done] { done(store_unavailable()); }});
}

void postgres_store::load_runtime(endpoint_no endpoint,
                                  std::function<void(result<std::optional<endpoint_runtime>>)> done) {
  parts_->lookup.post({[endpoint, done](session& on) -> std::optional<session_failure> {
                         auto found = read_runtime(on, endpoint);
                         if (!found)
                           return found.error();
                         done(std::move(*found));
                         return std::nullopt;
                       },
                       [done] { done(store_unavailable()); }});
}

void postgres_store::save_runtime(endpoint_runtime now, shard_no shard, fence under, std::string cause) {
  const auto& options = parts_->options;
  const runtime_write write{now, shard, under, std::move(cause), options.node_name, random_id(options.clock->now())};
  parts_->lookup.post({.work = [write](session& on) -> std::optional<session_failure> {
                         const auto done = write_runtime(on, write);
                         return done ? std::nullopt : std::optional{done.error()};
                       },
                       .keep = true});
}

void postgres_store::disable_endpoint(tenant_no tenant, endpoint_no endpoint, std::string reason) {
  const auto& options = parts_->options;
  parts_->lookup.post({.work = [=, node = options.node_name, id = random_id(options.clock->now()),
                                why = std::move(reason)](session& on) -> std::optional<session_failure> {
                         const auto done = write_disabled(on, tenant, endpoint, why, node, id);
                         return done ? std::nullopt : std::optional{done.error()};
                       },
                       .keep = true});
}

} // namespace postrider
