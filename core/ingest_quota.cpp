#include "core/ingest_quota.hpp"

#include <algorithm>

namespace postrider {
namespace {

bool is_full(const ingest_quotas& quotas, std::int64_t live) noexcept {
  return quotas.backlog && live >= *quotas.backlog;
}

// Not limited, or of 0: the bucket stays as it is.
rate_step take(const token_bucket& bucket, std::uint64_t cost, mono_time now,
               const std::optional<std::int64_t>& per_second) noexcept {
  if (!per_second)
    return {.next = bucket};
  if (*per_second <= 0)
    return {.next = bucket, .wait_until = now + rate_wait_max};
  return take(bucket, cost, now, rate_of(static_cast<double>(*per_second)));
}

std::chrono::seconds retry_after(mono_time now, const rate_step& requests, const rate_step& bytes) noexcept {
  const auto until = std::max(requests.wait_until.value_or(now), bytes.wait_until.value_or(now));
  return std::clamp(std::chrono::ceil<std::chrono::seconds>(until - now), std::chrono::seconds{1}, retry_after_max);
}

} // namespace

quota_step admit(const ingest_use& use, std::uint64_t bytes, mono_time now, const ingest_quotas& quotas) noexcept {
  if (is_full(quotas, use.live))
    return {use, quota_verdict::backlog_full, retry_after_backlog};
  const auto requests_step = take(use.requests, 1, now, quotas.per_s);
  const auto bytes_step = take(use.bytes, bytes, now, quotas.bytes_per_s);
  if (!requests_step.admitted() || !bytes_step.admitted())
    return {use, quota_verdict::rate_limited, retry_after(now, requests_step, bytes_step)};
  return {.next = {requests_step.next, bytes_step.next, use.live}};
}

void ingest_quota::configure(const ingest_quotas& quotas) {
  const std::lock_guard guard{mutex_};
  if (!quotas.backlog)
    use_.live = 0; // a later quota is not judged by what was read long before
  quotas_ = quotas;
}

ingest_quota::answer ingest_quota::admit(std::uint64_t bytes, mono_time now) {
  const std::lock_guard guard{mutex_};
  asked_ = true;
  const auto step = postrider::admit(use_, bytes, now, quotas_);
  use_ = step.next;
  return {step.verdict, step.retry_after};
}

bool ingest_quota::begin_reading() {
  const std::lock_guard guard{mutex_};
  if (!quotas_.backlog || reading_ || (!asked_ && !is_full(quotas_, use_.live)))
    return false;
  asked_ = false;
  reading_ = true;
  return true;
}

void ingest_quota::backlog_is(std::int64_t live) {
  const std::lock_guard guard{mutex_};
  reading_ = false;
  use_.live = quotas_.backlog ? live : 0;
}

void ingest_quota::reading_failed() {
  const std::lock_guard guard{mutex_};
  reading_ = false;
  asked_ = true;
}

bool ingest_quota::has_backlog() const {
  const std::lock_guard guard{mutex_};
  return quotas_.backlog.has_value();
}

} // namespace postrider
