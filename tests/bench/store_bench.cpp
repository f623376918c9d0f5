// How much the STORE costs: accepts and records batches of 256 events of 1 KB, one delivery each that rides, as the engine does, and
// prints rows a second and PostgreSQL's CPU per event.
//
//   store_bench URL TENANT_NO VERSION SOURCE_NO ENDPOINT_NO SHARD FENCE POSTMASTER_PID SECONDS [BATCH]
//
// URL names a migrated database whose shard_lease shows FENCE for SHARD, unexpired (see store_bench.sh).
#include "persistence/accept_batch.hpp"
#include "persistence/outcome_writer.hpp"
#include "persistence/session.hpp"
#include "persistence/watchdog.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <fstream>
#include <random>
#include <string>
#include <vector>

using namespace postrider;

namespace {

/// CPU seconds of a process and its children, from /proc.
double cpu_seconds(int postmaster) {
  double ticks = 0;
  auto* proc = opendir("/proc");
  while (const auto* entry = readdir(proc)) {
    const auto pid = std::atoi(entry->d_name);
    if (pid <= 0)
      continue;
    std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
    std::string line;
    std::getline(file, line);
    const auto end = line.rfind(')');
    if (end == std::string::npos)
      continue;
    int parent = 0;
    unsigned long user = 0, system = 0;
    std::sscanf(line.c_str() + end + 2, "%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &parent, &user, &system);
    if (pid == postmaster || parent == postmaster)
      ticks += static_cast<double>(user + system);
  }
  closedir(proc);
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

std::mt19937_64 source{std::random_device{}()};

uuid random_uuid() {
  std::array<std::uint8_t, 10> bits{};
  for (auto& each : bits)
    each = static_cast<std::uint8_t>(source());
  return make_uuid_v7(std::chrono::floor<milliseconds>(std::chrono::system_clock::now()), bits);
}

uuid random_key() {
  uuid out;
  for (auto& each : out.bytes)
    each = static_cast<std::uint8_t>(source());
  return out;
}

} // namespace

int main(int count, char** arguments) {
  if (count < 10) {
    std::fprintf(stderr, "usage: see the head of the source\n");
    return 2;
  }
  const auto number = [&](int i) { return std::atoll(arguments[i]); };
  const auto batch = static_cast<std::size_t>(count > 10 ? number(10) : 256);
  watchdog dog;
  metrics counts;
  session_options options;
  options.url = arguments[1];
  options.pinned_plans = true;
  options.statements = accept_statements();
  session accepts{options, dog, counts};
  options.statements = record_statements();
  session records{options, dog, counts};
  for (auto* each : {&accepts, &records})
    if (const auto failure = each->connect()) {
      std::fprintf(stderr, "%s\n", failure->detail.c_str());
      return 1;
    }
  const auto postmaster = static_cast<int>(number(8));
  const auto began = std::chrono::steady_clock::now();
  const auto cpu_before = cpu_seconds(postmaster);
  std::size_t events = 0;
  double accept_seconds = 0, record_seconds = 0;
  while (std::chrono::steady_clock::now() - began < std::chrono::seconds{number(9)}) {
    std::vector<queued_accept> items;
    for (std::size_t i = 0; i < batch; ++i) {
      auto what = std::make_shared<event>();
      what->id = {random_uuid()};
      what->tenant = number(2);
      what->source = number(4);
      what->type = "push";
      what->provider_event_id = to_string(what->id.value);
      what->content_type = "application/json";
      what->headers = "accept: */*\r\ncontent-type: application/json\r\nuser-agent: GitHub-Hookshot/044aadd\r\nx-github-delivery: "
                      "72d3162e-cc78-11e3-81ab-4c9367dc0958\r\nx-github-event: push\r\nx-hub-signature-256: sha256=0\r\n";
      what->forward_headers = "x-github-delivery: 72d3162e-cc78-11e3-81ab-4c9367dc0958\r\nx-github-event: push\r\n";
      what->body.assign(1'024, 'x');
      auto item = std::make_unique<accept_item>();
      item->what = std::move(what);
      item->dedupe_key = random_key();
      item->config_version = number(3);
      item->shard = static_cast<shard_no>(number(6));
      planned_delivery delivery{{random_uuid()}, number(5)};
      delivery.ride = true;
      delivery.under = number(7);
      item->deliveries.push_back(delivery);
      items.push_back({std::move(item), 1'500, false});
    }
    auto t0 = std::chrono::steady_clock::now();
    const auto wrote = write_accepts(accepts, items, false);
    auto t1 = std::chrono::steady_clock::now();
    if (!wrote || wrote->events != batch || wrote->rides != batch) {
      std::fprintf(stderr, "accept: %s events %zu rides %zu\n", wrote ? "" : wrote.error().detail.c_str(),
                   wrote ? wrote->events : 0, wrote ? wrote->rides : 0);
      return 1;
    }
    accept_seconds += std::chrono::duration<double>(t1 - t0).count();
    std::vector<outcome_write> writes;
    for (const auto& each : items) {
      outcome_write write;
      write.delivery = each.item->deliveries[0].id;
      write.under = number(7);
      write.attempt = {1, std::chrono::floor<milliseconds>(std::chrono::system_clock::now()), milliseconds{12},
                       attempt_outcome::succeeded, attempt_reason::none, 200, {}};
      writes.push_back(std::move(write));
    }
    t0 = std::chrono::steady_clock::now();
    const auto recorded = write_outcomes(records, writes);
    t1 = std::chrono::steady_clock::now();
    if (!recorded) {
      std::fprintf(stderr, "record: %s\n", recorded.error().detail.c_str());
      return 1;
    }
    record_seconds += std::chrono::duration<double>(t1 - t0).count();
    events += batch;
  }
  const auto cpu = cpu_seconds(postmaster) - cpu_before;
  const auto n = static_cast<double>(events);
  std::printf("events %zu  accept %.0f/s  record %.0f/s  postgres cpu %.1f us/event  wall accept %.2f record %.2f us/event\n",
              events, n / accept_seconds, n / record_seconds, cpu / n * 1e6, accept_seconds / n * 1e6, record_seconds / n * 1e6);
  return 0;
}
