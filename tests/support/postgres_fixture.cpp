#include "tests/support/postgres_fixture.hpp"

#include "persistence/child_process.hpp"
#include "persistence/migrate.hpp"

#include <pqxx/pqxx>

#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <unistd.h>

namespace postrider::tests {
namespace {

namespace fs = std::filesystem;

/// Waits for the end of its pipe, that is, of the test process; then ends the server and removes the directory.
constexpr const char* guardian_script = R"sh(
cat <&3 >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && [ "$pid" -gt 1 ] && kill -QUIT "$pid" 2>/dev/null
tries=0
while [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null && [ $tries -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
rm -rf "$1"
)sh";

fs::path make_directory() {
  auto name = (fs::temp_directory_path() / "postrider-test-XXXXXX").string();
  if (!mkdtemp(name.data()))
    throw std::runtime_error("cannot make a directory like " + name);
  return name;
}

template <class T>
T must(result<T> value) {
  if (!value)
    throw std::runtime_error(value.error().code + ": " + value.error().detail);
  return std::move(*value);
}

} // namespace

postgres_fixture& postgres_fixture::instance() {
  static const auto logger = spdlog::default_logger(); // outlives the server, whose end may log
  static postgres_fixture one{options{}};
  return one;
}

postgres_fixture::postgres_fixture(options chosen) : options_{chosen}, directory_{make_directory()} {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    throw std::runtime_error("no pipe for the guardian");
  guardian_pipe_ = ends[1];
  guardian_ = must(start_child({"/bin/sh", {"-c", guardian_script, "guardian", directory_.string()}, {ends[0]}}));
  close(ends[0]);
  start();
}

postgres_fixture::~postgres_fixture() {
  stop();
  close(guardian_pipe_);
  wait_until_ended(guardian_, std::chrono::seconds{20}); // it removes the directory
}

embedded_postgres& postgres_fixture::server() {
  if (!server_)
    throw std::logic_error("the fixture's server is stopped");
  return *server_;
}

void postgres_fixture::start() {
  if (server_)
    return;
  embedded_postgres_options chosen;
  chosen.directory = directory_;
  chosen.durable = options_.durable;
  chosen.watch_interval = milliseconds{20};
  server_ = must(embedded_postgres::start(std::move(chosen)));
}

void postgres_fixture::stop() {
  server_.reset();
}

void postgres_fixture::restart(restart_mode mode) {
  if (mode == restart_mode::fast) {
    stop();
    return start();
  }
  const auto before = server().restarts();
  const auto pid = server().server_pid();
  if (pid <= 0)
    throw std::runtime_error("the server is down");
  kill(pid, mode == restart_mode::kill ? SIGKILL : SIGQUIT);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{60};
  while (server().restarts() == before || !server().healthy()) {
    if (std::chrono::steady_clock::now() > end)
      throw std::runtime_error("the server did not come back");
    usleep(10'000);
  }
}

/// The backends are the server's children.
void postgres_fixture::signal_all(int number) {
  const auto pid = server().server_pid();
  if (pid <= 0)
    throw std::runtime_error("the server is down");
  const auto task = "/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children";
  kill(pid, number);
  std::ifstream file{task};
  for (pid_t child = 0; file >> child;)
    kill(child, number);
}

void postgres_fixture::freeze() {
  signal_all(SIGSTOP);
}
void postgres_fixture::thaw() {
  signal_all(SIGCONT);
}

void postgres_fixture::execute(const std::string& sql) {
  pqxx::connection connection{server().url("postgres")};
  pqxx::nontransaction{connection}.exec(sql);
}

void postgres_fixture::kill_backend(int backend_pid) {
  execute("select pg_terminate_backend(" + std::to_string(backend_pid) + ", 5000)");
}

void postgres_fixture::kill_backends_of(const std::string& url) {
  pqxx::connection connection{url};
  pqxx::nontransaction{connection}.exec("select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                                        " where datname = current_database() and pid <> pg_backend_pid()");
}

std::string postgres_fixture::make_database(const std::string& from_template) {
  const auto name = "test_" + std::to_string(++databases_);
  execute("create database " + name + " template " + from_template);
  return server().url(name);
}

std::string postgres_fixture::empty_database() {
  const std::lock_guard guard{mutex_};
  return make_database("template0");
}

std::string postgres_fixture::fresh_database() {
  const std::lock_guard guard{mutex_};
  if (!template_made_) {
    execute("create database migrated template template0");
    must(migrate(server().url("migrated")));
    template_made_ = true;
  }
  return make_database("migrated");
}

} // namespace postrider::tests
