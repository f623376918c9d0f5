#pragma once

#include "core/outcome.hpp"
#include "core/verify_reason.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace postrider {

/// A count that only grows. Relaxed: it orders nothing.
class counter {
public:
  void add(std::uint64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
  std::atomic<std::uint64_t> value_{0};
};

class gauge {
public:
  void set(std::int64_t n) noexcept { value_.store(n, std::memory_order_relaxed); }
  void add(std::int64_t n) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
  std::atomic<std::int64_t> value_{0};
};

/// Latencies in microseconds over fixed bounds, in the way of Prometheus: bucket i counts values <= bounds_us[i].
class latency_histogram {
public:
  static constexpr std::array<std::uint64_t, 14> bounds_us{500,       1'000,     2'500,     5'000,     10'000,
                                                           25'000,    50'000,    100'000,   250'000,   500'000,
                                                           1'000'000, 2'500'000, 5'000'000, 10'000'000};
  void observe(std::uint64_t us) noexcept {
    std::size_t i = 0;
    while (i < bounds_us.size() && us > bounds_us[i])
      ++i;
    buckets_[i].fetch_add(1, std::memory_order_relaxed);
    sum_us_.fetch_add(us, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t bucket(std::size_t i) const noexcept {
    return buckets_[i].load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t sum_us() const noexcept { return sum_us_.load(std::memory_order_relaxed); }

private:
  std::array<std::atomic<std::uint64_t>, bounds_us.size() + 1> buckets_{};
  std::atomic<std::uint64_t> sum_us_{0};
};

/// How many at once: batches of commits. Bucket i counts values <= bounds[i].
class size_histogram {
public:
  static constexpr std::array<std::uint64_t, 11> bounds{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1'024};
  void observe(std::uint64_t size) noexcept {
    std::size_t i = 0;
    while (i < bounds.size() && size > bounds[i])
      ++i;
    buckets_[i].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(size, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t bucket(std::size_t i) const noexcept {
    return buckets_[i].load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t sum() const noexcept { return sum_.load(std::memory_order_relaxed); }

private:
  std::array<std::atomic<std::uint64_t>, bounds.size() + 1> buckets_{};
  std::atomic<std::uint64_t> sum_{0};
};

/// Everything the node counts, as plain atomics; `net` renders it as `postrider_…`. One instance a process, handed to
/// each part.
struct metrics {
  // ingest, by answer
  counter ingest_accepted, ingest_duplicate, ingest_rejected, ingest_unknown, ingest_handshake, ingest_overloaded,
    ingest_unavailable, ingest_invalid_http, ingest_rate_limited, ingest_backlog_full;
  counter http_overloaded; ///< requests refused because too many bodies are being read
  counter ingest_bytes;
  latency_histogram ingest_latency; ///< request read to answer written
  gauge ingest_open;                ///< requests without an answer
  gauge connections_public, connections_operator;
  counter tls_handshakes_failed;                            ///< of both listeners
  std::array<counter, verify_reason_count> ingest_refusals; ///< of `ingest_rejected`, by reason
  // store
  counter accept_batches, accept_rows, record_batches, record_rows, record_missed, claim_calls, claim_rows;
  gauge held_deliveries, held_bytes; ///< committed, undelivered, in memory
  gauge late_claims_per_s;           ///< the pace of late work (core/backlog_pace.hpp); 0: not limited
  latency_histogram accept_commit_latency, record_commit_latency;
  size_histogram accept_batch_size, record_batch_size;
  gauge accept_queue_max, accept_queue_bytes, accept_queue_bytes_max;
  gauge store_connections, store_connections_wanted; ///< of the engine: open now, and when all is well
  gauge management_connections;                      ///< made when they are needed
  counter store_reconnects, store_call_timeouts, store_in_doubt;
  gauge accept_queue, record_queue, database_up;
  // delivery
  counter attempts_started, attempts_succeeded, attempts_failed, attempts_interrupted, attempts_refused;
  counter deliveries_succeeded, deliveries_dead, deliveries_retried;
  std::array<counter, attempt_reason_count> attempt_failures; ///< of `attempts_failed`, by reason
  counter deliveries_accepted;                                ///< created with their events
  counter breaker_opened, breaker_closed;
  gauge breakers_open;                ///< of endpoints whose actor lives; half open ones too
  counter due_hints, due_hints_taken; ///< told by the poll; taken up by a supervisor, or not wanted
  gauge endpoint_connections_max;
  latency_histogram delivery_latency; ///< event id's time to successful outcome
  gauge attempts_running, endpoint_connections;
  // actors
  gauge actors_tenants, actors_verifiers, actors_deliveries;
  counter actor_crashes, actor_restarts, actor_quarantines, actors_passivated;
  gauge shards_owned;
};

} // namespace postrider
