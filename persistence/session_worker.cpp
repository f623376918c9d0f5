#include "persistence/session_worker.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace postrider {

namespace {
using clock_type = std::chrono::steady_clock;
constexpr milliseconds retry_kept_after{200}; // doubling
constexpr milliseconds retry_kept_after_max{5'000};
constexpr milliseconds cut_after{500};
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
    const auto waiting = jobs_.size_of(what.tenant) + late_.size_of(what.tenant);
    const bool room = what.keep ? kept_.size() < jobs_max : leaves_room(waiting, jobs_.size() + late_.size(), jobs_max);
    if (!stop_at_ && room) {
      what.posted_at = clock_type::now();
      if (what.keep)
        kept_.push_back(std::move(what));
      else
        (what.late ? late_ : jobs_).push_back(what.tenant, what.endpoint, what.weight, std::move(what));
      changed_.notify_one();
      return true;
    }
  }
  if (what.keep)
    spdlog::error("store: work dropped, the queue is full or closed role={}", session_.options().role);
  if (what.abandon)
    what.abandon();
  return false;
}

void session_worker::hurry(std::string_view what) {
  {
    const std::lock_guard lock{mutex_};
    for (auto& each : regulars_)
      each.hurried = each.hurried || each.what == what;
  }
  changed_.notify_one();
}

void session_worker::begin_stop(milliseconds grace) {
  const auto at = clock_type::now() + grace;
  {
    const std::lock_guard lock{mutex_};
    stop_at_ = std::min(stop_at_.value_or(at), at);
  }
  session_.end_at(at + cut_after);
  changed_.notify_all();
}

void session_worker::stop(milliseconds grace) {
  begin_stop(grace);
  if (thread_.joinable())
    thread_.join();
  progress_.ended();
  std::vector<job> left;
  std::deque<job> kept;
  {
    const std::lock_guard lock{mutex_};
    left = take_all();
    kept.swap(kept_);
  }
  if (!kept.empty())
    spdlog::error("store: work dropped at the end role={} count={}", session_.options().role, kept.size());
  kept.insert(kept.end(), std::make_move_iterator(left.begin()), std::make_move_iterator(left.end()));
  for (auto& each : kept)
    if (each.abandon)
      each.abandon();
}

bool session_worker::ensure_connected() {
  if (session_.connected())
    return true;
  if (std::exchange(pause_before_connect_, false))
    wait_to_connect();
  if (finished(true))
    return false;
  if (const auto failure = session_.connect()) {
    lost(*failure);
    return false;
  }
  proved_ = false;
  if (reports_ != nullptr)
    reports_->report(role_, true, {});
  return true;
}

void session_worker::lost(const session_failure& failure) {
  if (reports_ != nullptr)
    reports_->report(role_, false, failure.detail);
  pause_before_connect_ = !std::exchange(proved_, false);
}

void session_worker::worked() {
  if (!std::exchange(proved_, true))
    backoff_.reset();
}

void session_worker::wait_to_connect() {
  const auto delay = backoff_.next();
  std::unique_lock lock{mutex_};
  changed_.wait_for(lock, delay, [this] { return stop_at_.has_value(); });
  if (stop_at_)
    changed_.wait_for(lock, milliseconds{50}, [] { return false; });
}

/// Whether it may end. What is kept may still be done where a connection can be had.
bool session_worker::finished(bool connected) const {
  const std::lock_guard lock{mutex_};
  if (!stop_at_)
    return false;
  return (jobs_.empty() && late_.empty() && kept_.empty()) || (!connected && kept_.empty()) ||
         clock_type::now() >= *stop_at_;
}

void session_worker::run() {
  while (!finished(true)) {
    if (!ensure_connected()) {
      if (finished(false))
        return;
      abandon_impatient();
      continue;
    }
    run_regular(clock_type::now());
    if (auto next = wait_for_job())
      run_job(std::move(*next));
    else
      progress_.idle(clock_type::now());
  }
}

void session_worker::run_regular(mono_time now) {
  for (auto& each : regulars_) {
    {
      const std::lock_guard lock{mutex_};
      if (stop_at_)
        return;
      if (std::exchange(each.hurried, false))
        each.next = now;
    }
    if (each.next > now || !session_.connected())
      continue;
    each.next = now + each.interval;
    const auto failure = each.work(session_);
    if (!failure) {
      worked();
      continue;
    }
    spdlog::warn("store: regular work failed work={} sqlstate={} detail={}", each.what, failure->sqlstate,
                 failure->detail);
    if (failure->what == session_failure::kind::lost)
      lost(*failure);
  }
}

std::vector<session_worker::job> session_worker::take_all() {
  auto out = jobs_.take_all();
  auto late = late_.take_all();
  out.insert(out.end(), std::make_move_iterator(late.begin()), std::make_move_iterator(late.end()));
  return out;
}

// Nothing waits for its pace while it stops.
bool session_worker::late_is_ready(mono_time now) const {
  return !late_.empty() && (stop_at_ || !late_ready_at_ || late_ready_at_(now) <= now);
}

std::optional<session_worker::job> session_worker::take_job(mono_time now) {
  const bool late = late_is_ready(now);
  if (!jobs_.empty() && !(late && prompt_in_a_row_ >= prompt_before_late)) {
    ++prompt_in_a_row_;
    return jobs_.pop_front();
  }
  if (!late)
    return std::nullopt;
  prompt_in_a_row_ = 0;
  return late_.pop_front();
}

std::optional<session_worker::job> session_worker::wait_for_job() {
  const auto now = clock_type::now();
  auto until = now + milliseconds{500};
  for (const auto& each : regulars_)
    until = std::min(until, each.next);
  std::unique_lock lock{mutex_};
  const auto kept_is_due = [this] { return !kept_.empty() && clock_type::now() >= kept_at_; };
  const auto something = [&] {
    return kept_is_due() || !jobs_.empty() || late_is_ready(clock_type::now()) || stop_at_.has_value() ||
           std::any_of(regulars_.begin(), regulars_.end(), [](const regular& each) { return each.hurried; });
  };
  if (!kept_.empty())
    until = std::min(until, kept_at_);
  while (!something() && clock_type::now() < until) {
    // Asked anew each time: the pace grows while it waits.
    const bool paced = !late_.empty() && late_ready_at_;
    changed_.wait_until(lock, paced ? std::min(until, late_ready_at_(clock_type::now())) : until);
  }
  if (!kept_is_due()) {
    auto next = take_job(clock_type::now());
    if (!next && stop_at_ && !kept_.empty())
      changed_.wait_until(lock, std::min(kept_at_, *stop_at_), [] { return false; });
    return next;
  }
  auto next = std::move(kept_.front());
  kept_.pop_front();
  return next;
}

void session_worker::run_job(job what) {
  if (what.patience.count() > 0 && clock_type::now() - what.posted_at > what.patience) {
    if (what.abandon)
      what.abandon();
    return;
  }
  const auto failure = what.work(session_);
  if (!failure) {
    progress_.done(clock_type::now());
    worked();
    if (what.keep)
      kept_delay_ = milliseconds{0};
    return;
  }
  progress_.failed(clock_type::now());
  const bool is_lost = failure->what == session_failure::kind::lost;
  if (is_lost)
    lost(*failure);
  else
    spdlog::warn("store: work failed role={} sqlstate={} detail={}", session_.options().role, failure->sqlstate,
                 failure->detail);
  if (what.keep && failure->what != session_failure::kind::rejected)
    return try_again(std::move(what));
  if (what.keep)
    spdlog::error("store: work dropped, the database refuses it role={} sqlstate={}", session_.options().role,
                  failure->sqlstate);
  if (what.abandon)
    what.abandon();
}

void session_worker::try_again(job what) {
  const std::lock_guard lock{mutex_};
  kept_.push_front(std::move(what));
  kept_delay_ = std::clamp(kept_delay_ * 2, retry_kept_after, retry_kept_after_max);
  kept_at_ = clock_type::now() + kept_delay_;
}

void session_worker::abandon_impatient() {
  std::vector<job> impatient;
  {
    const std::lock_guard lock{mutex_};
    impatient = take_all();
  }
  for (auto& each : impatient)
    if (each.abandon)
      each.abandon();
}

} // namespace postrider
