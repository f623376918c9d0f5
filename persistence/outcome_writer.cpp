#include "persistence/outcome_writer.hpp"

#include "core/failpoint.hpp"
#include "persistence/parameters.hpp"
#include "persistence/record_sql.hpp"

#include <pqxx/pqxx>

#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <unordered_map>

namespace postrider {

namespace {

using clock_type = std::chrono::steady_clock;

template <class E>
std::int16_t small(E value) {
  return static_cast<std::int16_t>(value);
}
std::int16_t clamp_small(std::uint32_t value) {
  return static_cast<std::int16_t>(std::min<std::uint32_t>(value, 32'767));
}
std::int32_t clamp_duration(milliseconds value) {
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(value.count(), 0, 2'000'000'000));
}

struct record_parameters {
  explicit record_parameters(std::span<const outcome_write> writes) : ids{array_type::uuid, writes.size(), 16} {
    for (const auto& each : writes)
      add(each);
  }

  void add(const outcome_write& write) {
    ids.add(write.delivery.value);
    froms.add(small(write.from));
    fences.add(write.under);
    tos.add(small(write.to));
    reasons.add(small(write.reason));
    steps.add(clamp_small(write.step));
    dues.add(write.next_attempt_at);
    uncounts.add(std::int32_t{write.uncount ? 1 : 0});
    numbers.add(static_cast<std::int32_t>(write.number));
    claims.add(write.claimed_until);
    if (!write.attempt) {
      for (auto* each : {&starts, &durations, &outcomes, &attempt_reasons, &statuses, &excerpts})
        each->add_null();
      return;
    }
    const auto& attempt = *write.attempt;
    starts.add(attempt.started_at);
    durations.add(clamp_duration(attempt.duration));
    outcomes.add(small(attempt.outcome));
    attempt_reasons.add(small(attempt.reason));
    statuses.add(static_cast<std::int16_t>(std::clamp(attempt.http_status, 0, 999)));
    if (attempt.excerpt.empty())
      excerpts.add_null();
    else
      excerpts.add(std::string_view{attempt.excerpt});
  }

  binary_array ids;
  binary_array froms{array_type::int2}, fences{array_type::int8}, tos{array_type::int2}, reasons{array_type::int2},
    steps{array_type::int2}, dues{array_type::timestamptz}, uncounts{array_type::int4}, numbers{array_type::int4},
    starts{array_type::timestamptz}, durations{array_type::int4}, outcomes{array_type::int2},
    attempt_reasons{array_type::int2}, statuses{array_type::int2}, excerpts{array_type::bytea},
    claims{array_type::timestamptz};
};

session_result<void> read_missed(session& on, std::span<const outcome_write> writes,
                                 const std::vector<std::size_t>& missed, std::vector<record_result>& results) {
  binary_array ids{array_type::uuid, missed.size(), 16};
  for (const auto index : missed)
    ids.add(writes[index].delivery.value);
  return on.call([&](pqxx::connection_base& connection) {
    for (const auto& row : pqxx::nontransaction{connection}.exec_prepared("find_deliveries", parameter(ids))) {
      const auto index = missed.at(row[0].as<std::size_t>());
      const auto& write = writes[index];
      const record_result::actual found{static_cast<delivery_state>(row[1].as<int>()), row[2].as<std::int64_t>()};
      const auto number = write.number - (write.uncount ? 1 : 0);
      if (found.state == write.to && found.under == write.under && row[3].as<std::uint32_t>() == number)
        results[index].recorded = true; // by an earlier run whose answer was lost
      else
        results[index].found = found;
    }
  });
}

} // namespace

std::vector<prepared_sql> record_statements() {
  return {{"record", record_sql}, {"find_deliveries", find_deliveries_sql}};
}

session_result<std::vector<record_result>> write_outcomes(session& on, std::span<const outcome_write> writes) {
  const record_parameters p{writes};
  std::vector<std::size_t> cancelled;
  const auto missed = on.call([&](pqxx::connection_base& connection) {
    std::vector<std::size_t> out;
    pqxx::nontransaction transaction{connection};
    if (!writes.empty())
      POSTRIDER_FAILPOINT_CUT("outcome.unheard", ::shutdown(on.descriptor(), SHUT_RD));
    for (const auto& row : transaction.exec_prepared(
           "record", parameter(p.ids), parameter(p.froms), parameter(p.fences), parameter(p.tos), parameter(p.reasons),
           parameter(p.steps), parameter(p.dues), parameter(p.uncounts), parameter(p.numbers), parameter(p.starts),
           parameter(p.durations), parameter(p.outcomes), parameter(p.attempt_reasons), parameter(p.statuses),
           parameter(p.excerpts), parameter(p.claims)))
      (row[1].as<bool>() ? cancelled : out).push_back(row[0].as<std::size_t>());
    return out;
  });
  if (!missed)
    return missed.error();
  std::vector<record_result> results;
  results.reserve(writes.size());
  for (const auto& each : writes)
    results.push_back({each.delivery, each.ticket, true, std::nullopt});
  for (const auto index : *missed)
    results.at(index).recorded = false;
  for (const auto index : cancelled) { // written, but the row is final: nothing of it is scheduled
    results.at(index).recorded = false;
    results.at(index).found = {delivery_state::cancelled, writes[index].under};
  }
  if (!missed->empty())
    if (const auto read = read_missed(on, writes, *missed, results); !read)
      return read.error();
  return results;
}

outcome_writer::outcome_writer(record_queue& queue, open_rides& rides, availability& reports, metrics& counts,
                               session_options options, watchdog& dog, pulse* progress)
    : queue_{queue}
    , rides_{rides}
    , reports_{reports}
    , metrics_{counts}
    , session_{std::move(options), dog, counts}
    , progress_{progress} {
  thread_ = std::thread{[this] { run(); }};
}

outcome_writer::~outcome_writer() {
  stop(clock_type::now());
}

void outcome_writer::stop(mono_time until) {
  end_ = std::min(end_.load(), until);
  session_.end_at(until);
  stop_.request();
  if (thread_.joinable())
    thread_.join();
  progress_.ended();
}

bool outcome_writer::ensure_connected() {
  if (session_.connected())
    return true;
  if (const auto failure = session_.connect()) {
    reports_.report(session_role::record, false, failure->detail);
    return false;
  }
  // As the accept writers do: what cannot be written to is not usable.
  if (const auto tried = write_outcomes(session_, {}); !tried) {
    reports_.report(session_role::record, false, tried.error().detail);
    session_.disconnect();
    return false;
  }
  reports_.report(session_role::record, true, {});
  return true;
}

void outcome_writer::run() {
  while (clock_type::now() < end_.load()) {
    if (!ensure_connected()) {
      if (stop_.wait_for(backoff_.next()))
        return;
      continue;
    }
    if (pause_.count() > 0)
      stop_.wait_for(std::exchange(pause_, milliseconds{0}));
    auto batch = queue_.take(clock_type::now() + milliseconds{500});
    if (batch.empty()) {
      progress_.idle(clock_type::now());
      if (stop_.requested())
        return;
      continue;
    }
    std::vector<outcome_write> back;
    if (write(batch, back))
      progress_.done(clock_type::now());
    else
      progress_.failed(clock_type::now());
    if (!back.empty())
      queue_.put_back(std::move(back));
  }
}

bool outcome_writer::write(std::span<outcome_write> writes, std::vector<outcome_write>& back) {
  const auto started = clock_type::now();
  POSTRIDER_FAILPOINT_CUT("outcome.before", ::shutdown(session_.descriptor(), SHUT_RDWR));
  auto results = write_outcomes(session_, writes);
  if (!results)
    return failed(results.error(), writes, back);
  POSTRIDER_FAILPOINT("outcome.committed");
  backoff_.reset();
  metrics_.record_batches.add();
  metrics_.record_rows.add(writes.size());
  metrics_.record_batch_size.observe(writes.size());
  metrics_.record_commit_latency.observe(static_cast<std::uint64_t>(
    std::chrono::duration_cast<std::chrono::microseconds>(clock_type::now() - started).count()));
  tell(writes, std::move(*results));
  return true;
}

bool outcome_writer::failed(const session_failure& failure, std::span<outcome_write> writes,
                            std::vector<outcome_write>& back) {
  using enum session_failure::kind;
  if (failure.what == rejected && writes.size() > 1) {
    const bool first = write(writes.first(writes.size() / 2), back);
    const bool second = write(writes.subspan(writes.size() / 2), back);
    return first || second;
  }
  if (failure.what == rejected) {
    spdlog::error("store: one outcome is refused by the database delivery={} sqlstate={} detail={}",
                  to_string(writes.front().delivery), failure.sqlstate, failure.detail);
    // Its row is in flight still; where it rode, the look for open rides must find it.
    tell(writes, {{writes.front().delivery, writes.front().ticket, false, std::nullopt}}, false);
    return false;
  }
  if (failure.what == lost) {
    pause_ = backoff_.next();
    metrics_.store_in_doubt.add(writes.size());
    reports_.report(session_role::record, false, failure.detail);
  } else {
    pause_ = failure.what == busy ? milliseconds{20} : milliseconds{500};
    spdlog::warn("store: outcome batch failed, tried again rows={} sqlstate={} detail={}", writes.size(),
                 failure.sqlstate, failure.detail);
  }
  back.insert(back.end(), std::make_move_iterator(writes.begin()), std::make_move_iterator(writes.end()));
  return false;
}

void outcome_writer::tell(std::span<outcome_write> writes, std::vector<record_result> results, bool ended) {
  std::vector<delivery_id> ids;
  std::unordered_map<delivery_port*, std::vector<record_result>> by_owner;
  ids.reserve(writes.size());
  for (std::size_t i = 0; i < writes.size(); ++i) {
    ids.push_back(writes[i].delivery);
    if (!results[i].recorded && !(results[i].found && results[i].found->state == delivery_state::cancelled))
      metrics_.record_missed.add();
    if (writes[i].owner)
      by_owner[writes[i].owner.get()].push_back(std::move(results[i]));
  }
  if (ended)
    rides_.remove(ids);
  queue_.written(writes.size());
  for (auto& [owner, each] : by_owner)
    owner->recorded(std::move(each)); // alive: `writes` still holds it
}

} // namespace postrider
