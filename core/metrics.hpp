#pragma once

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

/// Everything the node counts, as plain atomics; `net` renders it as `postrider_…`. One instance a process, handed to
/// each part.
struct metrics {
  // ingest, by answer
  counter ingest_accepted, ingest_duplicate, ingest_rejected, ingest_unknown, ingest_handshake, ingest_overloaded,
    ingest_unavailable, ingest_invalid_http;
  counter http_overloaded; ///< requests refused because too many bodies are being read
  counter ingest_bytes;
  latency_histogram ingest_latency; ///< request read to answer written
  gauge ingest_open;                ///< requests without an answer
  gauge connections_public, connections_operator;
  counter tls_handshakes_failed; ///< of both listeners
  // store
  counter accept_batches, accept_rows, record_batches, record_rows, record_missed, claim_calls, claim_rows;
  latency_histogram accept_commit_latency, record_commit_latency;
  counter store_reconnects, store_call_timeouts, store_in_doubt;
  gauge accept_queue, record_queue, database_up;
  // delivery
  counter attempts_started, attempts_succeeded, attempts_failed, attempts_interrupted, attempts_refused;
  counter deliveries_succeeded, deliveries_dead, deliveries_retried;
  counter breaker_opened, breaker_closed;
  latency_histogram delivery_latency; ///< event id's time to successful outcome
  gauge attempts_running, endpoint_connections;
  // actors
  gauge actors_tenants, actors_verifiers, actors_deliveries;
  counter actor_crashes, actor_restarts, actor_quarantines, actors_passivated;
  gauge shards_owned;
};

} // namespace postrider
