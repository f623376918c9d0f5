#include "persistence/sweeper.hpp"

#include "core/failpoint.hpp"
#include "persistence/claim_sql.hpp"
#include "persistence/lookup_sql.hpp"
#include "persistence/parameters.hpp"

#include <pqxx/pqxx>

#include <spdlog/spdlog.h>

#include <algorithm>

namespace postrider {

namespace {

constexpr int sweep_batch = 5'000;
// What becomes due before the next poll is reported already now.
constexpr milliseconds due_horizon{1'500};
constexpr milliseconds open_ride_age{60'000};
// A change's time is taken before its commit, so changes are looked for again for so long.
constexpr milliseconds change_overlap{10'000};
// Above any attempt's deadline at its claim: four times the greatest timeout, and half a minute.
constexpr milliseconds attempt_deadline_max{300'000};
constexpr int close_batch = 1'000;
constexpr milliseconds close_time_max{500}; // others wait for this session

struct lease_arrays {
  void add(const shard_lease& lease) {
    shards.add(lease.shard);
    fences.add(lease.under);
  }
  binary_array shards{array_type::int2}, fences{array_type::int8};
  binary_array closable{array_type::int8}; // of sweeps
};

lease_arrays leases_of(const std::vector<shard_table::sweep>& sweeps) {
  lease_arrays out;
  for (const auto& each : sweeps) {
    out.add(each.lease);
    out.closable.add(each.closable);
  }
  return out;
}

lease_arrays leases_of(const std::vector<shard_lease>& held) {
  lease_arrays out;
  for (const auto& each : held)
    out.add(each);
  return out;
}

std::uint64_t read_shards(const pqxx::field& bits) {
  return static_cast<std::uint64_t>(bits.as<std::int64_t>());
}

bool holds(std::uint64_t bits, const shard_lease& lease) {
  return (bits >> static_cast<unsigned>(lease.shard) & 1U) != 0;
}

} // namespace

sweeper::sweeper(store_events& events, metrics& counts, std::shared_ptr<const db_clock> clock, shard_table& shards,
                 open_rides& rides)
    : events_{events}, metrics_{counts}, clock_{std::move(clock)}, shards_{shards}, rides_{rides} {}

std::vector<prepared_sql> sweeper::statements() {
  return {{"interrupt_rides", interrupt_rides_sql},
          {"interrupt_claimed", interrupt_claimed_sql},
          {"expose_rides", expose_rides_sql},
          {"due_endpoints", due_endpoints_sql},
          {"expose_doubtful", expose_doubtful_sql},
          {"deleted_endpoints", deleted_endpoints_sql},
          {"close_tenant_deleted", close_tenant_deleted_sql}};
}

std::optional<session_failure> sweeper::sweep(session& on) {
  const auto due = shards_.due_sweeps(std::chrono::steady_clock::now());
  if (due.empty())
    return std::nullopt;
  POSTRIDER_FAILPOINT("sweep.before");
  const auto rides = interrupt_rides(on, due);
  if (!rides)
    return rides.error();
  POSTRIDER_FAILPOINT("sweep.halfway");
  const auto claimed = interrupt_claimed(on, due);
  if (!claimed)
    return claimed.error();
  if (const auto closed = rides->closed + claimed->closed; closed > 0) {
    metrics_.attempts_interrupted.add(closed);
    spdlog::info("store: attempts of former owners closed as interrupted count={} shards={}", closed, due.size());
  }
  const auto held = shards_.held();
  bool first = false;
  for (const auto& each : due) {
    if (!holds(rides->held & claimed->held, each.lease))
      continue; // again at the next tick, or it is gone by then
    shards_.swept(each);
    first = first || each.round == 0;
  }
  if (first)
    if (const auto reported = report_due(on, held, std::nullopt); !reported)
      return reported.error();
  return std::nullopt;
}

session_result<sweeper::swept_rows> sweeper::interrupt_rides(session& on,
                                                             const std::vector<shard_table::sweep>& sweeps) {
  const auto leases = leases_of(sweeps);
  auto from = sweeps.front().from;
  for (const auto& each : sweeps)
    from = std::min(from, each.from);
  swept_rows done;
  for (;;) {
    const auto victims = on.call([&](pqxx::connection_base& connection) -> std::optional<uuid> {
      const auto row = pqxx::nontransaction{connection}.exec_prepared1(
        "interrupt_rides", parameter(leases.shards), parameter(leases.fences), to_string(from), sweep_batch);
      done.closed += row[1].as<std::size_t>();
      done.held &= read_shards(row[3]);
      return row[0].as<int>() < sweep_batch ? std::nullopt : std::optional{read_uuid(row[2])};
    });
    if (!victims)
      return victims.error();
    if (!*victims)
      return done;
    from = **victims;
  }
}

session_result<sweeper::swept_rows> sweeper::interrupt_claimed(session& on,
                                                               const std::vector<shard_table::sweep>& sweeps) {
  const auto leases = leases_of(sweeps);
  swept_rows done;
  for (;;) {
    const auto victims = on.call([&](pqxx::connection_base& connection) {
      const auto row = pqxx::nontransaction{connection}.exec_prepared1(
        "interrupt_claimed", parameter(leases.shards), parameter(leases.fences), sweep_batch,
        attempt_deadline_max.count(), parameter(leases.closable));
      done.closed += row[1].as<std::size_t>();
      done.held &= read_shards(row[3]);
      return row[0].as<int>();
    });
    if (!victims)
      return victims.error();
    if (*victims < sweep_batch)
      return done;
  }
}

// After a take-over (no `until`) of paused endpoints too: what a former owner had in flight there is to be closed.
session_result<std::size_t> sweeper::report_due(session& on, const std::vector<shard_lease>& held,
                                                std::optional<wall_time> until) {
  const auto leases = leases_of(held);
  auto hints = on.call([&](pqxx::connection_base& connection) {
    std::vector<due_hint> out;
    for (const auto& row : pqxx::nontransaction{connection}.exec_prepared(
           "due_endpoints", parameter(leases.shards), until ? parameter(*until) : std::string{"infinity"}, !until))
      out.push_back({row[0].as<std::int64_t>(), row[1].as<std::int64_t>(), read_time_up(row[2])});
    return out;
  });
  if (!hints)
    return hints.error();
  const auto count = hints->size();
  if (count > 0)
    events_.due(std::move(*hints));
  return count;
}

std::optional<session_failure> sweeper::poll_due(session& on) {
  const auto held = shards_.held();
  if (held.empty())
    return std::nullopt;
  const auto reported = report_due(on, held, clock_->now() + due_horizon);
  return reported ? std::nullopt : std::optional{reported.error()};
}

std::optional<session_failure> sweeper::expose_open_rides(session& on) {
  const auto now = clock_->now();
  const auto before = now - open_ride_age;
  const auto oldest = rides_.oldest(now);
  const auto held = shards_.held();
  if (oldest >= before || held.empty())
    return std::nullopt;
  const auto leases = leases_of(held);
  std::uint64_t looked_at = 0;
  const auto exposed = on.call([&](pqxx::connection_base& connection) {
    const auto row = pqxx::nontransaction{connection}.exec_prepared1(
      "expose_rides", parameter(leases.shards), parameter(leases.fences), to_string(least_uuid_v7(oldest)),
      to_string(least_uuid_v7(before)));
    looked_at = read_shards(row[1]);
    return row[0].as<std::size_t>();
  });
  if (!exposed)
    return exposed.error();
  // They have a due time now, or never rode; those of a shard that was not looked at are looked for again.
  if (std::all_of(held.begin(), held.end(), [&](const shard_lease& each) { return holds(looked_at, each); }))
    rides_.forget_before(before);
  if (*exposed > 0)
    spdlog::warn("store: first attempts open for more than a minute were made visible count={}", *exposed);
  return std::nullopt;
}

// The provider was told to send again, and will be told that it is a duplicate: the event must not wait for the look
// each minute.
std::optional<session_failure> sweeper::expose_doubtful_rides(session& on) {
  const auto doubtful = rides_.doubtful(std::chrono::steady_clock::now());
  const auto held = shards_.held();
  if (doubtful.empty() || held.empty())
    return std::nullopt;
  const auto leases = leases_of(held);
  binary_array ids{array_type::uuid, doubtful.size(), 16};
  for (const auto& each : doubtful)
    ids.add(each.value);
  const auto exposed = on.call([&](pqxx::connection_base& connection) {
    std::vector<delivery_id> out;
    for (const auto& row : pqxx::nontransaction{connection}.exec_prepared("expose_doubtful", parameter(leases.shards),
                                                                          parameter(leases.fences), parameter(ids)))
      out.push_back({read_uuid(row[0])});
    return out;
  });
  if (!exposed)
    return exposed.error();
  rides_.remove(*exposed); // they have a due time now
  if (!exposed->empty())
    spdlog::warn("store: first attempts of events answered in doubt were committed after all count={}",
                 exposed->size());
  return std::nullopt;
}

std::optional<session_failure> sweeper::close_deleted_tenants(session& on) {
  const auto held = shards_.held();
  if (held.empty())
    return std::nullopt;
  const auto leases = leases_of(held);
  const auto endpoints = on.call([&](pqxx::connection_base& connection) {
    std::vector<std::pair<shard_no, endpoint_no>> out;
    for (const auto& row :
         pqxx::nontransaction{connection}.exec_prepared("deleted_endpoints", parameter(leases.shards)))
      out.emplace_back(static_cast<shard_no>(row[0].as<int>()), row[1].as<std::int64_t>());
    return out;
  });
  if (!endpoints)
    return endpoints.error();
  const auto until = std::chrono::steady_clock::now() + close_time_max;
  for (const auto& [shard, endpoint] : *endpoints) {
    const auto lease =
      std::find_if(held.begin(), held.end(), [&](const shard_lease& each) { return each.shard == shard; });
    lease_arrays mine;
    mine.add(*lease);
    for (int closed = close_batch; closed == close_batch;) {
      if (std::chrono::steady_clock::now() >= until)
        return std::nullopt; // the rest next time
      const auto page = on.call([&](pqxx::connection_base& connection) {
        return pqxx::nontransaction{connection}
          .exec_prepared1("close_tenant_deleted", parameter(mine.shards), parameter(mine.fences), endpoint,
                          close_batch)[0]
          .as<int>();
      });
      if (!page)
        return page.error();
      closed = *page;
    }
  }
  return std::nullopt;
}

std::vector<prepared_sql> configuration_poll::statements() {
  return {{"changed_tenants", changed_tenants_sql}};
}

std::optional<session_failure> configuration_poll::poll(session& on) {
  const auto from = latest_ ? std::optional{std::to_string(to_unix_us(*latest_ - change_overlap))} : std::nullopt;
  std::map<tenant_no, std::int64_t> seen;
  std::vector<tenant_no> changed;
  auto latest = latest_.value_or(wall_time{});
  wall_time database_now{};
  const auto read = on.call([&](pqxx::connection_base& connection) {
    for (const auto& row : pqxx::nontransaction{connection}.exec_prepared(
           "changed_tenants", from ? from->c_str() : nullptr, change_overlap.count())) {
      const auto tenant = row[0].as<std::int64_t>();
      if (tenant == 0) {
        database_now = read_time(row[2]);
        continue;
      }
      const auto version = row[1].as<std::int64_t>();
      const auto known = recent_.find(tenant);
      if (known == recent_.end() || known->second != version)
        changed.push_back(tenant);
      seen.emplace(tenant, version);
      latest = std::max(latest, read_time(row[2]));
    }
  });
  if (!read)
    return read.error();
  recent_ = std::move(seen);
  // A clock that was set back, or a database that took over with a slower one: changes from now on are not to be
  // missed.
  latest_ = latest_ ? std::min(latest, database_now) : database_now;
  if (!changed.empty())
    events_.configuration_changed(std::move(changed));
  return std::nullopt;
}

} // namespace postrider
