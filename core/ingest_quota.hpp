#pragma once

#include "core/rate_limit.hpp"
#include "core/time.hpp"

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

namespace postrider {

/// What of a tenant's quotas limits its ingest: its own, else those of its plan. Nothing: not limited; each at least 0,
/// and 0 takes nothing in.
struct ingest_quotas {
  std::optional<std::int64_t> per_s;       ///< webhooks a second
  std::optional<std::int64_t> bytes_per_s; ///< bytes of their bodies a second
  std::optional<std::int64_t> backlog;     ///< live deliveries: pending, in flight, waiting for a retry

  friend bool operator==(const ingest_quotas&, const ingest_quotas&) = default;
};

enum class quota_verdict : std::uint8_t { admitted, rate_limited, backlog_full };

/// What was taken so far, and what the tenant has.
struct ingest_use {
  token_bucket requests;
  token_bucket bytes;
  std::int64_t live = 0; ///< as last read from the database
};

struct quota_step {
  ingest_use next;
  quota_verdict verdict = quota_verdict::admitted;
  std::chrono::seconds retry_after{0}; ///< where it is not admitted: rounded up, 1 to `retry_after_max`
};

/// A provider that is told to wait longer gives up, or asks all the same.
constexpr std::chrono::seconds retry_after_max{3'600};
/// Nobody knows when a backlog has gone down: as long as it takes to read it a few times.
constexpr std::chrono::seconds retry_after_backlog{5};

/// Whether one verified webhook of so many bytes is taken in. All or nothing: what one limit refuses takes nothing from
/// the other. The burst of each rate is one second's worth; a body above that is taken when its bucket is full.
///
/// | live >= backlog | requests | bytes   | verdict                                                       |
/// | --------------- | -------- | ------- | ------------------------------------------------------------- |
/// | yes             | any      | any     | backlog_full                                                  |
/// | no              | refused  | any     | rate_limited, until the later of both                         |
/// | no              | any      | refused | rate_limited, likewise                                        |
/// | no              | fits     | fits    | admitted, both are taken                                      |
quota_step admit(const ingest_use& use, std::uint64_t bytes, mono_time now, const ingest_quotas& quotas) noexcept;

/// The quota of one tenant on this node, shared by the VERIFIERs of its sources; its SUPERVISOR configures it and has
/// the backlog read. Outlives configurations. Thread-safe: a lock held for a few additions.
///
/// Each node has its own: N nodes admit N times the rates. The backlog is the tenant's, whoever counts it.
class ingest_quota {
public:
  void configure(const ingest_quotas& quotas);
  struct answer {
    quota_verdict verdict = quota_verdict::admitted;
    std::chrono::seconds retry_after{0};
  };
  answer admit(std::uint64_t bytes, mono_time now);

  /// True: the tenant has a backlog quota, no reading is on its way, and one is of use: something asked since the last,
  /// or the last said full (else the next to come would be refused for what is long gone). The caller reads, and then
  /// calls one of the two below.
  bool begin_reading();
  void backlog_is(std::int64_t live);
  /// The database did not answer: what was known stays.
  void reading_failed();
  /// Whether there is a backlog to be read from time to time.
  [[nodiscard]] bool has_backlog() const;

private:
  mutable std::mutex mutex_;
  ingest_quotas quotas_;
  ingest_use use_;
  bool reading_ = false;
  bool asked_ = true; ///< since the last reading
};

} // namespace postrider
