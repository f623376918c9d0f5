#include "persistence/lease_keeper.hpp"

#include "persistence/lease_sql.hpp"
#include "persistence/parameters.hpp"

#include <pqxx/pqxx>

#include <poll.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <set>

namespace postrider {

namespace {

// Rows this young may still be on their way into the database, so the low water stays below them.
constexpr milliseconds low_water_margin{30'000};
// A renewal that runs, and then the release, have so long at the end.
constexpr milliseconds release_patience{1'000};

std::vector<prepared_sql> lease_statements() {
  auto out = identity_statements();
  out.insert(out.end(), {{"renew_leases", renew_leases_sql},
                         {"take_leases", take_leases_sql},
                         {"release_leases", release_leases_sql},
                         {"clock", clock_sql}});
  return out;
}

session_options with_statements(session_options options) {
  options.statements = lease_statements();
  return options;
}

problem name_taken(const std::string& name) {
  return {409, "node-name-taken", "another live process is registered under the node name \"" + name + "\""};
}

} // namespace

lease_keeper::lease_keeper(lease_environment environment, lease_options options, session_options session, watchdog& dog)
    : environment_{std::move(environment)}
    , options_{std::move(options)}
    , session_{with_statements(std::move(session)), dog, environment_.counts} {}

lease_keeper::~lease_keeper() {
  stop();
}

result<void> lease_keeper::start() {
  auto decided = decided_.get_future();
  thread_ = std::thread{[this] { run(); }};
  if (decided.wait_for(std::chrono::seconds{10}) == std::future_status::ready)
    return decided.get();
  return {}; // it answers slowly; `refused` tells if the name turns out to be taken
}

void lease_keeper::stop() {
  session_.end_at(std::chrono::steady_clock::now() + release_patience);
  stop_.request();
  if (thread_.joinable())
    thread_.join();
}

void lease_keeper::decide(result<void> outcome) {
  if (std::exchange(is_decided_, true)) {
    if (!outcome && options_.refused)
      options_.refused(outcome.error());
    return;
  }
  decided_.set_value(std::move(outcome));
}

void lease_keeper::run() {
  while (!stop_.requested()) {
    if (!session_.connected()) {
      const auto entered = enter();
      if (entered == step_result::refused) {
        decide(name_taken(options_.node.name));
        break;
      }
      decide({});
      if (entered == step_result::failed) {
        stop_.wait_for(backoff_.next());
        continue;
      }
    }
    wait_or_hang_up(period());
    if (stop_.requested())
      break;
    if (renew() == step_result::refused) {
      if (options_.refused)
        options_.refused(name_taken(options_.node.name));
      break;
    }
  }
  release();
}

lease_keeper::step_result lease_keeper::enter() {
  if (const auto failure = session_.connect()) {
    lost(*failure);
    return step_result::failed;
  }
  const bool again = former_.has_value();
  const auto silence = std::min(options_.ttl, 3 * period()) + milliseconds{500};
  const auto outcome = register_node(session_, options_.node, silence, again, stop_);
  switch (outcome.what) {
  case registration::kind::failed:
    lost(outcome.failure);
    session_.disconnect();
    return step_result::failed;
  case registration::kind::taken:
  case registration::kind::superseded:
    environment_.trust->end();
    session_.disconnect();
    return step_result::refused;
  case registration::kind::registered:
    break;
  }
  if (!again)
    former_ = outcome.former.value_or(uuid{});
  backoff_.reset();
  environment_.reports.report(session_role::lease, true, {});
  return renew();
}

lease_keeper::step_result lease_keeper::renew() {
  const auto now = environment_.clock->now();
  const auto low_water = environment_.rides.low_water(now, low_water_margin);
  const auto held = environment_.shards.held();
  binary_array shards{array_type::int2}, fences{array_type::int8}, low_waters{array_type::uuid};
  for (const auto& each : held) {
    shards.add(each.shard);
    fences.add(each.under);
    low_waters.add(environment_.shards.settled(each.shard) ? std::optional{low_water} : std::nullopt);
  }
  const auto started = boottime_ns();
  const auto renewed = session_.call([&](pqxx::connection_base& connection) {
    pqxx::nontransaction transaction{connection};
    std::set<int> out;
    for (const auto& row : transaction.exec_prepared(
           "renew_leases", to_string(options_.node.incarnation), options_.node.name, options_.ttl.count(),
           parameter(shards), parameter(fences), parameter(low_waters), draining_.load() ? 1 : 0))
      out.insert(row[0].as<int>());
    const auto before = std::chrono::system_clock::now();
    const auto database_us = transaction.exec_prepared1("clock")[0].as<std::int64_t>();
    measure_clock(database_us, before, std::chrono::system_clock::now());
    return out;
  });
  if (!renewed) {
    lost(renewed.error());
    session_.disconnect();
    return step_result::failed;
  }
  if (!renewed->contains(-1)) {
    environment_.trust->end();
    environment_.shards.drop_all();
    show_fences();
    tell_leases();
    return step_result::refused;
  }
  std::vector<shard_no> gone;
  for (const auto& each : held)
    if (!renewed->contains(each.shard))
      gone.push_back(each.shard);
  // The actors hear of what is gone before anything is trusted for longer: until the next renewal the former trust has
  // to do.
  if (!gone.empty()) {
    environment_.shards.drop(gone);
    show_fences();
    tell_leases();
  } else if (!held.empty()) {
    environment_.trust->trust_until(started + std::chrono::nanoseconds{options_.ttl - margin()}.count());
  }
  const bool took = !draining_.load() && take_missing();
  if (!session_.connected())
    return step_result::failed;
  if (took || !told_)
    tell_leases();
  if (took)
    environment_.taken();
  return step_result::ok;
}

bool lease_keeper::take_missing() {
  const auto missing = environment_.shards.missing();
  if (missing.empty())
    return false;
  const bool first = missing.size() == static_cast<std::size_t>(shard_count);
  binary_array shards{array_type::int2}, chances{array_type::int4};
  for (const auto each : missing) {
    shards.add(each);
    chances.add(static_cast<std::int32_t>(chance_() & 0xfffffU));
  }
  const auto started = boottime_ns();
  const auto taken = session_.call([&](pqxx::connection_base& connection) {
    std::vector<shard_table::taken> out;
    const auto former = former_ && !former_->is_nil() ? std::optional{to_string(*former_)} : std::nullopt;
    for (const auto& row : pqxx::nontransaction{connection}.exec_prepared(
           "take_leases", to_string(options_.node.incarnation), options_.node.name, options_.ttl.count(),
           parameter(shards), parameter(chances), former ? former->c_str() : nullptr))
      out.push_back({{static_cast<shard_no>(row[0].as<int>()), row[1].as<std::int64_t>(), row[2].as<std::int64_t>()},
                     row[3].is_null() ? uuid{} : read_uuid(row[3]),
                     row[4].as<std::int64_t>()});
    return out;
  });
  if (!taken) {
    lost(taken.error());
    session_.disconnect();
    return false;
  }
  if (taken->empty())
    return false;
  environment_.shards.take(*taken, std::chrono::steady_clock::now());
  show_fences();
  if (first)
    environment_.trust->trust_until(started + std::chrono::nanoseconds{options_.ttl - margin()}.count());
  spdlog::info("store: shards taken count={} node={}", taken->size(), options_.node.name);
  return true;
}

void lease_keeper::measure_clock(std::int64_t database_us, std::chrono::system_clock::time_point before,
                                 std::chrono::system_clock::time_point after) const {
  using std::chrono::microseconds;
  const auto middle = std::chrono::floor<microseconds>(before + (after - before) / 2);
  environment_.clock->set_offset(
    std::chrono::round<milliseconds>(microseconds{database_us} - middle.time_since_epoch()));
}

// What was begun under a former fence is stopped by that, before the actors hear of it.
void lease_keeper::show_fences() {
  std::array<fence, shard_count> fences{};
  for (const auto& each : environment_.shards.held())
    fences.at(static_cast<std::size_t>(each.shard)) = each.under;
  for (shard_no shard = 0; shard < shard_count; ++shard)
    environment_.trust->set_fence(shard, fences[static_cast<std::size_t>(shard)]);
}

void lease_keeper::tell_leases() {
  const auto held = environment_.shards.held();
  told_ = !held.empty();
  environment_.counts.shards_owned.set(static_cast<std::int64_t>(held.size()));
  environment_.events.leases(held);
}

void lease_keeper::lost(const session_failure& failure) {
  environment_.trust->end();
  environment_.reports.report(session_role::lease, false, failure.detail);
  if (std::exchange(told_, false)) {
    spdlog::warn("store: the lease connection is lost, no lease is trusted detail={}", failure.detail);
    environment_.counts.shards_owned.set(0);
    environment_.events.leases({});
  }
}

void lease_keeper::wait_or_hang_up(milliseconds delay) {
  // Wakes at once when the server hangs up: trust must not outlive the connection.
  const auto until = std::chrono::steady_clock::now() + delay;
  while (!stop_.wait_for(milliseconds{0}) && std::chrono::steady_clock::now() < until) {
    pollfd socket{session_.descriptor(), POLLIN, 0};
    if (poll(&socket, 1, 50) > 0)
      return; // nothing is expected from the server: the renewal finds out
  }
}

void lease_keeper::release() {
  environment_.trust->end();
  const auto held = environment_.shards.held();
  binary_array shards{array_type::int2}, low_waters{array_type::uuid};
  const auto low_water = environment_.rides.low_water(environment_.clock->now(), low_water_margin);
  for (const auto& each : held) {
    shards.add(each.shard);
    low_waters.add(environment_.shards.settled(each.shard) ? std::optional{low_water} : std::nullopt);
  }
  if (session_.connected()) {
    const auto released = session_.call([&](pqxx::connection_base& connection) {
      pqxx::nontransaction{connection}.exec_prepared("release_leases", to_string(options_.node.incarnation),
                                                     options_.node.name, parameter(shards), parameter(low_waters));
    });
    if (!released)
      spdlog::warn("store: leases not released, they run out by themselves detail={}", released.error().detail);
  }
  session_.disconnect();
  environment_.shards.drop_all();
  environment_.counts.shards_owned.set(0);
}

} // namespace postrider
