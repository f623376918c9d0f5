#include "tests/simulation/stormy_store.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace postrider::simulation {

namespace {

using namespace std::chrono_literals;

constexpr double late_share = 0.2; // of what still arrives at the database when nobody waits for it
constexpr auto late_max = 8s;
constexpr endpoint_no cuts_nothing = -1;
constexpr auto heard_max = 15s; // of a change, with the slowest answers

/// Only data: what a server that outlives us holds.
outcome_write orphaned(outcome_write write) {
  write.owner = nullptr;
  return write;
}

} // namespace

stormy_store::stormy_store(surroundings& around, timeline& jobs, std::map<endpoint_no, gate_check>& gates,
                           delivery_check& checks)
    : around_{around}, jobs_{jobs}, gates_{gates}, checks_{checks} {}

void stormy_store::end() {
  ended_ = true;
  for (auto& [number, execute] : on_the_wire_)
    if (around_.chance.chance(0.5))
      around_.later.at(around_.now + around_.chance.between(0ms, milliseconds{late_max}), std::move(execute));
  on_the_wire_.clear();
  commands_.clear();
  finished_.clear();
}

void stormy_store::throw_perhaps(const char* call) {
  if (ended_ || around_.sky.throws == 0 || !around_.chance.chance(around_.sky.throws))
    return;
  around_.note(call);
  around_.disturb(0);
  throw std::runtime_error(std::string{"the storm hit "} + call);
}

stormy_store::fate stormy_store::draw_fate() {
  if (around_.sky.lost_answers == 0 || !around_.chance.chance(around_.sky.lost_answers))
    return fate::done;
  if (around_.chance.chance(late_share))
    return fate::done_late;
  return around_.chance.chance(0.5) ? fate::answer_lost : fate::not_done;
}

milliseconds stormy_store::leg() {
  return around_.chance.between(0ms, around_.sky.leg_max);
}

void stormy_store::after(milliseconds delay, std::function<void()> job) {
  jobs_.at(around_.now + delay, std::move(job));
}

template <class Answer>
void stormy_store::ask(std::function<Answer()> execute, Answer away, std::function<void(Answer)> done, endpoint_no cuts,
                       std::function<void()> arrives) {
  if (ended_)
    return;
  const auto wire = ++wire_;
  on_the_wire_.emplace(wire, [execute] { execute(); });
  after(leg(), [this, wire, cuts, arrives = std::move(arrives), execute = std::move(execute), away = std::move(away),
                done = std::move(done)] {
    on_the_wire_.erase(wire);
    if (arrives)
      arrives();
    const auto what = around_.sky.database_away ? fate::not_done : draw_fate();
    if (what != fate::done)
      around_.call_failed_at = around_.now;
    if (around_.sky.database_away)
      return after(around_.chance.between(1ms, 2'000ms), [done, away] { done(away); });
    if (what != fate::done && cuts >= 0)
      around_.disturb(cuts);
    if (what == fate::done_late && cuts >= 0)
      around_.later.at(around_.now + around_.chance.between(1ms, milliseconds{late_max}),
                       [cuts, execute, &around = around_] {
                         around.note("late call", cuts);
                         around.disturb(cuts);
                         execute();
                       });
    auto answer = what == fate::done || what == fate::answer_lost ? execute() : away;
    if (what == fate::answer_lost)
      answer = away;
    after(leg(), [done, answer] { done(answer); });
  });
}

// ------------------------------------------------------------------------------------------------ accepting

bool stormy_store::accept(accept_item_ptr& item) {
  throw_perhaps("throw accept");
  if (ended_ || (around_.sky.full > 0 && around_.chance.chance(around_.sky.full)))
    return false;
  auto what = std::make_shared<accepting>();
  what->item = std::move(item);
  for (const auto& each : what->item->deliveries)
    what->rides.push_back(each.ride);
  after(leg(), [this, what] { run_accept(what); });
  return true;
}

void stormy_store::run_accept(const std::shared_ptr<accepting>& what) {
  auto& item = what->item;
  const auto again = [&](milliseconds in) { after(in, [this, what] { run_accept(what); }); };
  if (item->deadline <= around_.now) {
    item->outcome = accept_outcome::unavailable;
    if (what->in_doubt) // committed perhaps, and nobody will send what rides
      around_.disturb(0);
    for (auto& each : item->deliveries)
      each.ride = false;
    return finish_accept(std::move(item));
  }
  if (around_.sky.database_away)
    return again(around_.chance.between(10ms, 300ms));
  const auto chosen = draw_fate();
  if (chosen == fate::done) {
    if (decide_accept(*what))
      return finish_accept(std::move(item));
    return again(50ms);
  }
  what->in_doubt = true;
  around_.disturb(0);
  around_.note("accept in doubt", static_cast<std::int64_t>(chosen));
  if (chosen == fate::answer_lost)
    decide_accept(*what);
  item->outcome = accept_outcome::waiting;
  for (std::size_t i = 0; i < item->deliveries.size(); ++i)
    item->deliveries[i].ride = what->rides[i];
  again(around_.chance.between(10ms, 1'000ms));
}

// True: its outcome stands.
bool stormy_store::decide_accept(accepting& what) {
  auto& item = what.item;
  const auto tenant = item->what->tenant;
  const auto config = around_.database.rows.tenant(tenant);
  item = around_.database.accept(std::move(item));
  if (item->outcome == accept_outcome::accepted)
    checks_.committed(*item, *config);
  if (item->outcome != accept_outcome::stale || !what.in_doubt)
    return true;
  item->outcome = accept_outcome::waiting; // never decided by a read
  return false;
}

// Several that end at one time are one batch, per VERIFIER: whom the bridge tells first is then no matter of addresses.
void stormy_store::finish_accept(accept_item_ptr item) {
  around_.note("accept ends", static_cast<std::int64_t>(item->outcome), item->what->tenant,
               static_cast<std::int64_t>(item->deliveries.size()));
  finished_.push_back(std::move(item));
  if (finished_.size() > 1)
    return;
  after(leg(), [this] {
    auto all = std::exchange(finished_, {});
    while (!all.empty()) {
      std::vector<accept_item_ptr> batch;
      const auto* origin = all.front()->origin.get();
      for (auto& each : all)
        if (each->origin.get() == origin)
          batch.push_back(std::move(each));
      std::erase(all, nullptr);
      report(std::move(batch));
    }
  });
}

// ------------------------------------------------------------------------------------------------ recording

void stormy_store::record(std::vector<outcome_write> writes) {
  throw_perhaps("throw record");
  if (ended_)
    return;
  for (const auto& each : writes) {
    around_.note("write", around_.number_of(each.delivery), static_cast<std::int64_t>(each.to), each.number);
    gates_[each.endpoint].written(each);
    checks_.asked(each, retry_after(each.delivery));
  }
  const auto shared = std::make_shared<std::vector<outcome_write>>(std::move(writes));
  after(leg(), [this, shared] { run_record(shared); });
}

void stormy_store::run_record(const std::shared_ptr<std::vector<outcome_write>>& writes) {
  const auto again = [&](milliseconds in) { after(in, [this, writes] { run_record(writes); }); };
  if (around_.sky.database_away)
    return again(around_.chance.between(10ms, 500ms));
  const auto chosen = draw_fate();
  if (chosen == fate::done_late) {
    std::vector<outcome_write> copies;
    for (const auto& each : *writes)
      copies.push_back(orphaned(each));
    around_.later.at(around_.now + around_.chance.between(1ms, milliseconds{late_max}),
                     [&around = around_, copies] { around.database.record(copies); });
  }
  if (chosen == fate::done || chosen == fate::answer_lost) {
    const auto owner = writes->front().owner; // one actor's, as it handed them over
    auto results = around_.database.record(*writes);
    if (chosen == fate::done) {
      for (const auto& each : results)
        if (!each.recorded)
          around_.note("write missed", around_.number_of(each.delivery),
                       each.found ? static_cast<std::int64_t>(each.found->state) : -1);
      return after(leg(), [owner, results] { owner->recorded(results); });
    }
  }
  again(around_.chance.between(10ms, 1'500ms));
}

// ------------------------------------------------------------------------------------------------ the rest

// While an endpoint rests only what a former owner left is looked for. Its actor hears of it by a poll and a look-up.
void stormy_store::check_may_claim(const claim_request& request) const {
  const auto found = around_.resting_since.find(request.endpoint);
  if (!ended_ && request.limit > 0 && found != around_.resting_since.end() &&
      around_.now - std::max(found->second, around_.call_failed_at) > heard_max)
    violated("rows of an endpoint are claimed although it is paused or disabled: endpoint", request.endpoint);
}

void stormy_store::claim(claim_request request, std::function<void(claim_result)> done) {
  throw_perhaps("throw claim");
  check_may_claim(request);
  claim_result away;
  away.available = false;
  auto& rows = around_.database.rows;
  ask<claim_result>(
    [request, away, &rows, &around = around_]() mutable {
      claim_result out;
      if (!request.fit_to_room()) {
        around.note("no room", request.endpoint);
        return away;
      }
      rows.claim(request, [&](claim_result answer) { out = std::move(answer); });
      rows.run();
      around.note(out.owned ? "claim" : "claim refused", request.endpoint,
                  static_cast<std::int64_t>(out.claimed.size()),
                  static_cast<std::int64_t>(out.overdue_attempts.size()));
      return out;
    },
    away, std::move(done), request.endpoint);
}

// The time is the database's when the call reaches it, also where the statement itself is executed late: the next
// incarnation has claims and rides of its own by then.
void stormy_store::close_interrupted(tenant_no, endpoint_no endpoint, shard_no shard, fence under,
                                     std::vector<delivery_id> known,
                                     std::function<void(std::optional<std::size_t>)> done) {
  auto& rows = around_.database.rows;
  const auto asked_at = std::make_shared<std::optional<wall_time>>();
  ask<std::optional<std::size_t>>(
    [=, &rows, &around = around_, known = std::move(known)] {
      std::optional<std::size_t> out;
      rows.close_interrupted(endpoint, shard, under, known, asked_at->value_or(rows.now()),
                             [&](std::optional<std::size_t> closed) { out = closed; });
      rows.run();
      around.note("close interrupted", endpoint, out ? static_cast<std::int64_t>(*out) : -1);
      return out;
    },
    std::nullopt, std::move(done), endpoint, [asked_at, &rows] { *asked_at = rows.now(); });
}

void stormy_store::close_deleted(tenant_no tenant, endpoint_no endpoint, shard_no shard, fence under,
                                 std::function<void(deleted_closing)> done) {
  auto& rows = around_.database.rows;
  ask<deleted_closing>(
    [=, &rows, &around = around_] {
      auto out = deleted_closing::unavailable;
      rows.close_deleted(tenant, endpoint, shard, under, [&](deleted_closing came_of) { out = came_of; });
      rows.run();
      around.note("close deleted", endpoint, static_cast<std::int64_t>(out));
      return out;
    },
    deleted_closing::unavailable, std::move(done), endpoint);
}

void stormy_store::load_tenant(tenant_key key, std::function<void(result<tenant_config_ptr>)> done) {
  auto& rows = around_.database.rows;
  const problem away{503, "store-unavailable", "", {}, std::chrono::seconds{1}};
  ask<result<tenant_config_ptr>>(
    [key = std::move(key), away, &rows]() -> result<tenant_config_ptr> {
      result<tenant_config_ptr> out{away};
      rows.load_tenant(key, [&](result<tenant_config_ptr> loaded) { out = std::move(loaded); });
      rows.run();
      return out;
    },
    away, std::move(done), cuts_nothing);
}

void stormy_store::count_live(tenant_no tenant, std::function<void(result<std::int64_t>)> done) {
  auto& rows = around_.database.rows;
  const problem away{503, "store-unavailable", "", {}, std::chrono::seconds{1}};
  ask<result<std::int64_t>>(
    [tenant, away, &rows]() -> result<std::int64_t> {
      result<std::int64_t> out{away};
      rows.count_live(tenant, [&](result<std::int64_t> live) { out = std::move(live); });
      rows.run();
      return out;
    },
    away, std::move(done), cuts_nothing);
}

void stormy_store::load_runtime(endpoint_no endpoint,
                                std::function<void(result<std::optional<endpoint_runtime>>)> done) {
  throw_perhaps("throw load_runtime");
  auto& rows = around_.database.rows;
  gates_[endpoint].forgotten();
  const problem away{503, "store-unavailable", "", {}, std::chrono::seconds{1}};
  ask<result<std::optional<endpoint_runtime>>>(
    [endpoint, away, &rows]() -> result<std::optional<endpoint_runtime>> {
      result<std::optional<endpoint_runtime>> out{away};
      rows.load_runtime(endpoint, [&](result<std::optional<endpoint_runtime>> stored) { out = std::move(stored); });
      rows.run();
      return out;
    },
    away,
    [this, endpoint, done = std::move(done)](result<std::optional<endpoint_runtime>> stored) {
      if (stored) {
        around_.note("breaker restored", endpoint, *stored ? static_cast<std::int64_t>((*stored)->state) : 0);
        gates_[endpoint].restored(*stored, around_.wall());
      }
      done(std::move(stored));
    },
    cuts_nothing);
}

void stormy_store::save_runtime(endpoint_runtime now, shard_no shard, fence under, std::string cause) {
  throw_perhaps("throw save_runtime");
  if (ended_)
    return;
  around_.note("breaker", now.endpoint, static_cast<std::int64_t>(now.state), now.opened_in_a_row);
  gates_[now.endpoint].saved(now);
  command([&rows = around_.database.rows, now, shard, under, cause] {
    rows.save_runtime(now, shard, under, cause);
    rows.run();
  });
}

void stormy_store::disable_endpoint(tenant_no tenant, endpoint_no endpoint, std::string reason) {
  throw_perhaps("throw disable_endpoint");
  if (ended_)
    return;
  around_.note("disable endpoint", endpoint);
  command([&rows = around_.database.rows, tenant, endpoint, reason = std::move(reason)] {
    rows.disable_endpoint(tenant, endpoint, reason);
    rows.run();
  });
}

void stormy_store::command(std::function<void()> execute) {
  commands_.push_back(std::move(execute));
  if (commands_.size() == 1)
    after(leg(), [this] { run_commands(); });
}

void stormy_store::run_commands() {
  if (around_.sky.database_away)
    return after(around_.chance.between(10ms, 500ms), [this] { run_commands(); });
  const auto chosen = draw_fate();
  if (chosen == fate::done || chosen == fate::answer_lost)
    commands_.front()();
  if (chosen == fate::done)
    commands_.pop_front();
  if (!commands_.empty())
    after(chosen == fate::done ? leg() : around_.chance.between(10ms, 1'000ms), [this] { run_commands(); });
}

} // namespace postrider::simulation
