#include "tests/simulation/simulation.hpp"

#include "core/signature.hpp"
#include "tests/support/github_scheme.hpp"

#include <algorithm>
#include <utility>

namespace postrider::simulation {

using namespace std::chrono_literals;

namespace {

const std::string webhook_secret = "s3cret";

} // namespace

simulation::simulation(std::uint64_t seed) : around{seed}, checks_{around} {
  limits_.delivery_idle = around.chance.between(2'000ms, 30'000ms);
  limits_.tenant_idle = around.chance.between(10'000ms, 120'000ms);
  if (around.chance.chance(0.4))
    limits_.memory = {1 + around.chance.index(30), 1 + around.chance.index(20'000)};
  make_tenants();
  for (int i = 0; i < nodes_max; ++i)
    start_node(i);
  for (const auto& [shard, state] : shards_)
    take(shard, static_cast<int>(around.chance.index(nodes_max)));
  around.later.at(around.now + poll_gap, [this] { poll(); });
  around.later.at(around.now, [this] { check_regularly(); });
}

simulation::~simulation() = default;

// ------------------------------------------------------------------------------------------------ tenants

endpoint_config simulation::make_endpoint(endpoint_no no) {
  auto& chance = around.chance;
  endpoint_config out;
  out.no = no;
  out.id.value.bytes[15] = static_cast<std::uint8_t>(no);
  out.url = "https://example.com/" + std::to_string(no);
  out.max_in_flight = static_cast<std::uint32_t>(chance.between(1, 8));
  out.timeout = chance.between(500ms, 3'000ms);
  out.priority = static_cast<delivery_priority>(chance.between(0, 2));
  if (chance.chance(0.5)) {
    out.retry.schedule.clear();
    out.retry.base = chance.between(200ms, 2'000ms);
    out.retry.delay_max = chance.between(2'000ms, 15'000ms);
    out.retry.attempts_max = static_cast<std::uint32_t>(chance.between(2, 8));
  } else {
    out.retry.schedule.assign(static_cast<std::size_t>(chance.between(1, 7)), {});
    for (auto& each : out.retry.schedule)
      each = chance.between(100ms, 10'000ms);
  }
  out.breaker.failures = static_cast<std::uint32_t>(chance.between(2, 6));
  out.breaker.min_requests = chance.chance(0.5) ? 1'000'000 : static_cast<std::uint32_t>(chance.between(5, 20));
  out.breaker.window = chance.between(5'000ms, 60'000ms);
  out.breaker.cool_down = chance.between(300ms, 3'000ms);
  out.breaker.cool_down_max = out.breaker.cool_down * chance.between(1, 8);
  out.breaker.probes = static_cast<std::uint32_t>(chance.between(1, 3));
  // Also less than a request may take: one that reports late is of a former epoch then.
  out.breaker.probe_timeout = out.timeout + chance.between(-400ms, 5'000ms);
  if (chance.chance(0.2))
    out.event_types = {"push"};
  if (chance.chance(0.4)) {
    out.ordering = chance.chance(0.5) ? delivery_ordering::fifo : delivery_ordering::fifo_per_key;
    if (out.ordering == delivery_ordering::fifo_per_key)
      out.order_key = parse_order_key_place("json:/group");
  }
  return out;
}

void simulation::make_tenants() {
  endpoint_no next = 1;
  const auto count = around.chance.between(1, 3);
  for (tenant_no no = 1; no <= count; ++no) {
    tenant_config config;
    config.no = no;
    config.id.value.bytes[15] = static_cast<std::uint8_t>(no);
    config.slug = "t" + std::to_string(no);
    config.shard = static_cast<shard_no>(no == 3 ? 9 : no == 2 ? 7 : 3);
    config.version = 1;
    auto& source = config.sources.emplace_back();
    source.no = 10 + no;
    source.id.value.bytes[15] = static_cast<std::uint8_t>(10 + no);
    source.name = "github";
    source.provider = "github";
    source.rules = test::github_scheme();
    source.secrets = {{webhook_secret, {}}};
    for (auto left = around.chance.between(1, 3); left > 0; --left) {
      endpoints_.emplace_back(no, next);
      config.endpoints.push_back(make_endpoint(next++));
    }
    shards_[config.shard];
    tenants_.push_back(no);
    put(std::move(config));
  }
}

void simulation::put(tenant_config config) {
  for (const auto& each : config.endpoints) {
    if (each.status == endpoint_status::active)
      around.resting_since.erase(each.no);
    else
      around.resting_since.emplace(each.no, around.now);
    checks_.allow(each);
    for (const auto& node : nodes_)
      if (node)
        node->allow(each);
  }
  around.database.rows.put_tenant(std::make_shared<const tenant_config>(std::move(config)));
  around.database.rows.run();
}

void simulation::change(tenant_no tenant, const std::function<void(tenant_config&)>& how) {
  if (deleted_.contains(tenant))
    return;
  const auto now = around.database.rows.tenant(tenant);
  auto changed = *now;
  how(changed);
  ++changed.version;
  put(std::move(changed));
}

void simulation::delete_tenant(tenant_no tenant) {
  if (!deleted_.insert(tenant).second)
    return;
  around.note("tenant deleted", tenant);
  around.disturb(0);
  around.database.rows.remove_tenant(tenant);
  around.database.rows.run();
}

std::vector<std::pair<tenant_no, endpoint_no>> simulation::endpoints() const {
  std::vector<std::pair<tenant_no, endpoint_no>> out;
  for (const auto& [tenant, endpoint] : endpoints_) {
    if (deleted_.contains(tenant))
      continue;
    const auto& all = around.database.rows.tenant(tenant)->endpoints;
    if (std::any_of(all.begin(), all.end(), [no = endpoint](const auto& each) { return each.no == no; }))
      out.emplace_back(tenant, endpoint);
  }
  return out;
}

// ------------------------------------------------------------------------------------------------ nodes

void simulation::start_node(int number) {
  auto& node = nodes_[static_cast<std::size_t>(number)];
  if (node)
    return;
  around.note("node starts", number);
  std::vector<endpoint_config> all;
  for (const auto tenant : tenants_)
    for (const auto& each : around.database.rows.tenant(tenant)->endpoints)
      all.push_back(each);
  node = std::make_unique<simulated_node>(
    around, checks_, all, limits_, number,
    [this](std::uint64_t sequence, const ingest_answer& answer) { answered(sequence, answer); });
  node->trusts = [this, number](tenant_no tenant, fence under) {
    const auto& state = shards_.at(around.database.rows.tenant(tenant)->shard);
    return state.owner == number && state.trusted && state.under == under;
  };
}

void simulation::stop_node(int number) {
  draining_.erase(number);
  nodes_[static_cast<std::size_t>(number)].reset();
  around.disturb(0);
  for (auto& [shard, state] : shards_)
    state.orphaned = state.orphaned || state.owner == number;
  std::erase_if(waiting_, [&](const auto& each) { // the provider's connection is cut: it sends again
    if (each.second.node != number)
      return false;
    send_again(each.second);
    return true;
  });
}

void simulation::crash_node(int number) {
  if (!runs(number) || healed_)
    return;
  around.note("node crashes", number);
  for (const auto& [shard, state] : shards_)
    if (state.owner == number && state.trusted)
      expire(shard, around.chance.between(500ms, 6'000ms)); // or its successor takes it before
  stop_node(number);
}

void simulation::drain_node(int number) {
  if (!runs(number) || draining_.contains(number) || healed_)
    return;
  around.note("node drains", number);
  const auto drain = ++drains_; // an address is no name: the next life may get the same
  draining_[number] = drain;
  nodes_[static_cast<std::size_t>(number)]->drain();
  const auto end = around.now + around.chance.between(200ms, 10'000ms);
  const auto look = std::make_shared<std::function<void()>>();
  *look = [this, number, drain, end, look = std::weak_ptr{look}] {
    const auto found = draining_.find(number);
    if (found == draining_.end() || found->second != drain)
      return; // crashed meanwhile
    if (!nodes_[static_cast<std::size_t>(number)]->drained() && around.now < end)
      return in(100ms, [again = look.lock()] { (*again)(); });
    stop_drained(number);
  };
  in(100ms, [look] { (*look)(); });
}

void simulation::stop_drained(int number) {
  around.note("node stops", number, nodes_[static_cast<std::size_t>(number)]->drained() ? 1 : 0);
  for (const auto& [shard, state] : shards_)
    if (state.owner == number)
      lapse(shard);
  stop_node(number);
}

int simulation::some_node() {
  const auto first = static_cast<int>(around.chance.index(nodes_max));
  return runs(first) ? first : 1 - first;
}

// ------------------------------------------------------------------------------------------------ leases

std::vector<shard_no> simulation::shards() const {
  std::vector<shard_no> out;
  for (const auto& [shard, state] : shards_)
    out.push_back(shard);
  return out;
}

std::vector<shard_lease> simulation::leases_of(int node) const {
  std::vector<shard_lease> out;
  for (const auto& [shard, state] : shards_)
    if (state.owner == node && state.trusted)
      out.push_back({shard, state.epoch, state.under});
  return out;
}

void simulation::tell_leases(int node, milliseconds within) {
  if (node < 0 || !runs(node))
    return;
  const auto* life = nodes_[static_cast<std::size_t>(node)].get();
  in(around.chance.between(0ms, within), [this, node, life] {
    if (nodes_[static_cast<std::size_t>(node)].get() == life)
      nodes_[static_cast<std::size_t>(node)]->tell_leases(leases_of(node));
  });
}

// What the new owner does: at once, and again for what comes late.
void simulation::sweep(shard_no shard, fence under) {
  for (const auto delay : {around.chance.between(1ms, 200ms), 10'000ms, 70'000ms})
    in(delay, [this, shard, under] {
      const auto& state = shards_.at(shard);
      if (state.under != under || !state.valid || around.sky.database_away)
        return;
      around.note("sweep", shard);
      around.database.rows.sweep();
      around.database.rows.run();
    });
}

void simulation::take(shard_no shard, int node) {
  auto& state = shards_.at(shard);
  const bool free = !state.trusted && (!state.valid || state.owner < 0 || !runs(state.owner) || state.orphaned);
  if (node < 0 || !runs(node) || around.sky.database_away || (!free && (state.trusted || state.owner != node)))
    return;
  const auto former = state.owner;
  state = {node, make_fence(state.epoch + 1, static_cast<std::uint32_t>(around.chance.next())), state.epoch + 1, true,
           true};
  around.note("take", shard, node, state.epoch);
  around.disturb(0);
  around.database.rows.set_lease(shard, state.under);
  tell_leases(node, 50ms);
  if (former != node)
    tell_leases(former, 50ms);
  sweep(shard, state.under);
}

// Trust ends now, the lease later.
void simulation::expire(shard_no shard, milliseconds after) {
  auto& state = shards_.at(shard);
  around.disturb(0);
  state.trusted = false;
  in(after, [this, shard, under = state.under] {
    auto& now = shards_.at(shard);
    if (now.under != under || now.trusted)
      return;
    now.valid = false;
    around.database.rows.set_lease(shard, 0);
  });
}

void simulation::lapse(shard_no shard) {
  auto& state = shards_.at(shard);
  if (!state.trusted || healed_)
    return;
  around.note("lapse", shard, state.owner);
  expire(shard, surroundings::margin);
  tell_leases(state.owner, 1'500ms);
}

void simulation::renew(shard_no shard) {
  auto& state = shards_.at(shard);
  if (state.trusted || state.orphaned || state.owner < 0 || !runs(state.owner) || around.sky.database_away)
    return;
  around.note("renew", shard, state.owner);
  state.trusted = state.valid = true;
  around.database.rows.set_lease(shard, state.under);
  tell_leases(state.owner, 50ms);
}

} // namespace postrider::simulation
