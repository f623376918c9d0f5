// The receiving endpoint of the measurements: takes POSTs on keep-alive connections, counts and answers them.
// Prints {"ready":true,"port":N} when it listens, and its counts as JSON when it ends.
#include "tests/bench/sink_server.hpp"

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

namespace postrider::bench {
namespace {

std::atomic<bool> interrupted{false};

struct command_line {
  std::string listen = "127.0.0.1:0";
  std::vector<std::string> script;
  unsigned fail_every = 0;
  unsigned fail_status = 500;
  long delay_ms = 0;
  double seconds = 3600;
  std::string verify = "off";
};

void declare(CLI::App& app, command_line& line, sink_options& options) {
  app.add_option("--listen", line.listen, "HOST:PORT, IPv4; port 0 takes a free one");
  app.add_option("--status-script", line.script, "statuses answered in turn, e.g. 200x9,503")->delimiter(',');
  app.add_option("--fail-every", line.fail_every, "each n-th request fails; 0: none")->check(CLI::Range(0, 1'000'000));
  app.add_option("--fail-status", line.fail_status, "what it fails with")->check(CLI::Range(200, 599));
  app.add_option("--delay-ms", line.delay_ms, "before each answer")->check(CLI::Range(0, 600'000));
  app.add_option("--hang-path", options.hang_path, "requests whose path begins so are never answered");
  app.add_flag("--distinct", options.distinct, "count distinct ids (costs a little)");
  app.add_option("--id-header", options.id_header, "header of the id");
  app.add_option("--verify", line.verify, "off, or the whsec_... secret that Standard Webhooks signatures must fit");
  app.add_option("--seconds", line.seconds, "end by itself after this time")->check(CLI::Range(0.1, 86400.0));
}

// "200x9" is nine times 200.
void append_statuses(std::vector<unsigned>& statuses, const std::string& item) {
  unsigned status = 0;
  unsigned times = 1;
  const char* end = item.data() + item.size();
  auto read = std::from_chars(item.data(), end, status);
  if (read.ec == std::errc{} && read.ptr != end && *read.ptr == 'x')
    read = std::from_chars(read.ptr + 1, end, times);
  if (read.ec != std::errc{} || read.ptr != end || status < 200 || status > 599 || times < 1 || times > 1'000'000)
    throw std::invalid_argument("not a status, or STATUSxTIMES: " + item);
  statuses.insert(statuses.end(), times, status);
}

void complete(const command_line& line, sink_options& options) {
  options.listen = parse_address(line.listen);
  if (!line.script.empty() || line.fail_every > 0)
    options.statuses.clear();
  for (const auto& item : line.script)
    append_statuses(options.statuses, item);
  if (line.fail_every > 0) {
    options.statuses.insert(options.statuses.end(), line.fail_every - 1, 200);
    options.statuses.push_back(line.fail_status);
  }
  options.delay = std::chrono::milliseconds{line.delay_ms};
  if (line.verify != "off")
    options.check.emplace(line.verify);
  options.end_at = sink_clock::now() + std::chrono::milliseconds{static_cast<std::int64_t>(line.seconds * 1000)};
}

} // namespace
} // namespace postrider::bench

int main(int argc, char** argv) {
  using namespace postrider::bench;
  command_line line;
  sink_options options;
  CLI::App app{"Receives webhooks, counts them and answers as told. For loopback."};
  declare(app, line, options);
  CLI11_PARSE(app, argc, argv);
  const auto stop = [](int) { interrupted = true; };
  std::signal(SIGINT, stop);
  std::signal(SIGTERM, stop);
  try {
    complete(line, options);
    sink_server server{options};
    std::printf("{\"ready\":true,\"port\":%u}\n", unsigned{server.port()});
    std::fflush(stdout);
    server.run(interrupted);
    std::printf("%s\n", server.stats_json().c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sink: %s\n", error.what());
    return 1;
  }
}
