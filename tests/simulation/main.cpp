// The program: many seeds, or one.

#include "tests/simulation/simulation.hpp"

#include <spdlog/spdlog.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace {

using postrider::simulation::run_result;

struct options {
  std::uint64_t first = 1;
  std::uint64_t seeds = 200;
  bool twice = false; ///< each seed is run twice and must leave the same trace
  bool go_on = false; ///< after a failure
  bool trace = false; ///< each event is told as it happens
};

std::optional<options> read_options(int count, char** words) {
  options out;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    if (word == "--twice") {
      out.twice = true;
      continue;
    }
    if (word == "--go-on") {
      out.go_on = true;
      continue;
    }
    if (word == "--trace") {
      out.trace = true;
      continue;
    }
    const std::string_view value = i + 1 < count ? words[++i] : "";
    std::uint64_t number = 0;
    const auto [end, wrong] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (wrong != std::errc{} || end != value.data() + value.size())
      return std::nullopt;
    if (word == "--first")
      out.first = number;
    else if (word == "--seeds")
      out.seeds = number;
    else if (word == "--seed")
      out.first = number, out.seeds = 1;
    else
      return std::nullopt;
  }
  return out;
}

run_result run_seed(std::uint64_t seed, bool tell) {
  postrider::simulation::simulation run{seed};
  if (tell)
    run.around.events.tell_all();
  auto out = run.run();
  out.seed = seed;
  return out;
}

} // namespace

int main(int count, char** words) {
  const auto wanted = read_options(count, words);
  if (!wanted) {
    std::fputs("usage: simulation [--seeds COUNT] [--first SEED] [--seed SEED] [--twice] [--go-on] [--trace]\n",
               stderr);
    return 2;
  }
  spdlog::set_level(spdlog::level::off); // actors are made to crash by the thousand
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t done = 0, failed = 0, deliveries = 0, requests = 0;
  std::chrono::milliseconds virtual_time{0};
  for (auto seed = wanted->first; seed < wanted->first + wanted->seeds; ++seed) {
    auto result = run_seed(seed, wanted->trace);
    if (wanted->twice && result.failure.empty()) {
      const auto again = run_seed(seed, false);
      if (again.hash != result.hash || again.events != result.events)
        result.failure = "the same seed left another trace";
    }
    ++done;
    deliveries += result.deliveries;
    requests += result.requests;
    virtual_time += result.virtual_time;
    if (wanted->seeds == 1)
      std::printf("seed %llu: trace %016llx of %llu events\n", static_cast<unsigned long long>(seed),
                  static_cast<unsigned long long>(result.hash), static_cast<unsigned long long>(result.events));
    if (result.failure.empty())
      continue;
    ++failed;
    std::printf("FAILED with seed %llu (again: simulation --seed %llu)\n%s\n", static_cast<unsigned long long>(seed),
                static_cast<unsigned long long>(seed), result.failure.c_str());
    if (!wanted->go_on)
      break;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%llu seeds, %llu failed; %llu deliveries, %llu requests, %.1f virtual hours; %.1f s, %.0f seeds/s\n",
              static_cast<unsigned long long>(done), static_cast<unsigned long long>(failed),
              static_cast<unsigned long long>(deliveries), static_cast<unsigned long long>(requests),
              std::chrono::duration<double>(virtual_time).count() / 3'600, took.count(),
              static_cast<double>(done) / took.count());
  return failed == 0 ? 0 : 1;
}
