#include "net/metrics_page.hpp"

#include "actors/ingest.hpp"
#include "core/version.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

namespace postrider {

namespace {

constexpr double micro = 1e-6;

using prometheus::ClientMetric;
using prometheus::MetricType;

/// The families of one page, in their order.
class page {
public:
  void family(std::string_view name, MetricType type, std::string_view help) {
    families_.push_back({"postrider_" + std::string{name}, std::string{help}, type, {}});
  }
  /// One sample of the family.
  template <class Number>
  void sample(Number value, std::vector<ClientMetric::Label> labels = {}) {
    ClientMetric one;
    one.label = std::move(labels);
    auto& of_type = families_.back().type == MetricType::Counter ? one.counter.value : one.gauge.value;
    of_type = static_cast<double>(value);
    families_.back().metric.push_back(std::move(one));
  }
  void count(std::string_view name, const counter& value, std::string_view help) {
    family(name, MetricType::Counter, help);
    sample(value.value());
  }
  void level(std::string_view name, const gauge& value, std::string_view help) {
    family(name, MetricType::Gauge, help);
    sample(value.value());
  }
  void histogram(std::string_view name, const latency_histogram& value, std::string_view help) {
    family(name, MetricType::Histogram, help);
    ClientMetric one;
    auto& out = one.histogram;
    for (std::size_t i = 0; i <= latency_histogram::bounds_us.size(); ++i) {
      out.sample_count += value.bucket(i);
      // Divided, not multiplied by a millionth: 0.0025 then prints as 0.0025.
      const auto bound = i < latency_histogram::bounds_us.size()
                           ? static_cast<double>(latency_histogram::bounds_us[i]) / 1'000'000
                           : std::numeric_limits<double>::infinity();
      out.bucket.push_back({out.sample_count, bound});
    }
    out.sample_sum = static_cast<double>(value.sum_us()) * micro;
    families_.back().metric.push_back(std::move(one));
  }
  void histogram(std::string_view name, const size_histogram& value, std::string_view help) {
    family(name, MetricType::Histogram, help);
    ClientMetric one;
    auto& out = one.histogram;
    for (std::size_t i = 0; i <= size_histogram::bounds.size(); ++i) {
      out.sample_count += value.bucket(i);
      const auto bound = i < size_histogram::bounds.size() ? static_cast<double>(size_histogram::bounds[i])
                                                           : std::numeric_limits<double>::infinity();
      out.bucket.push_back({out.sample_count, bound});
    }
    out.sample_sum = static_cast<double>(value.sum());
    families_.back().metric.push_back(std::move(one));
  }
  void bound(std::string_view name, std::int64_t value, std::string_view help) {
    family(name, MetricType::Gauge, help);
    sample(value);
  }
  [[nodiscard]] std::string text() const { return prometheus::TextSerializer{}.Serialize(families_); }

private:
  std::vector<prometheus::MetricFamily> families_;
};

void ingest(page& out, const metrics& counts) {
  out.family("ingest_requests_total", MetricType::Counter, "Requests to ingest URLs, by answer.");
  out.sample(counts.ingest_accepted.value(), {{"result", "accepted"}});
  out.sample(counts.ingest_duplicate.value(), {{"result", "duplicate"}});
  out.sample(counts.ingest_rejected.value(), {{"result", "rejected"}});
  out.sample(counts.ingest_unknown.value(), {{"result", "unknown"}});
  out.sample(counts.ingest_handshake.value(), {{"result", "handshake"}});
  out.sample(counts.ingest_rate_limited.value(), {{"result", "rate_limited"}});
  out.sample(counts.ingest_backlog_full.value(), {{"result", "backlog_full"}});
  out.sample(counts.ingest_overloaded.value(), {{"result", "overloaded"}});
  out.sample(counts.ingest_unavailable.value(), {{"result", "unavailable"}});
  out.family("ingest_refusals_total", MetricType::Counter, "Webhooks not verified (401), by reason.");
  for (std::size_t i = 1; i < verify_reason_count; ++i)
    out.sample(counts.ingest_refusals[i].value(), {{"reason", std::string{to_string(static_cast<verify_reason>(i))}}});
  out.count("http_invalid_requests_total", counts.ingest_invalid_http,
            "Requests refused because they are not valid HTTP.");
  out.count("ingest_body_bytes_total", counts.ingest_bytes, "Bytes of bodies received at ingest URLs.");
  out.count("http_overloaded_requests_total", counts.http_overloaded,
            "Requests refused with 503 because too many bodies are being read.");
  out.histogram("ingest_duration_seconds", counts.ingest_latency, "From the whole request to its answer.");
  out.level("ingest_open_requests", counts.ingest_open, "Ingest requests without an answer.");
  out.bound("ingest_open_requests_max", ingest_admission::events_max, "Greatest number of them; beyond: 503.");
  out.family("http_open_connections", MetricType::Gauge, "Connections of the listeners.");
  out.sample(counts.connections_public.value(), {{"listener", "public"}});
  out.sample(counts.connections_operator.value(), {{"listener", "operator"}});
  out.count("http_tls_handshakes_failed_total", counts.tls_handshakes_failed,
            "TLS handshakes of the listeners that failed or were no TLS at all.");
}

void store(page& out, const metrics& counts) {
  out.count("store_accept_batches_total", counts.accept_batches, "Commits of accepted events.");
  out.count("store_accept_events_total", counts.accept_rows, "Events in those commits.");
  out.histogram("store_accept_commit_duration_seconds", counts.accept_commit_latency, "Duration of one such commit.");
  out.histogram("store_accept_batch_events", counts.accept_batch_size, "Events of one such commit.");
  out.level("store_accept_queue_events", counts.accept_queue, "Verified events that wait for a commit.");
  out.level("store_accept_queue_events_max", counts.accept_queue_max, "Greatest number of them; beyond: 503.");
  out.level("store_accept_queue_bytes", counts.accept_queue_bytes, "Bytes of the events that wait for a commit.");
  out.level("store_accept_queue_bytes_max", counts.accept_queue_bytes_max, "Greatest number of them; beyond: 503.");
  out.count("store_record_batches_total", counts.record_batches, "Commits of outcomes.");
  out.count("store_record_outcomes_total", counts.record_rows, "Outcomes in those commits.");
  out.count("store_record_missed_total", counts.record_missed, "Guarded writes that found another state or fence.");
  out.histogram("store_record_commit_duration_seconds", counts.record_commit_latency, "Duration of one such commit.");
  out.histogram("store_record_batch_outcomes", counts.record_batch_size, "Outcomes of one such commit.");
  out.level("store_record_queue_outcomes", counts.record_queue, "Outcomes that wait for a commit.");
  out.count("store_claims_total", counts.claim_calls, "Claims of due deliveries.");
  out.count("store_claimed_deliveries_total", counts.claim_rows, "Deliveries claimed.");
  out.level("store_late_claims_per_second", counts.late_claims_per_s,
            "Deliveries of backlogs and replays that may be claimed a second beside what comes in; 0: not limited.");
  out.count("store_reconnects_total", counts.store_reconnects, "Connections to PostgreSQL made again.");
  out.count("store_call_timeouts_total", counts.store_call_timeouts, "Calls cut off by the watchdog.");
  out.count("store_in_doubt_total", counts.store_in_doubt, "Commits whose outcome had to be resolved.");
  out.family("store_connections", MetricType::Gauge, "Connections to PostgreSQL that are open, by who uses them.");
  out.sample(counts.store_connections.value(), {{"user", "engine"}});
  out.sample(counts.management_connections.value(), {{"user", "management"}});
  out.level("store_connections_wanted", counts.store_connections_wanted,
            "Connections that the engine has open when all is well; those of the management API come as needed.");
  out.level("database_up", counts.database_up, "1 while PostgreSQL answers.");
}

void delivery(page& out, const metrics& counts) {
  out.count("attempts_started_total", counts.attempts_started, "Requests to endpoints begun.");
  out.family("attempts_total", MetricType::Counter, "Requests to endpoints ended, by outcome.");
  out.sample(counts.attempts_succeeded.value(), {{"outcome", "succeeded"}});
  out.sample(counts.attempts_failed.value(), {{"outcome", "failed"}});
  out.sample(counts.attempts_interrupted.value(), {{"outcome", "interrupted"}});
  out.sample(counts.attempts_refused.value(), {{"outcome", "refused"}});
  out.family("attempt_failures_total", MetricType::Counter, "Failed requests to endpoints, by reason.");
  for (std::size_t i = 1; i < attempt_reason_count; ++i)
    out.sample(counts.attempt_failures[i].value(),
               {{"reason", std::string{to_string(static_cast<attempt_reason>(i))}}});
  out.count("deliveries_accepted_total", counts.deliveries_accepted, "Deliveries created with their events.");
  out.family("deliveries_total", MetricType::Counter, "Deliveries that came to an end, by state.");
  out.sample(counts.deliveries_succeeded.value(), {{"state", "succeeded"}});
  out.sample(counts.deliveries_dead.value(), {{"state", "dead"}});
  out.count("delivery_retries_total", counts.deliveries_retried, "Failed attempts after which another is scheduled.");
  out.histogram("delivery_duration_seconds", counts.delivery_latency,
                "From an event's acceptance to its success at an endpoint.");
  out.count("breaker_opened_total", counts.breaker_opened, "Circuit breakers opened.");
  out.count("breaker_closed_total", counts.breaker_closed, "Circuit breakers closed.");
  out.level("breakers_open", counts.breakers_open,
            "Circuit breakers that are open or half open, of endpoints whose actor lives.");
  out.count("due_hints_total", counts.due_hints, "Endpoints with due deliveries, as the poll tells their supervisors.");
  out.count("due_hints_taken_total", counts.due_hints_taken, "Of those, the ones that supervisors have taken up.");
  out.level("held_deliveries", counts.held_deliveries, "Committed, undelivered deliveries in memory.");
  out.level("held_bytes", counts.held_bytes, "Bytes of their events, each counted for each of its deliveries.");
  out.level("attempts_running", counts.attempts_running, "Requests to endpoints under way.");
  out.level("endpoint_open_connections", counts.endpoint_connections, "Connections to endpoints.");
  out.level("endpoint_open_connections_max", counts.endpoint_connections_max,
            "Greatest number of them; beyond: an attempt is put off.");
}

void actors(page& out, const metrics& counts) {
  out.family("actors", MetricType::Gauge, "Actors alive, by kind.");
  out.sample(counts.actors_tenants.value(), {{"kind", "tenant_supervisor"}});
  out.sample(counts.actors_verifiers.value(), {{"kind", "provider_verifier"}});
  out.sample(counts.actors_deliveries.value(), {{"kind", "delivery"}});
  out.count("actor_crashes_total", counts.actor_crashes, "Actors that crashed.");
  out.count("actor_restarts_total", counts.actor_restarts, "Actors started again.");
  out.count("actor_quarantines_total", counts.actor_quarantines, "Actors not started again.");
  out.count("actors_passivated_total", counts.actors_passivated, "Idle actors put to rest.");
  out.level("shards_owned", counts.shards_owned, "Shards whose lease this node holds.");
}

void readiness_parts(page& out, const std::vector<dependency_status>& ready) {
  out.family("ready", MetricType::Gauge, "1 where /readyz finds nothing wrong, by what it looks at.");
  for (const auto& each : ready)
    out.sample(each.ok ? 1 : 0, {{"dependency", each.name}});
}

void process(page& out, const process_usage& usage) {
  out.family("process_cpu_seconds_total", MetricType::Counter, "Processor time of this process, user and system.");
  out.sample(usage.cpu_seconds);
  out.family("process_resident_memory_bytes", MetricType::Gauge, "Memory in use.");
  out.sample(usage.resident_bytes);
  out.family("process_open_fds", MetricType::Gauge, "Open file descriptors.");
  out.sample(usage.open_descriptors);
  out.family("process_max_fds", MetricType::Gauge, "Greatest number of open file descriptors.");
  out.sample(usage.descriptors_max);
  out.family("process_threads", MetricType::Gauge, "Threads.");
  out.sample(usage.threads);
  out.family("process_start_time_seconds", MetricType::Gauge, "When this process started, as Unix time.");
  out.sample(usage.start_time_seconds);
  out.family("build_info", MetricType::Gauge, "The version that runs; always 1.");
  out.sample(1, {{"version", std::string{version()}}});
}

/// The fields of /proc/self/stat behind the process's name, which may hold anything.
std::array<std::uint64_t, 22> read_stat() {
  std::ifstream file{"/proc/self/stat"};
  std::string text{std::istreambuf_iterator<char>{file}, {}};
  std::array<std::uint64_t, 22> out{}; // out[i] is field i + 3 of proc(5)
  std::size_t at = text.rfind(')');
  for (auto& value : out) {
    if (at == std::string::npos || (at = text.find(' ', at)) == std::string::npos)
      break;
    ++at;
    std::from_chars(text.data() + at, text.data() + text.size(), value);
  }
  return out;
}

double boot_time() {
  std::ifstream file{"/proc/stat"};
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("btime "))
      return static_cast<double>(std::strtoull(line.c_str() + 6, nullptr, 10));
  return 0;
}

} // namespace

process_usage read_process_usage() {
  const auto stat = read_stat();
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  process_usage out;
  out.cpu_seconds = static_cast<double>(stat[11] + stat[12]) / ticks;
  out.threads = stat[17];
  out.start_time_seconds = boot_time() + static_cast<double>(stat[19]) / ticks;
  out.resident_bytes = stat[21] * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  std::error_code error;
  for (std::filesystem::directory_iterator it{"/proc/self/fd", error}, end; !error && it != end; it.increment(error))
    ++out.open_descriptors;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0)
    out.descriptors_max = limit.rlim_cur;
  return out;
}

std::string render_metrics(const metrics& counts, const process_usage& usage,
                           const std::vector<dependency_status>& ready) {
  page out;
  readiness_parts(out, ready);
  ingest(out, counts);
  store(out, counts);
  delivery(out, counts);
  actors(out, counts);
  process(out, usage);
  return out.text();
}

} // namespace postrider
