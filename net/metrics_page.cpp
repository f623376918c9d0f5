#include "net/metrics_page.hpp"

#include "core/version.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace postrider {

namespace {

constexpr double micro = 1e-6;

/// Writes families one after the other.
class page {
public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    line("# HELP ", help);
    line("# TYPE ", type);
  }
  /// One sample of the family; `labels` with braces, or empty.
  template <class Number>
  void sample(Number value, std::string_view suffix = {}, std::string_view labels = {}) {
    out_ += "postrider_";
    out_ += name_;
    out_ += suffix;
    out_ += labels;
    out_ += ' ';
    std::array<char, 32> text{};
    out_.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr);
    out_ += '\n';
  }
  void count(std::string_view name, const counter& value, std::string_view help) {
    family(name, "counter", help);
    sample(value.value());
  }
  void level(std::string_view name, const gauge& value, std::string_view help) {
    family(name, "gauge", help);
    sample(value.value());
  }
  void histogram(std::string_view name, const latency_histogram& value, std::string_view help) {
    family(name, "histogram", help);
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i <= latency_histogram::bounds_us.size(); ++i) {
      sum += value.bucket(i);
      std::array<char, 32> bound{'+', 'I', 'n', 'f'};
      std::size_t length = 4;
      if (i < latency_histogram::bounds_us.size())
        length = static_cast<std::size_t>(std::to_chars(bound.data(), bound.data() + bound.size(),
                                                        static_cast<double>(latency_histogram::bounds_us[i]) * micro)
                                            .ptr -
                                          bound.data());
      sample(sum, "_bucket", "{le=\"" + std::string{bound.data(), length} + "\"}");
    }
    sample(static_cast<double>(value.sum_us()) * micro, "_sum");
    sample(sum, "_count");
  }
  std::string take() { return std::move(out_); }

private:
  void line(std::string_view kind, std::string_view text) {
    out_ += kind;
    out_ += "postrider_";
    out_ += name_;
    out_ += ' ';
    out_ += text;
    out_ += '\n';
  }
  std::string out_;
  std::string_view name_;
};

void ingest(page& out, const metrics& counts) {
  out.family("ingest_requests_total", "counter", "Requests to ingest URLs, by answer.");
  out.sample(counts.ingest_accepted.value(), {}, R"({result="accepted"})");
  out.sample(counts.ingest_duplicate.value(), {}, R"({result="duplicate"})");
  out.sample(counts.ingest_rejected.value(), {}, R"({result="rejected"})");
  out.sample(counts.ingest_unknown.value(), {}, R"({result="unknown"})");
  out.sample(counts.ingest_overloaded.value(), {}, R"({result="overloaded"})");
  out.sample(counts.ingest_unavailable.value(), {}, R"({result="unavailable"})");
  out.count("http_invalid_requests_total", counts.ingest_invalid_http,
            "Requests refused because they are not valid HTTP.");
  out.count("ingest_body_bytes_total", counts.ingest_bytes, "Bytes of bodies received at ingest URLs.");
  out.histogram("ingest_duration_seconds", counts.ingest_latency, "From the whole request to its answer.");
  out.level("ingest_open_requests", counts.ingest_open, "Ingest requests without an answer.");
  out.family("http_open_connections", "gauge", "Connections of the listeners.");
  out.sample(counts.connections_public.value(), {}, R"({listener="public"})");
  out.sample(counts.connections_operator.value(), {}, R"({listener="operator"})");
}

void store(page& out, const metrics& counts) {
  out.count("store_accept_batches_total", counts.accept_batches, "Commits of accepted events.");
  out.count("store_accept_events_total", counts.accept_rows, "Events in those commits.");
  out.histogram("store_accept_commit_duration_seconds", counts.accept_commit_latency, "Duration of one such commit.");
  out.level("store_accept_queue_events", counts.accept_queue, "Verified events that wait for a commit.");
  out.count("store_record_batches_total", counts.record_batches, "Commits of outcomes.");
  out.count("store_record_outcomes_total", counts.record_rows, "Outcomes in those commits.");
  out.count("store_record_missed_total", counts.record_missed, "Guarded writes that found another state or fence.");
  out.histogram("store_record_commit_duration_seconds", counts.record_commit_latency, "Duration of one such commit.");
  out.level("store_record_queue_outcomes", counts.record_queue, "Outcomes that wait for a commit.");
  out.count("store_claims_total", counts.claim_calls, "Claims of due deliveries.");
  out.count("store_claimed_deliveries_total", counts.claim_rows, "Deliveries claimed.");
  out.count("store_reconnects_total", counts.store_reconnects, "Connections to PostgreSQL made again.");
  out.count("store_call_timeouts_total", counts.store_call_timeouts, "Calls cut off by the watchdog.");
  out.count("store_in_doubt_total", counts.store_in_doubt, "Commits whose outcome had to be resolved.");
  out.level("database_up", counts.database_up, "1 while PostgreSQL answers.");
}

void delivery(page& out, const metrics& counts) {
  out.count("attempts_started_total", counts.attempts_started, "Requests to endpoints begun.");
  out.family("attempts_total", "counter", "Requests to endpoints ended, by outcome.");
  out.sample(counts.attempts_succeeded.value(), {}, R"({outcome="succeeded"})");
  out.sample(counts.attempts_failed.value(), {}, R"({outcome="failed"})");
  out.sample(counts.attempts_interrupted.value(), {}, R"({outcome="interrupted"})");
  out.sample(counts.attempts_refused.value(), {}, R"({outcome="refused"})");
  out.family("deliveries_total", "counter", "Deliveries that came to an end, by state.");
  out.sample(counts.deliveries_succeeded.value(), {}, R"({state="succeeded"})");
  out.sample(counts.deliveries_dead.value(), {}, R"({state="dead"})");
  out.count("delivery_retries_total", counts.deliveries_retried, "Failed attempts after which another is scheduled.");
  out.histogram("delivery_duration_seconds", counts.delivery_latency,
                "From an event's acceptance to its success at an endpoint.");
  out.count("breaker_opened_total", counts.breaker_opened, "Circuit breakers opened.");
  out.count("breaker_closed_total", counts.breaker_closed, "Circuit breakers closed.");
  out.level("attempts_running", counts.attempts_running, "Requests to endpoints under way.");
  out.level("endpoint_open_connections", counts.endpoint_connections, "Connections to endpoints.");
}

void actors(page& out, const metrics& counts) {
  out.family("actors", "gauge", "Actors alive, by kind.");
  out.sample(counts.actors_tenants.value(), {}, R"({kind="tenant_supervisor"})");
  out.sample(counts.actors_verifiers.value(), {}, R"({kind="provider_verifier"})");
  out.sample(counts.actors_deliveries.value(), {}, R"({kind="delivery"})");
  out.count("actor_crashes_total", counts.actor_crashes, "Actors that crashed.");
  out.count("actor_restarts_total", counts.actor_restarts, "Actors started again.");
  out.count("actor_quarantines_total", counts.actor_quarantines, "Actors not started again.");
  out.count("actors_passivated_total", counts.actors_passivated, "Idle actors put to rest.");
  out.level("shards_owned", counts.shards_owned, "Shards whose lease this node holds.");
}

void process(page& out, const process_usage& usage) {
  out.family("process_cpu_seconds_total", "counter", "Processor time of this process, user and system.");
  out.sample(usage.cpu_seconds);
  out.family("process_resident_memory_bytes", "gauge", "Memory in use.");
  out.sample(usage.resident_bytes);
  out.family("process_open_fds", "gauge", "Open file descriptors.");
  out.sample(usage.open_descriptors);
  out.family("process_max_fds", "gauge", "Greatest number of open file descriptors.");
  out.sample(usage.descriptors_max);
  out.family("process_threads", "gauge", "Threads.");
  out.sample(usage.threads);
  out.family("process_start_time_seconds", "gauge", "When this process started, as Unix time.");
  out.sample(usage.start_time_seconds);
  out.family("build_info", "gauge", "The version that runs; always 1.");
  out.sample(1, {}, "{version=\"" + std::string{version()} + "\"}");
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

std::string render_metrics(const metrics& counts, const process_usage& usage) {
  page out;
  ingest(out, counts);
  store(out, counts);
  delivery(out, counts);
  actors(out, counts);
  process(out, usage);
  return out.take();
}

} // namespace postrider
