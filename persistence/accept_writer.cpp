#include "persistence/accept_writer.hpp"

#include "persistence/accept_batch.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace postrider {

namespace {

using clock_type = std::chrono::steady_clock;

std::size_t asked_rides(std::span<const queued_accept> items) {
  std::size_t out = 0;
  for (const auto& each : items)
    out += static_cast<std::size_t>(std::count_if(each.item->deliveries.begin(), each.item->deliveries.end(),
                                                  [](const planned_delivery& delivery) { return delivery.ride; }));
  return out;
}

} // namespace

void publish_accepts(const accept_environment& environment, std::vector<queued_accept> done) {
  if (done.empty())
    return;
  std::size_t bytes = 0;
  std::vector<accept_item_ptr> batch;
  batch.reserve(done.size());
  std::vector<delivery_id> closed; // those that do not ride; in doubt they may, and the sweep looks for them
  for (auto& each : done) {
    bytes += each.weight;
    if (each.item->outcome == accept_outcome::accepted) {
      for (const auto& delivery : each.item->deliveries)
        if (!delivery.ride)
          closed.push_back(delivery.id);
    } else {
      for (auto& delivery : each.item->deliveries) {
        delivery.ride = false;
        if (each.item->outcome != accept_outcome::unavailable || !each.in_doubt)
          closed.push_back(delivery.id);
      }
    }
    batch.push_back(std::move(each.item));
  }
  environment.rides.remove(closed);
  environment.queue.answered(done.size(), bytes);
  environment.events.accepted(std::move(batch));
}

accept_writer::accept_writer(accept_environment environment, session_options options, watchdog& dog)
    : environment_{std::move(environment)}, session_{std::move(options), dog, environment_.counts} {
  thread_ = std::thread{[this] { run(); }};
}

accept_writer::~accept_writer() {
  join();
}

void accept_writer::join() {
  stop_.request();
  if (thread_.joinable())
    thread_.join();
}

bool accept_writer::near_midnight() const {
  using namespace std::chrono;
  const auto now = environment_.clock.now();
  const auto since = now - floor<days>(now);
  return first_minute_ || since < seconds{70} || since > hours{24} - seconds{10};
}

bool accept_writer::ensure_connected() {
  if (session_.connected())
    return true;
  if (const auto failure = session_.connect()) {
    environment_.reports.report(session_role::accept, false, failure->detail);
    return false;
  }
  backoff_.reset();
  environment_.reports.report(session_role::accept, true, {});
  return true;
}

void accept_writer::run() {
  for (;;) {
    if (!ensure_connected()) {
      if (stop_.wait_for(backoff_.next()))
        return; // what waits is expired by whoever stops us
      continue;
    }
    if (pause_.count() > 0)
      std::this_thread::sleep_for(std::exchange(pause_, milliseconds{0})); // also while draining
    auto batch = environment_.queue.take(clock_type::now() + milliseconds{500});
    if (!batch.empty())
      write(std::move(batch));
    else if (stop_.requested() && environment_.queue.closed())
      return;
  }
}

void accept_writer::write(std::vector<queued_accept> batch) {
  const auto now = clock_type::now();
  auto soonest = mono_time::max();
  for (auto& each : batch) {
    if (each.item->deadline <= now)
      each.item->outcome = accept_outcome::unavailable;
    soonest = std::min(soonest, each.item->deadline);
  }
  const auto live = std::stable_partition(batch.begin(), batch.end(), [](const queued_accept& each) {
    return each.item->outcome != accept_outcome::waiting;
  });
  // The answer is owed by the deadline: a call that hangs is cut then, but never a healthy one for an item that came
  // late.
  session_.set_call_deadline(
    std::clamp(std::chrono::ceil<milliseconds>(soonest - now), milliseconds{800}, milliseconds{5'000}));
  if (live != batch.end())
    attempt({live, batch.end()});

  std::vector<queued_accept> done;
  std::vector<queued_accept> back;
  done.reserve(batch.size());
  for (auto& each : batch)
    (each.item->outcome == accept_outcome::waiting ? back : done).push_back(std::move(each));
  if (!back.empty())
    environment_.queue.put_back(std::move(back));
  publish_accepts(environment_, std::move(done));
}

void accept_writer::attempt(std::span<queued_accept> items) {
  const auto started = clock_type::now();
  const auto counts = write_accepts(session_, items, near_midnight());
  if (!counts)
    return failed(counts.error(), items);
  environment_.counts.accept_batches.add();
  environment_.counts.accept_rows.add(counts->events);
  environment_.counts.accept_commit_latency.observe(static_cast<std::uint64_t>(
    std::chrono::duration_cast<std::chrono::microseconds>(clock_type::now() - started).count()));
  if (counts->events == items.size() && counts->rides == asked_rides(items)) {
    for (auto& each : items)
      each.item->outcome = accept_outcome::accepted;
    return;
  }
  classify(items);
}

void accept_writer::classify(std::span<queued_accept> items) {
  const auto found = find_accepts(session_, items);
  if (!found)
    return failed(found.error(), items);
  first_minute_ = found->first_minute_of_day;
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto& item = *items[i].item;
    const auto& owners = found->events[i];
    const auto other = std::find_if(owners.begin(), owners.end(), [&](event_id id) { return id != item.what->id; });
    if (other != owners.end()) {
      item.outcome = accept_outcome::duplicate;
      item.first = *other;
    } else if (!owners.empty()) {
      item.outcome = accept_outcome::accepted; // by this run, or by an earlier one whose answer was lost
    } else if (!found->version_current[i]) {
      item.outcome = accept_outcome::stale;
    }
    // Else it stays waiting: the key was taken by a transaction that then failed, or the day has just begun. It runs
    // again.
  }
  const auto end = std::stable_partition(items.begin(), items.end(), [](const queued_accept& each) {
    return each.item->outcome == accept_outcome::accepted;
  });
  const auto committed = items.first(static_cast<std::size_t>(end - items.begin()));
  if (const auto rides = read_rides(session_, committed); !rides) {
    for (auto& each : committed)
      each.item->outcome = accept_outcome::waiting;
    failed(rides.error(), committed);
  }
}

void accept_writer::failed(const session_failure& failure, std::span<queued_accept> items) {
  using enum session_failure::kind;
  switch (failure.what) {
  case lost:
    for (auto& each : items)
      each.in_doubt = true;
    environment_.counts.store_in_doubt.add(items.size());
    environment_.reports.report(session_role::accept, false, failure.detail);
    return;
  case rejected:
    if (items.size() == 1) {
      items.front().item->outcome = accept_outcome::rejected;
      items.front().item->detail = failure.detail;
      spdlog::warn("store: one event is refused by the database event={} sqlstate={} detail={}",
                   to_string(items.front().item->what->id), failure.sqlstate, failure.detail);
      return;
    }
    attempt(items.first(items.size() / 2));
    attempt(items.subspan(items.size() / 2));
    return;
  case busy:
    if (failure.sqlstate == "23514")
      environment_.partitions_missing();
    pause_ = milliseconds{20};
    break;
  case mistake:
    pause_ = milliseconds{500};
    break;
  }
  spdlog::warn("store: accept batch failed, tried again rows={} sqlstate={} detail={}", items.size(), failure.sqlstate,
               failure.detail);
}

} // namespace postrider
