#include "persistence/job_runner.hpp"

#include "persistence/job_batch.hpp"
#include "persistence/tenant_access.hpp"

#include <pqxx/pqxx>

#include <spdlog/spdlog.h>

#include <map>
#include <utility>

namespace postrider {
namespace {

constexpr milliseconds cleaning_interval{std::chrono::hours{1}};

session_options session_for(const job_runner_options& options) {
  session_options out;
  out.url = options.url;
  out.role = "job";
  out.pinned_plans = true; // pages by index, whatever the tables looked like when they were analyzed
  return out;
}

/// What came of one batch; `job` is nil where there was none.
struct done_batch {
  uuid job{};
  tenant_no tenant = 0;
  job_batch batch;
};

session_result<done_batch> run_one(session& on, uuid& taken) {
  return on.call([&](pqxx::connection_base& connection) {
    pqxx::work transaction{connection};
    done_batch out;
    if (auto job = take_job(transaction)) {
      out.job = taken = job->id;
      out.tenant = job->tenant;
      out.batch = run_batch(transaction, std::move(*job));
    }
    transaction.commit();
    return out;
  });
}

/// The batch is rolled back and will be tried again, but not at once, and not for ever.
std::optional<session_failure> put_off(session& on, const uuid& job, const session_failure& failure) {
  spdlog::warn("jobs: a batch failed job={} sqlstate={} detail={}", to_string(job_id{job}), failure.sqlstate,
               failure.detail);
  const auto noted = on.call([&](pqxx::connection_base& connection) {
    pqxx::work transaction{connection};
    note_failure(transaction, job, failure.detail);
    transaction.commit();
  });
  return noted ? std::nullopt : std::optional{noted.error()};
}

void tell(const operations_ears& ears, const done_batch& done) {
  if (ears.due)
    for (const auto endpoint : done.batch.due)
      ears.due(done.tenant, endpoint);
  std::map<endpoint_no, std::vector<delivery_id>> by_endpoint;
  for (const auto& each : done.batch.running)
    by_endpoint[each.endpoint].push_back(each.id);
  if (ears.withdrawals != nullptr)
    for (auto& [endpoint, ids] : by_endpoint)
      ears.withdrawals->withdraw(
        std::make_shared<const withdrawal>(done.tenant, endpoint, std::move(ids), std::function<void()>{}));
}

std::optional<session_failure> clean(session& on) {
  const auto done = on.call([](pqxx::connection_base& connection) {
    pqxx::work transaction{connection};
    delete_old_jobs(transaction);
    transaction.commit();
  });
  return done ? std::nullopt : std::optional{done.error()};
}

} // namespace

job_runner::job_runner(job_runner_options options, metrics& counts)
    : options_{std::move(options)}, counts_{counts}, worker_{session_for(options_), watchdog_, counts} {
  worker_.every(options_.interval, "jobs", [this](session& on) { return run_round(on); });
  worker_.every(cleaning_interval, "old jobs", clean);
}

job_runner::~job_runner() {
  stop();
}

void job_runner::start() {
  worker_.start();
}

void job_runner::stop(milliseconds grace) {
  stopping_.request();
  worker_.stop(grace);
}

std::optional<session_failure> job_runner::run_round(session& on) {
  const auto until = std::chrono::steady_clock::now() + round_max;
  const auto accepted = counts_.accept_rows.value();
  const bool busy = std::exchange(accepted_, accepted) != accepted;
  const auto rows_max = busy ? round_rows_busy_max : round_rows_max;
  std::int64_t changed = 0;
  while (changed < rows_max && std::chrono::steady_clock::now() < until) {
    uuid taken{};
    const auto done = run_one(on, taken);
    if (!done) {
      if (done.error().what == session_failure::kind::lost || taken.is_nil())
        return done.error();
      return put_off(on, taken, done.error());
    }
    if (done->job.is_nil())
      return std::nullopt;
    tell(options_.ears, *done);
    changed += done->batch.changed;
    if (done->batch.changed > 0 && stopping_.wait_for(busy ? between_batches_busy : between_batches))
      return std::nullopt;
  }
  return std::nullopt;
}

} // namespace postrider
