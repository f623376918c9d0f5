#include "persistence/accept_writer.hpp"

#include "core/failpoint.hpp"
#include "persistence/accept_batch.hpp"

#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>

namespace postrider {

namespace {

using clock_type = std::chrono::steady_clock;

// Before one item's statement is tried again, where the others need not wait for it.
constexpr milliseconds item_pause{100};
constexpr milliseconds call_deadline_min{800};
constexpr milliseconds call_deadline_max{5'000};

// The batch may hold one row, or too many, that it fails for; each half by itself tells.
bool worth_dividing(const session_failure& failure) {
  return failure.what == session_failure::kind::rejected || failure.sqlstate == "57014" || failure.sqlstate == "23514";
}

// The database's answer to a statement that was committed. A refused row, or one whose time was over, is none.
bool is_confirmed(const queued_accept& each) {
  using enum accept_outcome;
  const auto outcome = each.item->outcome;
  return outcome == accepted || outcome == duplicate || outcome == stale;
}

std::size_t asked_rides(std::span<const queued_accept> items) {
  std::size_t out = 0;
  for (const auto& each : items)
    out += static_cast<std::size_t>(std::count_if(each.item->deliveries.begin(), each.item->deliveries.end(),
                                                  [](const planned_delivery& delivery) { return delivery.ride; }));
  return out;
}

mono_time oldest_of(std::span<const queued_accept> items) {
  return std::min_element(
           items.begin(), items.end(),
           [](const queued_accept& left, const queued_accept& right) { return left.queued_at < right.queued_at; })
    ->queued_at;
}

} // namespace

void publish_accepts(const accept_environment& environment, std::vector<queued_accept> done) {
  if (done.empty())
    return;
  std::size_t bytes = 0;
  std::vector<accept_item_ptr> batch;
  batch.reserve(done.size());
  std::vector<delivery_id> closed;   // those that do not ride
  std::vector<delivery_id> doubtful; // those that may: the sweeper looks for them
  for (auto& each : done) {
    bytes += each.weight;
    if (each.item->outcome == accept_outcome::accepted) {
      environment.counts.deliveries_accepted.add(each.item->deliveries.size());
      for (const auto& delivery : each.item->deliveries)
        if (!delivery.ride)
          closed.push_back(delivery.id);
    } else {
      for (auto& delivery : each.item->deliveries) {
        if (!each.in_doubt)
          closed.push_back(delivery.id);
        else if (delivery.ride)
          doubtful.push_back(delivery.id);
        delivery.ride = false;
      }
    }
    batch.push_back(std::move(each.item));
  }
  environment.rides.remove(closed);
  environment.rides.doubt(doubtful, clock_type::now());
  environment.queue.answered(done.size(), bytes);
  environment.events.accepted(std::move(batch));
}

accept_writer::accept_writer(accept_environment environment, session_options options, watchdog& dog, pulse* progress,
                             session_role role)
    : environment_{std::move(environment)}
    , session_{std::move(options), dog, environment_.counts}
    , progress_{progress}
    , role_{role} {
  thread_ = std::thread{[this] { run(); }};
}

accept_writer::~accept_writer() {
  stop(clock_type::now());
}

void accept_writer::stop(mono_time until) {
  end_ = std::min(end_.load(), until);
  session_.end_at(until);
  stop_.request();
  if (thread_.joinable())
    thread_.join();
  progress_.ended();
}

bool accept_writer::past_the_end() const {
  return clock_type::now() >= end_.load();
}

bool accept_writer::near_midnight() const {
  using namespace std::chrono;
  const auto now = environment_.clock.now();
  const auto since = now - floor<days>(now);
  return clock_type::now() < first_minute_until_ || since < seconds{70} || since > hours{24} - seconds{10};
}

bool accept_writer::ensure_connected() {
  if (session_.connected())
    return true;
  if (const auto failure = session_.connect()) {
    environment_.reports.report(role_, false, failure->detail);
    return false;
  }
  // A server that takes connections and no writes (a standby, say) is of no use: its own statement, with nothing in it,
  // shows that.
  if (const auto tried = write_accepts(session_, {}, false); !tried) {
    environment_.reports.report(role_, false, tried.error().detail);
    session_.disconnect();
    return false;
  }
  environment_.reports.report(role_, true, {});
  return true;
}

void accept_writer::run() {
  while (!past_the_end()) { // what waits then is expired by whoever stops us
    if (!ensure_connected()) {
      if (stop_.wait_for(backoff_.next()))
        return;
      continue;
    }
    if (pause_.count() > 0)
      stop_.wait_for(std::exchange(pause_, milliseconds{0})); // also while draining: the end is asked for afterwards
    auto batch = environment_.queue.take(clock_type::now() + milliseconds{500});
    if (batch.empty())
      progress_.idle(clock_type::now());
    if (!batch.empty())
      write(std::move(batch));
    else if (environment_.queue.closed() && stop_.wait_for(milliseconds{20}))
      return;
  }
}

void accept_writer::write(std::vector<queued_accept> batch) {
  attempt(batch);
  std::vector<queued_accept> done;
  std::vector<queued_accept> back;
  done.reserve(batch.size());
  for (auto& each : batch)
    (each.item->outcome == accept_outcome::waiting ? back : done).push_back(std::move(each));
  if (std::any_of(done.begin(), done.end(), is_confirmed))
    progress_.done(clock_type::now());
  else
    progress_.failed(clock_type::now());
  if (!back.empty())
    environment_.queue.put_back(std::move(back));
  publish_accepts(environment_, std::move(done));
}

void accept_writer::attempt(std::span<queued_accept> batch) {
  const auto started = clock_type::now();
  const auto live = std::stable_partition(batch.begin(), batch.end(),
                                          [&](const queued_accept& each) { return each.item->deadline <= started; });
  for (auto each = batch.begin(); each != live; ++each)
    each->item->outcome = accept_outcome::unavailable;
  const std::span<queued_accept> items{live, batch.end()};
  if (items.empty())
    return;
  // The answer is owed by the deadline: a call that hangs is cut then, but no healthy one for an item that is late by
  // itself.
  const auto soonest =
    std::min_element(items.begin(), items.end(), [](const queued_accept& left, const queued_accept& right) {
      return left.item->deadline < right.item->deadline;
    });
  session_.set_call_deadline(std::clamp(std::chrono::ceil<milliseconds>(soonest->item->deadline - started),
                                        call_deadline_min, call_deadline_max));
  POSTRIDER_FAILPOINT_CUT("accept.before", ::shutdown(session_.descriptor(), SHUT_RDWR));
  const auto counts = write_accepts(session_, items, near_midnight());
  if (!counts)
    return failed(counts.error(), items);
  POSTRIDER_FAILPOINT("accept.committed");
  backoff_.reset();
  if (environment_.pace != nullptr)
    environment_.pace->committed(oldest_of(items), items.size(), clock_type::now());
  environment_.counts.accept_batches.add();
  environment_.counts.accept_rows.add(counts->events);
  environment_.counts.accept_batch_size.observe(items.size());
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
  first_minute_until_ = found->first_minute_of_day ? clock_type::now() + std::chrono::seconds{70} : mono_time{};
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
      // In doubt, it may yet be committed under the former version: never decided by a read.
      if (items[i].in_doubt)
        items[i].not_before = clock_type::now() + item_pause;
      else
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
  if (worth_dividing(failure)) {
    if (items.size() == 1)
      return put_aside(failure, items.front());
    attempt(items.first(items.size() / 2));
    attempt(items.subspan(items.size() / 2));
    return;
  }
  switch (failure.what) {
  case lost:
    for (auto& each : items)
      each.in_doubt = true;
    pause_ = backoff_.next(); // a server that loses each connection is not asked as fast as it can connect
    environment_.counts.store_in_doubt.add(items.size());
    environment_.reports.report(role_, false, failure.detail);
    return;
  case rejected:
  case busy:
    pause_ = milliseconds{20};
    break;
  case mistake:
    pause_ = milliseconds{500};
    break;
  }
  spdlog::warn("store: accept batch failed, tried again rows={} sqlstate={} detail={}", items.size(), failure.sqlstate,
               failure.detail);
}

/// Refused for good, or it waits for another try while the others go on.
void accept_writer::put_aside(const session_failure& failure, queued_accept& item) const {
  const bool again = item.not_before != mono_time{}; // told once
  if (failure.what == session_failure::kind::rejected) {
    item.item->outcome = accept_outcome::rejected;
    item.item->detail = failure.detail;
  } else {
    item.not_before = clock_type::now() + item_pause;
    if (failure.sqlstate == "23514")
      environment_.partitions_missing();
  }
  spdlog::log(again ? spdlog::level::debug : spdlog::level::warn,
              "store: one event is {} event={} sqlstate={} detail={}",
              failure.what == session_failure::kind::rejected ? "refused by the database" : "tried again later",
              to_string(item.item->what->id), failure.sqlstate, failure.detail);
}

} // namespace postrider
