#include "persistence/session_worker.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>

namespace postrider {

namespace {
using clock_type = std::chrono::steady_clock;
constexpr milliseconds retry_kept_after{200};
} // namespace

session_worker::session_worker(session_options options, watchdog& dog, metrics& counts, availability* reports,
                               session_role role)
    : session_{std::move(options), dog, counts}, reports_{reports}, role_{role} {}

session_worker::~session_worker() {
  stop(milliseconds{0});
}

void session_worker::every(milliseconds interval, std::string what, session_work work) {
  regulars_.push_back({interval, std::move(what), std::move(work), mono_time{}});
}

void session_worker::start() {
  thread_ = std::thread{[this] { run(); }};
}

bool session_worker::post(job what) {
  {
    const std::lock_guard lock{mutex_};
    if (!stop_at_ && jobs_.size() < jobs_max) {
      jobs_.push_back(std::move(what));
      changed_.notify_one();
      return true;
    }
  }
  if (what.abandon)
    what.abandon();
  return false;
}

void session_worker::hurry() {
  {
    const std::lock_guard lock{mutex_};
    hurried_ = true;
  }
  changed_.notify_one();
}

void session_worker::stop(milliseconds grace) {
  {
    const std::lock_guard lock{mutex_};
    if (!stop_at_)
      stop_at_ = clock_type::now() + grace;
  }
  changed_.notify_all();
  if (thread_.joinable())
    thread_.join();
  std::deque<job> left;
  {
    const std::lock_guard lock{mutex_};
    left.swap(jobs_);
  }
  for (auto& each : left)
    if (each.abandon)
      each.abandon();
}

bool session_worker::ensure_connected() {
  if (session_.connected())
    return true;
  if (const auto failure = session_.connect()) {
    if (reports_ != nullptr)
      reports_->report(role_, false, failure->detail);
    return false;
  }
  backoff_.reset();
  if (reports_ != nullptr)
    reports_->report(role_, true, {});
  return true;
}

void session_worker::run() {
  for (;;) {
    const auto connected = ensure_connected();
    {
      std::unique_lock lock{mutex_};
      const bool kept = std::any_of(jobs_.begin(), jobs_.end(), [](const job& each) { return each.keep; });
      if (stop_at_ && (jobs_.empty() || (!connected && !kept) || clock_type::now() >= *stop_at_))
        return;
    }
    if (!connected) {
      abandon_impatient();
      const auto delay = backoff_.next();
      std::unique_lock lock{mutex_};
      changed_.wait_for(lock, delay, [this] { return stop_at_.has_value(); });
      if (stop_at_)
        changed_.wait_for(lock, milliseconds{50}, [] { return false; });
      continue;
    }
    run_regular(clock_type::now());
    if (auto next = wait_for_job())
      run_job(std::move(*next));
  }
}

void session_worker::run_regular(mono_time now) {
  {
    const std::lock_guard lock{mutex_};
    if (stop_at_)
      return;
    if (std::exchange(hurried_, false))
      for (auto& each : regulars_)
        each.next = now;
  }
  for (auto& each : regulars_) {
    if (each.next > now || !session_.connected())
      continue;
    each.next = now + each.interval;
    if (const auto failure = each.work(session_)) {
      spdlog::warn("store: regular work failed work={} sqlstate={} detail={}", each.what, failure->sqlstate,
                   failure->detail);
      if (reports_ != nullptr && failure->what == session_failure::kind::lost)
        reports_->report(role_, false, failure->detail);
    }
  }
}

std::optional<session_worker::job> session_worker::wait_for_job() {
  auto until = clock_type::now() + milliseconds{500};
  for (const auto& each : regulars_)
    until = std::min(until, each.next);
  std::unique_lock lock{mutex_};
  changed_.wait_until(lock, until, [this] { return !jobs_.empty() || hurried_ || stop_at_.has_value(); });
  if (jobs_.empty())
    return std::nullopt;
  auto next = std::move(jobs_.front());
  jobs_.pop_front();
  return next;
}

void session_worker::run_job(job what) {
  const auto failure = what.work(session_);
  if (!failure)
    return;
  if (reports_ != nullptr && failure->what == session_failure::kind::lost)
    reports_->report(role_, false, failure->detail);
  const bool hopeless = failure->what == session_failure::kind::rejected;
  if (failure->what != session_failure::kind::lost)
    spdlog::warn("store: work failed role={} sqlstate={} detail={}", session_.options().role, failure->sqlstate,
                 failure->detail);
  if (!what.keep || hopeless) {
    if (what.abandon)
      what.abandon();
    return;
  }
  std::unique_lock lock{mutex_};
  jobs_.push_front(std::move(what));
  if (failure->what != session_failure::kind::lost)
    changed_.wait_for(lock, retry_kept_after, [] { return false; });
}

void session_worker::abandon_impatient() {
  std::vector<job> impatient;
  {
    const std::lock_guard lock{mutex_};
    const auto first = std::stable_partition(jobs_.begin(), jobs_.end(), [](const job& each) { return each.keep; });
    std::move(first, jobs_.end(), std::back_inserter(impatient));
    jobs_.erase(first, jobs_.end());
  }
  for (auto& each : impatient)
    if (each.abandon)
      each.abandon();
}

} // namespace postrider
