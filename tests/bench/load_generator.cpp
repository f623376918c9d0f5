// Sends signed webhooks over keep-alive connections, closed or open loop, and prints one JSON line of what came of it.
// Loopback only; ends by itself.
#include "tests/bench/load_worker.hpp"

#include <CLI/CLI.hpp>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <random>
#include <thread>

namespace postrider::bench {
namespace {

std::atomic<bool> interrupted{false};

struct command_line {
  load_options load;
  std::vector<std::string> targets;
  double seconds = 5;
  double warmup = 1;
  double drain = 10;
  bool strawman = false;
};

void declare(CLI::App& app, command_line& line) {
  auto& load = line.load;
  app.add_option("--target", line.targets, "HOST:PORT, IPv4; repeat it: the connections are spread over them")
    ->required();
  app.add_option("--path", load.paths, "ingest path; repeat it: the requests go round (default /in/acme/github)");
  app.add_option("--secret", load.secret, "the source's secret (default: the straw man's)");
  app.add_flag("--strawman", line.strawman, "the straw man's headers and path instead of GitHub's");
  app.add_option("--size", load.body_size, "bytes of each body")->check(CLI::Range(128, 1 << 20));
  app.add_option("--connections", load.connections, "of all threads")->check(CLI::Range(1, 20000));
  app.add_option("--threads", load.threads, "threads that send")->check(CLI::Range(1, 64));
  app.add_option("--seconds", line.seconds, "time that is measured")->check(CLI::Range(0.1, 3600.0));
  app.add_option("--warmup", line.warmup, "time before, not measured")->check(CLI::Range(0.0, 600.0));
  app.add_option("--drain", line.drain, "wait at most this long for the last answers")->check(CLI::Range(0.0, 600.0));
  app.add_option("--rate", load.rate, "requests per second (open loop); 0: closed loop")->check(CLI::Range(0.0, 1e6));
  app.add_option("--duplicates", load.duplicates, "fraction of requests that repeat an earlier one")
    ->check(CLI::Range(0.0, 1.0));
}

std::string random_run() {
  std::random_device device;
  char text[32];
  std::snprintf(text, sizeof text, "%08x-%04x-4%03x-8%03x-", device(), device() & 0xffff, device() & 0xfff,
                device() & 0xfff);
  return text;
}

void complete(command_line& line) {
  auto& load = line.load;
  for (const auto& target : line.targets)
    load.targets.push_back(parse_address(target));
  load.style = line.strawman ? webhook_style::strawman : webhook_style::github;
  if (load.paths.empty())
    load.paths.push_back(line.strawman ? "/in/acme" : "/in/acme/github");
  if (load.secret.empty())
    load.secret = "whsec_0123456789abcdef";
  load.threads = std::min(load.threads, load.connections);
  load.run = random_run();
}

void set_times(command_line& line) {
  const auto span = [](double seconds) {
    return std::chrono::duration_cast<load_clock::duration>(std::chrono::duration<double>(seconds));
  };
  line.load.start = load_clock::now();
  line.load.warm_at = line.load.start + span(line.warmup);
  line.load.stop_at = line.load.warm_at + span(line.seconds);
  line.load.give_up_at = line.load.stop_at + span(line.drain);
}

load_counts sum(const std::vector<std::unique_ptr<load_worker>>& workers) {
  load_counts out;
  for (const auto& worker : workers) {
    const auto& each = worker->counts();
    out.sent += each.sent;
    out.answered += each.answered;
    out.broken += each.broken;
    out.unanswered += each.unanswered;
    out.never_sent += each.never_sent;
    out.duplicates_sent += each.duplicates_sent;
    out.accepted += each.accepted;
    out.answered_duplicate += each.answered_duplicate;
    out.answered_in_window += each.answered_in_window;
    out.reconnects += each.reconnects;
    for (std::size_t i = 0; i < out.by_status.size(); ++i)
      out.by_status[i] += each.by_status[i];
    out.latency.add(each.latency);
  }
  return out;
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

std::string statuses(const load_counts& counts) {
  std::string out;
  for (std::size_t i = 0; i < counts.by_status.size(); ++i)
    if (counts.by_status[i] > 0)
      out += (out.empty() ? "\"" : ",\"") + std::to_string(i) + "\":" + std::to_string(counts.by_status[i]);
  return "{" + out + "}";
}

void print(const command_line& line, const load_counts& counts, double cpu, double first_send_at) {
  using ull = unsigned long long;
  const auto measured =
    std::clamp(std::chrono::duration<double>(load_clock::now() - line.load.warm_at).count(), 1e-9, line.seconds);
  const double per_second = static_cast<double>(counts.answered_in_window) / measured;
  const double cpu_us = counts.answered ? cpu * 1e6 / static_cast<double>(counts.answered) : 0;
  const auto& latency = counts.latency;
  std::printf(
    "{\"loop\":\"%s\",\"connections\":%zu,\"threads\":%zu,\"rate\":%.0f,\"size\":%zu,\"measured_s\":%.3f,"
    "\"requests_per_s\":%.1f,\"p50_ms\":%.3f,\"p90_ms\":%.3f,\"p99_ms\":%.3f,\"p99_9_ms\":%.3f,"
    "\"max_ms\":%.3f,\"sent\":%llu,\"answered\":%llu,\"accepted\":%llu,\"answered_duplicate\":%llu,"
    "\"duplicates_sent\":%llu,\"unanswered\":%llu,\"broken\":%llu,\"never_sent\":%llu,\"reconnects\":%llu,"
    "\"by_status\":%s,\"first_send_at\":%.6f,\"cpu_s\":%.3f,\"cpu_us_per_request\":%.3f,\"interrupted\":%s}\n",
    line.load.rate > 0 ? "open" : "closed", line.load.connections, line.load.threads, line.load.rate,
    line.load.body_size, measured, per_second, latency.percentile_ms(.5), latency.percentile_ms(.9),
    latency.percentile_ms(.99), latency.percentile_ms(.999), latency.max_ms(), ull{counts.sent}, ull{counts.answered},
    ull{counts.accepted}, ull{counts.answered_duplicate}, ull{counts.duplicates_sent}, ull{counts.unanswered},
    ull{counts.broken}, ull{counts.never_sent}, ull{counts.reconnects}, statuses(counts).c_str(), first_send_at, cpu,
    cpu_us, interrupted ? "true" : "false");
  std::fprintf(
    stderr,
    "%.0f answers/s over %.1f s; p50 %.2f p90 %.2f p99 %.2f p99.9 %.2f max %.2f ms; sent %llu, answered %llu "
    "%s, unanswered %llu, broken %llu, never sent %llu; %.2f us CPU a request\n",
    per_second, measured, latency.percentile_ms(.5), latency.percentile_ms(.9), latency.percentile_ms(.99),
    latency.percentile_ms(.999), latency.max_ms(), ull{counts.sent}, ull{counts.answered}, statuses(counts).c_str(),
    ull{counts.unanswered}, ull{counts.broken}, ull{counts.never_sent}, cpu_us);
}

void generate(command_line& line) {
  std::vector<std::unique_ptr<load_worker>> workers;
  for (std::size_t i = 0; i < line.load.threads; ++i) {
    workers.push_back(std::make_unique<load_worker>(line.load, i));
    workers.back()->connect();
  }
  set_times(line);
  const auto first_send_at = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const double cpu_before = cpu_seconds();
  // Another thread's failure must not go unseen: it ends the run, and is thrown here once all have joined.
  std::vector<std::exception_ptr> failures(workers.size());
  const auto run = [&](std::size_t i) {
    try {
      workers[i]->run(interrupted);
    } catch (...) {
      failures[i] = std::current_exception();
      interrupted = true;
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < workers.size(); ++i)
      threads.emplace_back(run, i);
    run(0);
  }
  print(line, sum(workers), cpu_seconds() - cpu_before, first_send_at);
  for (const auto& failure : failures)
    if (failure)
      std::rethrow_exception(failure);
}

} // namespace
} // namespace postrider::bench

int main(int argc, char** argv) {
  using namespace postrider::bench;
  command_line line;
  CLI::App app{"Sends signed webhooks and measures the answers. For loopback."};
  declare(app, line);
  CLI11_PARSE(app, argc, argv);
  const auto stop = [](int) { interrupted = true; };
  std::signal(SIGINT, stop);
  std::signal(SIGTERM, stop);
  try {
    complete(line);
    generate(line);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "load_generator: %s\n", error.what());
    return 1;
  }
}
