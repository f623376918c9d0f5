// The bad weather of a run. To add some: a function that plans one kind of it over `duration`, and its line in `kinds`.

#include "tests/simulation/simulation.hpp"

#include <algorithm>
#include <utility>

namespace postrider::simulation {

using namespace std::chrono_literals;

namespace {

/// So often within the duration, at times drawn.
void several(simulation& run, milliseconds duration, std::int64_t times_max, const std::function<void()>& what) {
  for (auto left = run.around.chance.between(1, times_max); left > 0; --left)
    run.in(run.around.chance.between(0ms, duration), what);
}

/// A spell: `begin` now, `end` after a while drawn.
void spell(simulation& run, milliseconds least, milliseconds greatest, const std::function<void()>& begin,
           std::function<void()> end) {
  begin();
  run.in(run.around.chance.between(least, greatest), std::move(end));
}

void traffic(simulation& run, milliseconds duration) {
  for (auto left = run.around.chance.between(10, 60); left > 0; --left)
    run.in(run.around.chance.between(0ms, duration), [&run] { run.send_webhook(); });
  if (run.around.chance.chance(0.5))
    several(run, duration, 3, [&run] {
      for (auto left = run.around.chance.between(5, 25); left > 0; --left)
        run.send_webhook();
    });
}

void outages(simulation& run, milliseconds duration) {
  several(run, duration, 3, [&run] {
    if (run.around.sky.database_away)
      return;
    // Now and then longer than claims last: what is recorded late meets rows that look forgotten.
    const auto lasts = run.around.chance.chance(0.15) ? run.around.chance.between(40'000ms, 90'000ms)
                                                      : run.around.chance.between(100ms, 20'000ms);
    run.around.note("database away", lasts.count());
    run.around.sky.database_away = true;
    run.around.disturb(0);
    if (lasts > 5'000ms) // no renewal: trust ends everywhere
      run.in(4'000ms, [&run] {
        for (const auto shard : run.shards())
          run.lapse(shard);
      });
    run.in(lasts, [&run] {
      run.around.note("database back");
      run.around.sky.database_away = false;
      run.around.disturb(0);
      for (const auto shard : run.shards()) {
        if (run.around.chance.chance(0.7))
          run.renew(shard);
        else
          run.take(shard, static_cast<int>(run.around.chance.index(simulation::nodes_max)));
      }
    });
  });
}

void slowness(simulation& run, milliseconds duration) {
  several(run, duration, 3, [&run] {
    spell(
      run, 1'000ms, 15'000ms, [&run] { run.around.sky.leg_max = run.around.chance.between(20ms, 2'500ms); },
      [&run] { run.around.sky.leg_max = 3ms; });
  });
}

void lost_connections(simulation& run, milliseconds duration) {
  several(run, duration, 3, [&run] {
    spell(
      run, 1'000ms, 20'000ms, [&run] { run.around.sky.lost_answers = run.around.chance.draw() * 0.6; },
      [&run] { run.around.sky.lost_answers = 0; });
  });
}

void lost_news(simulation& run, milliseconds duration) {
  several(run, duration, 3, [&run] {
    spell(
      run, 1'000ms, 30'000ms,
      [&run] {
        run.around.sky.lost_hints = run.around.chance.draw();
        run.around.sky.repeated_hints = run.around.chance.draw();
      },
      [&run] { run.around.sky.lost_hints = run.around.sky.repeated_hints = 0; });
  });
}

void full_queues(simulation& run, milliseconds duration) {
  several(run, duration, 2, [&run] {
    spell(
      run, 500ms, 5'000ms, [&run] { run.around.sky.full = run.around.chance.draw(); },
      [&run] { run.around.sky.full = 0; });
  });
}

void actor_crashes(simulation& run, milliseconds duration) {
  several(run, duration, 3, [&run] {
    spell(
      run, 100ms, 5'000ms, [&run] { run.around.sky.throws = run.around.chance.draw() * 0.3; },
      [&run] { run.around.sky.throws = 0; });
  });
}

void node_ends(simulation& run, milliseconds duration) {
  several(run, duration, 3, [&run] {
    const auto number = static_cast<int>(run.around.chance.index(simulation::nodes_max));
    if (run.around.chance.chance(0.6))
      run.crash_node(number);
    else
      run.drain_node(number);
    const auto back = run.around.chance.between(10ms, 20'000ms);
    run.in(back, [&run, number] { run.start_node(number); });
    run.in(run.around.chance.between(200ms, 8'000ms), [&run, number] {
      for (const auto shard : run.shards())
        if (run.owner_of(shard) == number)
          run.take(shard, static_cast<int>(run.around.chance.index(simulation::nodes_max)));
    });
  });
}

void lost_leases(simulation& run, milliseconds duration) {
  several(run, duration, 4, [&run] {
    const auto all = run.shards();
    const auto shard = all[run.around.chance.index(all.size())];
    if (run.around.chance.chance(0.5)) // with something on its way
      for (auto left = run.around.chance.between(5, 15); left > 0; --left)
        run.in(run.around.chance.between(0ms, 400ms), [&run] { run.send_webhook(); });
    run.in(run.around.chance.between(0ms, 200ms), [&run, shard] { run.lapse(shard); });
    run.in(run.around.chance.chance(0.5) ? run.around.chance.between(210ms, 800ms)
                                         : run.around.chance.between(1'000ms, 15'000ms),
           [&run, shard] {
             if (run.around.chance.chance(0.5))
               run.renew(shard);
             else
               run.take(shard, static_cast<int>(run.around.chance.index(simulation::nodes_max)));
           });
  });
}

endpoint_mood draw_mood(dice& chance) {
  endpoint_mood out;
  const auto share = [&] { return chance.chance(0.5) ? 1.0 : chance.draw(); };
  switch (chance.index(9)) {
  case 0:
    out.failing = share();
    break;
  case 1:
    out.busy = share();
    break;
  case 2:
    out.hanging = share();
    break;
  case 3:
    out.resetting = share();
    break;
  case 4:
    out.refusing = share();
    break;
  case 5: // of everything something
    out.failing = out.busy = out.hanging = out.resetting = out.refusing = 0.1;
    break;
  case 6:
    out.gone = out.asking_disable = out.asking_abort = chance.draw() * 0.1;
    break;
  case 7:
    out.cutting = chance.draw() * 0.5;
    break;
  default: // slow
    out.latency_max = chance.between(100ms, 3'000ms);
    break;
  }
  return out;
}

void moods(simulation& run, milliseconds duration) {
  for (const auto& [tenant, endpoint] : run.endpoints())
    several(run, duration, 4, [&run, no = endpoint] {
      spell(
        run, 500ms, 40'000ms,
        [&run, no] {
          run.around.note("mood", no);
          run.around.moods[no] = draw_mood(run.around.chance);
        },
        [&run, no] { run.around.moods[no] = {}; });
    });
}

void change_one(simulation& run, tenant_no tenant, endpoint_no endpoint) {
  auto& chance = run.around.chance;
  const auto kind = chance.index(10);
  run.around.note("change", endpoint, static_cast<std::int64_t>(kind));
  run.around.disturb(endpoint);
  run.change(tenant, [&](tenant_config& config) {
    auto& all = config.endpoints;
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.no == endpoint; });
    if (kind < 3)
      found->status = endpoint_status::paused;
    else if (kind < 6)
      found->status = endpoint_status::active;
    else if (kind == 6)
      found->status = endpoint_status::disabled;
    else if (kind == 7)
      found->retry.schedule.assign(static_cast<std::size_t>(chance.between(1, 5)), chance.between(200ms, 5'000ms));
    else if (kind == 8)
      found->breaker.failures = static_cast<std::uint32_t>(chance.between(1, 8));
    else
      all.erase(found);
  });
}

void changes(simulation& run, milliseconds duration) {
  several(run, duration, 6, [&run] {
    const auto all = run.endpoints();
    if (all.empty())
      return;
    const auto [tenant, endpoint] = all[run.around.chance.index(all.size())];
    change_one(run, tenant, endpoint);
  });
}

void deletions(simulation& run, milliseconds duration) {
  if (run.around.chance.chance(0.5))
    return;
  const auto& all = run.tenants();
  run.in(run.around.chance.between(0ms, duration),
         [&run, tenant = all[run.around.chance.index(all.size())]] { run.delete_tenant(tenant); });
}

} // namespace

void plan_weather(simulation& run, milliseconds duration) {
  using kind = void (*)(simulation&, milliseconds);
  constexpr kind kinds[] = {outages,     slowness,      lost_connections, lost_news,
                            full_queues, actor_crashes, node_ends,        lost_leases,
                            moods,       moods,         changes,          deletions};
  traffic(run, duration);
  for (const auto each : kinds)
    if (run.around.chance.chance(0.45))
      each(run, duration);
}

} // namespace postrider::simulation
