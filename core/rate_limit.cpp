#include "core/rate_limit.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace postrider {
namespace {

constexpr double nanoseconds_a_second = 1e9;

double owed_at(const token_bucket& bucket, mono_time now, const rate_limit& limit) noexcept {
  if (bucket.owed <= 0 || now <= bucket.at)
    return std::max(bucket.owed, 0.0);
  // Unsigned: exact for any two times in order, however far apart.
  const auto elapsed = static_cast<std::uint64_t>(now.time_since_epoch().count()) -
                       static_cast<std::uint64_t>(bucket.at.time_since_epoch().count());
  return std::max(bucket.owed - limit.per_second * (static_cast<double>(elapsed) / nanoseconds_a_second), 0.0);
}

bool fits(double owed, double cost, const rate_limit& limit) noexcept {
  return owed <= 0 || owed + cost <= limit.burst;
}

// When what does not fit now will: the formula first, then as many steps as its rounding asks for.
mono_time admitted_at(const token_bucket& bucket, double cost, mono_time now, const rate_limit& limit) noexcept {
  using std::chrono::nanoseconds;
  constexpr nanoseconds longest{rate_wait_max};
  const auto from = std::max(now, bucket.at);
  const auto owed = owed_at(bucket, from, limit);
  const auto too_much = std::min(owed, owed + cost - limit.burst);
  const auto formula = std::ceil(too_much / limit.per_second * nanoseconds_a_second);
  nanoseconds wait{static_cast<nanoseconds::rep>(std::min(formula, static_cast<double>(longest.count())))};
  for (nanoseconds more{1}; wait < longest && !fits(owed_at(bucket, from + wait, limit), cost, limit); more *= 2)
    wait = std::min<nanoseconds>(wait + more, longest);
  return std::min(from + wait, now + longest);
}

} // namespace

rate_limit rate_of(double per_second) noexcept {
  return {.per_second = per_second, .burst = std::max(per_second, 1.0)};
}

rate_step take(const token_bucket& bucket, std::uint64_t cost, mono_time now, const rate_limit& limit) noexcept {
  assert(limit.per_second > 0 && limit.burst >= 1);
  const auto units = static_cast<double>(cost);
  const auto owed = owed_at(bucket, now, limit);
  if (!fits(owed, units, limit))
    return {.next = bucket, .wait_until = admitted_at(bucket, units, now, limit)};
  return {.next = {.owed = owed + units, .at = std::max(now, bucket.at)}};
}

token_bucket give_back(const token_bucket& bucket, std::uint64_t cost, mono_time now,
                       const rate_limit& limit) noexcept {
  return {.owed = std::max(owed_at(bucket, now, limit) - static_cast<double>(cost), 0.0),
          .at = std::max(now, bucket.at)};
}

double tokens_left(const token_bucket& bucket, mono_time now, const rate_limit& limit) noexcept {
  return limit.burst - owed_at(bucket, now, limit);
}

} // namespace postrider
