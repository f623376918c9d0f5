#include "core/backlog_pace.hpp"

#include <algorithm>

namespace postrider {

namespace {

double seconds_of(mono_time::duration span) noexcept {
  return std::chrono::duration<double>{span}.count();
}

constexpr double smoothing = 0.25;
constexpr double incoming_over = 0.5; // seconds
constexpr double rate_max = 1e6;

} // namespace

backlog_pace::microseconds backlog_pace::base() const noexcept {
  double least = 0;
  for (const auto each : least_)
    if (each > 0 && (least == 0 || each < least))
      least = each;
  return as_time(least);
}

backlog_pace::microseconds backlog_pace::target() const noexcept {
  return as_time(static_cast<double>(base().count()) * tolerance) + slack;
}

bool backlog_pace::limited(mono_time now) const noexcept {
  return heard_at_ && now - *heard_at_ < quiet_after;
}

double backlog_pace::page() const noexcept {
  return std::clamp<double>(rate_ * seconds_of(page_of), page_min, page_max);
}

double backlog_pace::tokens(mono_time now) const noexcept {
  return std::min(2 * page(), tokens_ + rate_ * std::max(0.0, seconds_of(now - tokens_at_)));
}

std::optional<double> backlog_pace::rate(mono_time now) const {
  return limited(now) ? std::optional{rate_} : std::nullopt;
}

mono_time backlog_pace::ready_at(mono_time now) const {
  if (!limited(now))
    return now;
  const auto missing = page() - tokens(now);
  const auto paid =
    now + std::chrono::ceil<std::chrono::microseconds>(std::chrono::duration<double>{std::max(0.0, missing) / rate_});
  return std::max(paid, look_until_);
}

std::uint32_t backlog_pace::take(std::uint32_t most, mono_time now, std::uint32_t cost) {
  const bool ready = ready_at(now) <= now; // as its caller was told
  advance(now);
  auto rows = std::min(most, page_max);
  if (limited(now)) {
    if (!ready)
      return 0;
    rows = std::min(rows, std::max(static_cast<std::uint32_t>(page()) / cost, 1U));
    tokens_ = tokens(now) - rows * cost;
    tokens_at_ = now;
  }
  worked_at_ = now;
  rows_ += rows * cost;
  return rows;
}

void backlog_pace::give_back(std::uint32_t rows, mono_time now, std::uint32_t cost) {
  tokens_ = std::min(2 * page(), tokens(now) + rows * cost);
  tokens_at_ = now;
  rows_ -= rows * cost; // may be of a slice before
}

void backlog_pace::committed(microseconds delay, std::size_t events, mono_time now) {
  const bool first = !limited(now);
  advance(now);
  if (first && worked_at_ && now - *worked_at_ < quiet_after)
    look_until_ = now + look_lasts; // what it costs those that come in is not known yet
  heard_at_ = now;
  delays_ += static_cast<double>(delay.count());
  ++batches_;
  events_ += events;
}

void backlog_pace::begin_minute(mono_time now) {
  std::rotate(least_.begin(), least_.end() - 1, least_.end());
  least_.front() = 0;
  minute_start_ = now;
  if (limited(now) && worked_at_ && now - *worked_at_ < quiet_after)
    look_until_ = now + look_lasts;
}

void backlog_pace::advance(mono_time now) {
  if (now - minute_start_ >= look_every)
    begin_minute(now);
  if (now - slice_start_ < slice)
    return;
  learn(now, seconds_of(now - slice_start_));
  slice_start_ = now;
  delays_ = 0;
  batches_ = events_ = 0;
  rows_ = 0;
}

void backlog_pace::learn(mono_time now, double seconds) {
  tokens_ = tokens(now); // by the rate until now
  tokens_at_ = now;
  incoming_ += (static_cast<double>(events_) / seconds - incoming_) * std::min(1.0, seconds / incoming_over);
  const auto used = static_cast<double>(std::max<std::int64_t>(rows_, 0)) / seconds;
  if (batches_ > 0) {
    const auto mean = delays_ / static_cast<double>(batches_);
    delay_ = delay_ == 0 ? mean : delay_ + (mean - delay_) * smoothing;
    auto& least = least_.front();
    least = least == 0 ? delay_ : std::min(least, delay_);
    const auto wanted = static_cast<double>(target().count());
    const auto off = std::clamp((wanted - delay_) / wanted, -1.0, 1.0);
    if (off < 0 || used >= rate_ / 2)
      rate_ *= 1 + gain * off;
  } else if (!limited(now)) {
    rate_ = std::max(rate_, used); // where it goes on from when something comes in
  }
  const auto least = floor_per_second + incoming_;
  if (!worked_at_ || now - *worked_at_ >= quiet_after)
    rate_ = least;
  rate_ = std::clamp(rate_, least, rate_max);
}

} // namespace postrider
