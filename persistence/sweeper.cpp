#include "persistence/sweeper.hpp"

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

struct lease_arrays {
  void add(const shard_lease& lease) {
    shards.add(lease.shard);
    fences.add(lease.under);
  }
  binary_array shards{array_type::int2}, fences{array_type::int8};
};

lease_arrays leases_of(const std::vector<shard_table::sweep>& sweeps) {
  lease_arrays out;
  for (const auto& each : sweeps)
    out.add(each.lease);
  return out;
}

} // namespace

sweeper::sweeper(store_events& events, metrics& counts, std::shared_ptr<const db_clock> clock, shard_table& shards,
                 open_rides& rides)
    : events_{events}, metrics_{counts}, clock_{std::move(clock)}, shards_{shards}, rides_{rides} {}

std::vector<prepared_sql> sweeper::statements() {
  return {{"interrupt_rides", interrupt_rides_sql},
          {"interrupt_claimed", interrupt_claimed_sql},
          {"expose_rides", expose_rides_sql},
          {"due_endpoints", due_endpoints_sql}};
}

std::optional<session_failure> sweeper::sweep(session& on) {
  const auto due = shards_.due_sweeps(clock_->now());
  if (due.empty())
    return std::nullopt;
  const auto rides = interrupt_rides(on, due);
  if (!rides)
    return rides.error();
  const auto claimed = interrupt_claimed(on, due);
  if (!claimed)
    return claimed.error();
  if (*rides + *claimed > 0) {
    metrics_.attempts_interrupted.add(*rides + *claimed);
    spdlog::info("store: attempts of former owners closed as interrupted count={} shards={}", *rides + *claimed,
                 due.size());
  }
  const auto held = shards_.held();
  const bool first =
    std::any_of(due.begin(), due.end(), [](const shard_table::sweep& each) { return each.round == 0; });
  for (const auto& each : due)
    shards_.swept(each);
  if (first)
    if (const auto reported = report_due(on, held, std::nullopt); !reported)
      return reported.error();
  return std::nullopt;
}

session_result<std::size_t> sweeper::interrupt_rides(session& on, const std::vector<shard_table::sweep>& sweeps) const {
  const auto leases = leases_of(sweeps);
  auto from = sweeps.front().from;
  auto until = sweeps.front().until;
  for (const auto& each : sweeps) {
    from = std::min(from, each.from);
    until = std::max(until, each.until);
  }
  std::size_t closed = 0;
  for (;;) {
    const auto victims = on.call([&](pqxx::connection_base& connection) -> std::optional<uuid> {
      const auto row = pqxx::nontransaction{connection}.exec_prepared1("interrupt_rides", parameter(leases.shards),
                                                                       parameter(leases.fences), to_string(from),
                                                                       to_string(least_uuid_v7(until)), sweep_batch);
      closed += row[1].as<std::size_t>();
      return row[0].as<int>() < sweep_batch ? std::nullopt : std::optional{read_uuid(row[2])};
    });
    if (!victims)
      return victims.error();
    if (!*victims)
      return closed;
    from = **victims;
  }
}

session_result<std::size_t> sweeper::interrupt_claimed(session& on,
                                                       const std::vector<shard_table::sweep>& sweeps) const {
  const auto leases = leases_of(sweeps);
  std::size_t closed = 0;
  for (;;) {
    const auto victims = on.call([&](pqxx::connection_base& connection) {
      const auto row = pqxx::nontransaction{connection}.exec_prepared1("interrupt_claimed", parameter(leases.shards),
                                                                       parameter(leases.fences), sweep_batch);
      closed += row[1].as<std::size_t>();
      return row[0].as<int>();
    });
    if (!victims)
      return victims.error();
    if (*victims < sweep_batch)
      return closed;
  }
}

session_result<std::size_t> sweeper::report_due(session& on, const std::vector<shard_lease>& held,
                                                std::optional<wall_time> until) {
  lease_arrays leases;
  for (const auto& each : held)
    leases.add(each);
  auto hints = on.call([&](pqxx::connection_base& connection) {
    std::vector<due_hint> out;
    for (const auto& row : pqxx::nontransaction{connection}.exec_prepared(
           "due_endpoints", parameter(leases.shards), until ? parameter(*until) : std::string{"infinity"}))
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
  lease_arrays leases;
  for (const auto& each : held)
    leases.add(each);
  const auto exposed = on.call([&](pqxx::connection_base& connection) {
    return pqxx::nontransaction{connection}
      .exec_prepared("expose_rides", parameter(leases.shards), parameter(leases.fences),
                     to_string(least_uuid_v7(oldest)), to_string(least_uuid_v7(before)))
      .affected_rows();
  });
  if (!exposed)
    return exposed.error();
  rides_.forget_before(before); // they have a due time now, or never rode
  if (*exposed > 0)
    spdlog::warn("store: first attempts open for more than a minute were made visible count={}", *exposed);
  return std::nullopt;
}

configuration_poll::configuration_poll(store_events& events, std::shared_ptr<const db_clock> clock)
    : events_{events}, clock_{std::move(clock)} {}

std::vector<prepared_sql> configuration_poll::statements() {
  return {{"changed_tenants", changed_tenants_sql}};
}

std::optional<session_failure> configuration_poll::poll(session& on) {
  if (!latest_)
    latest_ = clock_->now();
  const auto from = *latest_ - change_overlap;
  std::map<tenant_no, std::int64_t> seen;
  std::vector<tenant_no> changed;
  auto latest = *latest_;
  const auto read = on.call([&](pqxx::connection_base& connection) {
    for (const auto& row : pqxx::nontransaction{connection}.exec_prepared("changed_tenants", to_unix_us(from))) {
      const auto tenant = row[0].as<std::int64_t>();
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
  latest_ = latest;
  if (!changed.empty())
    events_.configuration_changed(std::move(changed));
  return std::nullopt;
}

} // namespace postrider
