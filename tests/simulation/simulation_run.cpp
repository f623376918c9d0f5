// How a run goes on: time, traffic, the checks on the way, the end.

#include "core/endpoint_dispatch.hpp"
#include "core/signature.hpp"
#include "tests/simulation/simulation.hpp"

#include <algorithm>
#include <utility>

namespace postrider::simulation {

using namespace std::chrono_literals;

namespace {

// LISTENER answers after 6 s by itself; here nobody may be forgotten: 4 s for a plan, 5 s for STORE, 4 s for another
// plan, and the slowest ways in between.
constexpr milliseconds answer_max{25'000};
constexpr milliseconds check_gap{5'000};
constexpr milliseconds horizon{1'500};      // of the due poll
constexpr int tries_max = 6;                // of a provider, for one webhook
constexpr std::size_t rounds_max = 100'000; // at one point of time
const std::string webhook_secret = "s3cret";

} // namespace

// ------------------------------------------------------------------------------------------------ traffic

void simulation::send_webhook() {
  auto& chance = around.chance;
  const auto tenant = tenants_[chance.index(tenants_.size())];
  // Now and then a webhook that was sent before, or is being sent.
  const auto number = webhooks_ > 0 && chance.chance(0.05) ? chance.between(1, webhooks_) : ++webhooks_;
  submit(tenant, "d-" + std::to_string(number), 0);
}

void simulation::submit(tenant_no tenant, const std::string& key, int tries) {
  const auto node = some_node();
  if (!runs(node)) {
    in(500ms, [=, this] { submit(tenant, key, tries); });
    return;
  }
  ingest_request request;
  request.tenant = "t" + std::to_string(tenant);
  request.source = "github";
  request.method = "POST";
  request.content_type = "application/json";
  request.body = R"({"key":")" + key + R"(","group":)" + std::to_string(key.back() % 4) + "}";
  request.headers = std::string{"X-GitHub-Event: "} + (key.back() % 3 == 0 ? "pull" : "push") +
                    "\r\nX-GitHub-Delivery: " + key +
                    "\r\nX-Hub-Signature-256: sha256=" + encode_hex(hmac_sha256(webhook_secret, request.body)) + "\r\n";
  request.received_at = around.wall();
  const auto sequence = ++sequence_;
  around.note("webhook", static_cast<std::int64_t>(sequence), tenant, node);
  waiting_[sequence] = {request.tenant + "/" + key, node, around.now, tries, tenant};
  nodes_[static_cast<std::size_t>(node)]->submit(std::move(request), sequence);
}

void simulation::answered(std::uint64_t sequence, const ingest_answer& answer) {
  const auto found = waiting_.find(sequence);
  if (found == waiting_.end())
    return;
  const auto what = std::move(found->second);
  waiting_.erase(found);
  around.note("answered", static_cast<std::int64_t>(sequence), static_cast<std::int64_t>(answer.result));
  checks_.answered(what.key, answer);
  if (answer.result == ingest_result::accepted || answer.result == ingest_result::duplicate)
    return;
  if (answer.result == ingest_result::unknown && deleted_.contains(what.tenant))
    return;
  if (answer.result != ingest_result::unavailable && answer.result != ingest_result::overloaded)
    violated("a webhook is refused for good: result", static_cast<int>(answer.result));
  send_again(what);
}

void simulation::send_again(const waiting_request& what) {
  if (what.tries < tries_max)
    in(around.chance.between(50ms, 5'000ms),
       [this, what] { submit(what.tenant, what.key.substr(what.key.find('/') + 1), what.tries + 1); });
}

void simulation::check_answers() const {
  for (const auto& [sequence, each] : waiting_)
    if (around.now - each.since > answer_max)
      violated("a request is not answered in time: sequence, node", sequence, each.node);
}

// ------------------------------------------------------------------------------------------------ time

// What the poll threads of both nodes do, once a second.
void simulation::poll() {
  in(poll_gap, [this] { poll(); });
  for (const auto tenant : around.database.take_changed()) {
    for (const auto& each : around.database.rows.tenant(tenant)->endpoints) { // one that was disabled by its answer
      checks_.allow(each);
    }
    for (int i = 0; i < nodes_max; ++i)
      in(around.chance.between(0ms, 500ms), [this, i, tenant] {
        if (runs(i))
          nodes_[static_cast<std::size_t>(i)]->tell_changed({tenant});
      });
  }
  if (around.sky.database_away)
    return;
  around.database.rows.expose_open_rides();
  around.database.rows.close_deleted_tenants();
  const auto hints = around.database.poll(around.wall() + horizon);
  for (int i = 0; i < nodes_max; ++i) {
    std::vector<due_hint> mine;
    for (const auto& each : hints) {
      const auto& shard = shards_.at(around.database.rows.tenant(each.tenant)->shard);
      if (shard.owner == i && shard.trusted && !around.chance.chance(around.sky.lost_hints))
        mine.push_back(each);
    }
    if (mine.empty() || !runs(i))
      continue;
    if (around.chance.chance(around.sky.repeated_hints))
      nodes_[static_cast<std::size_t>(i)]->tell_due(mine);
    nodes_[static_cast<std::size_t>(i)]->tell_due(std::move(mine));
  }
}

void simulation::check_regularly() {
  in(check_gap, [this] { check_regularly(); });
  checks_.check_rows();
  check_answers();
}

void simulation::settle() {
  std::size_t rounds = 0;
  for (bool any = true; any;) {
    any = false;
    for (const auto& node : nodes_)
      any = (node && node->work()) || any;
    any = around.later.run_one(around.now) || any;
    if (++rounds > rounds_max)
      violated("time stands still: something is done again and again");
  }
}

void simulation::advance() {
  settle();
  auto next = around.later.next();
  for (const auto& node : nodes_)
    if (const auto at = node ? node->next() : std::nullopt; at && (!next || *at < *next))
      next = at;
  around.set_now(std::max(*next, around.now)); // the polls never end
  for (const auto& node : nodes_)
    if (node)
      node->pass_to(around.now);
  settle();
  if (!first_violation().empty())
    throw violation{first_violation()};
}

// ------------------------------------------------------------------------------------------------ the end

void simulation::heal() {
  around.note("good weather");
  around.sky = {};
  for (const auto& [number, drain] : std::map{draining_})
    stop_drained(number);
  healed_ = true;
  for (auto& [endpoint, mood] : around.moods)
    mood = {};
  for (int i = 0; i < nodes_max; ++i)
    start_node(i);
  for (auto& [shard, state] : shards_) {
    if (state.trusted)
      continue;
    if (around.chance.chance(0.5))
      renew(shard);
    if (!state.trusted)
      take(shard, some_node());
    if (!state.trusted) // the lease of one that lives still runs
      take(shard, state.owner);
  }
  const auto activate = [this] {
    for (const auto tenant : tenants_)
      change(tenant, [this](tenant_config& config) {
        for (auto& each : config.endpoints) {
          if (each.status != endpoint_status::active)
            around.disturb(each.no); // what was cut short before it rested is noticed now
          each.status = endpoint_status::active;
        }
      });
  };
  activate();
  in(5'000ms, activate); // a 410 of before may have been on its way into the database
}

// All has ended: soon every actor has heard that its last write is recorded, and what was ready when a shard was lost
// is forgotten.
void simulation::check_memory() {
  const auto empty = [&] {
    return std::all_of(nodes_.begin(), nodes_.end(),
                       [](const auto& each) { return !each || each->memory() == work_size{}; });
  };
  for (const auto until = elapsed() + endpoint_dispatch::suspension_max + 60'000ms; !empty();) {
    if (elapsed() > until)
      violated("I13: every delivery has ended, and a node holds some");
    advance();
  }
}

run_result simulation::run() {
  run_result out;
  first_violation().clear();
  const auto bad = around.chance.between(20'000ms, 150'000ms);
  try {
    plan_weather(*this, bad);
    in(bad, [this] { heal(); });
    while (elapsed() < bad + 10'000ms || !waiting_.empty() || !checks_.all_final()) {
      advance();
      if (elapsed() > bad + healing_max)
        break;
    }
    checks_.check_end();
    check_answers();
    check_memory();
  } catch (const violation& what) {
    out.failure = std::string{what.what()} + "\n  at " + std::to_string(elapsed().count()) + " virtual ms" +
                  (healed_ ? " (good weather)" : "") + "; the last events:\n" + around.events.text();
  }
  out.hash = around.events.hash();
  out.events = around.events.count();
  out.deliveries = around.database.rows.deliveries().size();
  out.requests = checks_.requests();
  out.virtual_time = elapsed();
  return out;
}

} // namespace postrider::simulation
