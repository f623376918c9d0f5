#include "persistence/embedded_postgres.hpp"

#include "persistence/child_process.hpp"
#include "persistence/postgres_configuration.hpp"
#include "persistence/postgres_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <pqxx/pqxx>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace postrider;
namespace fs = std::filesystem;

namespace {

/// Removed with everything in it at the end of the test.
struct temporary_directory {
  temporary_directory() {
    auto name = (fs::temp_directory_path() / "postrider-embedded-XXXXXX").string();
    BOOST_REQUIRE(mkdtemp(name.data()));
    path = name;
  }
  ~temporary_directory() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  fs::path path;
};

bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{60};
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end)
      return false;
    usleep(10'000);
  }
  return true;
}

embedded_postgres_options options_for(const fs::path& directory) {
  embedded_postgres_options out;
  out.directory = directory;
  out.durable = false;
  out.watch_interval = milliseconds{20};
  out.lock_patience = milliseconds{50};
  return out;
}

std::unique_ptr<embedded_postgres> started(const embedded_postgres_options& options) {
  auto out = embedded_postgres::start(options);
  BOOST_REQUIRE_MESSAGE(out, (out ? "" : out.error().detail));
  return std::move(*out);
}

std::string ask(const std::string& url, const std::string& sql) {
  pqxx::connection connection{url};
  return pqxx::nontransaction{connection}.exec1(sql)[0].as<std::string>();
}

void tell(const std::string& url, const std::string& sql) {
  pqxx::connection connection{url};
  pqxx::nontransaction{connection}.exec(sql);
}

} // namespace

BOOST_AUTO_TEST_SUITE(embedded_postgres_test)

/// No test: the process that another test starts, to be killed. Does nothing without the variable.
BOOST_AUTO_TEST_CASE(owner_process) {
  const char* directory = std::getenv("POSTRIDER_TEST_OWNED_DIRECTORY");
  if (!directory)
    return;
  const auto owned = started(options_for(directory));
  std::ofstream{fs::path{directory} / "owner_is_ready"} << owned->server_pid() << std::endl;
  pause();
}

BOOST_AUTO_TEST_CASE(starts_in_an_empty_directory_and_keeps_its_data) {
  temporary_directory temporary;
  const auto directory = temporary.path / "a" / "pg";
  {
    const auto first = started(options_for(directory));
    BOOST_TEST(first->healthy());
    BOOST_TEST(!first->adopted());
    BOOST_TEST(first->url() == embedded_postgres::url_of(directory));
    tell(first->url(), "create table kept as select 42 as n");
    BOOST_TEST(ask(first->url(), "show data_checksums") == "on");
    BOOST_TEST(ask(first->url(), "select datcollate from pg_database where datname = 'postrider'") == "C.UTF-8");
    BOOST_TEST(ask(first->url(), "show listen_addresses") == "");
    BOOST_TEST(ask(first->url(), "show log_min_error_statement") == "panic");
  }
  BOOST_CHECK_THROW(pqxx::connection{embedded_postgres::url_of(directory)}, pqxx::broken_connection);
  const auto second = started(options_for(directory));
  BOOST_TEST(ask(second->url(), "select n from kept") == "42");
}

BOOST_AUTO_TEST_CASE(runs_as_an_unprivileged_user_with_private_directories) {
  temporary_directory temporary; // 0700 and ours: nobody else can even enter it
  const auto owned = started(options_for(temporary.path / "pg"));
  struct stat status {};
  for (const char* part : {"data", "run"}) {
    BOOST_REQUIRE(stat((temporary.path / "pg" / part).c_str(), &status) == 0);
    BOOST_TEST((status.st_mode & 0777U) == 0700U);
    BOOST_TEST((status.st_uid != 0));
  }
  const auto process = "/proc/" + std::to_string(owned->server_pid());
  BOOST_REQUIRE(stat(process.c_str(), &status) == 0);
  BOOST_TEST((status.st_uid != 0));
}

BOOST_AUTO_TEST_CASE(a_killed_server_is_started_again) {
  temporary_directory temporary;
  const auto owned = started(options_for(temporary.path / "pg"));
  tell(owned->url(), "create table kept as select 42 as n");
  for (std::uint32_t round = 1; round <= 2; ++round) {
    const auto before = owned->server_pid();
    BOOST_REQUIRE(kill(before, SIGKILL) == 0);
    BOOST_REQUIRE(eventually([&] { return owned->restarts() >= round && owned->healthy(); }));
    BOOST_TEST(owned->server_pid() != before);
    BOOST_TEST(ask(owned->url(), "select n from kept") == "42");
  }
}

BOOST_AUTO_TEST_CASE(a_server_whose_owner_was_killed_is_adopted_with_its_data) {
  temporary_directory temporary;
  const auto directory = temporary.path / "pg";
  // This very program again, as the owner: a fork alone would share this one's threads and locks.
  const auto child =
    start_child({"/usr/bin/env",
                 {"POSTRIDER_TEST_OWNED_DIRECTORY=" + directory.string(), fs::read_symlink("/proc/self/exe").string(),
                  "--run_test=embedded_postgres_test/owner_process", "--catch_system_errors=no"}});
  BOOST_REQUIRE(child);
  BOOST_REQUIRE(eventually([&] { return fs::exists(directory / "owner_is_ready") || has_ended(*child); }));
  pid_t server = 0;
  BOOST_REQUIRE(eventually([&] { return static_cast<bool>(std::ifstream{directory / "owner_is_ready"} >> server); }));
  tell(embedded_postgres::url_of(directory), "create table kept as select 42 as n");

  const auto refused = embedded_postgres::start(options_for(directory)); // while the owner lives
  BOOST_REQUIRE(!refused);
  BOOST_TEST(refused.error().code == "embedded-postgres-locked");
  BOOST_TEST(refused.error().detail.find(std::to_string(*child)) != std::string::npos);

  BOOST_REQUIRE(kill(*child, SIGKILL) == 0);
  BOOST_REQUIRE(wait_until_ended(*child, std::chrono::seconds{20}));
  {
    const auto owned = started(options_for(directory));
    BOOST_TEST(owned->adopted());
    BOOST_TEST(owned->server_pid() == server);
    BOOST_TEST(ask(owned->url(), "select n from kept") == "42");
    BOOST_REQUIRE(kill(server, SIGKILL) == 0); // supervised like a child
    BOOST_REQUIRE(eventually([&] { return owned->restarts() == 1 && owned->healthy(); }));
    BOOST_TEST(ask(owned->url(), "select n from kept") == "42");
  }
  BOOST_CHECK_THROW(pqxx::connection{embedded_postgres::url_of(directory)}, pqxx::broken_connection);
}

BOOST_AUTO_TEST_CASE(a_second_owner_is_refused_and_the_first_goes_on) {
  temporary_directory temporary;
  const auto first = started(options_for(temporary.path));
  const auto second = embedded_postgres::start(options_for(temporary.path));
  BOOST_REQUIRE(!second);
  BOOST_TEST(second.error().code == "embedded-postgres-locked");
  BOOST_TEST(ask(first->url(), "select 1") == "1");
}

BOOST_AUTO_TEST_CASE(a_command_uses_the_running_server_or_starts_it_for_itself) {
  temporary_directory temporary;
  {
    const auto alone = embedded_postgres::attach(options_for(temporary.path));
    BOOST_REQUIRE(alone);
    BOOST_TEST(((*alone)->server_pid() > 0));
    tell((*alone)->url(), "create table kept as select 42 as n");
  }
  BOOST_CHECK_THROW(pqxx::connection{embedded_postgres::url_of(temporary.path)}, pqxx::broken_connection);
  const auto daemon = started(options_for(temporary.path));
  {
    const auto beside = embedded_postgres::attach(options_for(temporary.path));
    BOOST_REQUIRE(beside);
    BOOST_TEST((*beside)->server_pid() == 0);
    BOOST_TEST(ask((*beside)->url(), "select n from kept") == "42");
  }
  BOOST_TEST(ask(daemon->url(), "select n from kept") == "42"); // the command's end left it alone
}

BOOST_AUTO_TEST_CASE(a_daemon_waits_for_a_command_to_end) {
  temporary_directory temporary;
  auto command = embedded_postgres::attach(options_for(temporary.path));
  BOOST_REQUIRE(command);
  std::unique_ptr<embedded_postgres> daemon;
  std::thread starter{[&] {
    if (auto owned = embedded_postgres::start(options_for(temporary.path)))
      daemon = std::move(*owned);
  }};
  command->reset();
  starter.join();
  BOOST_REQUIRE(daemon);
  BOOST_TEST(ask(daemon->url(), "select 1") == "1");
}

BOOST_AUTO_TEST_CASE(lock_files_that_name_a_living_stranger_are_stale) {
  temporary_directory temporary;
  const auto directory = temporary.path / "pg";
  { const auto first = started(options_for(directory)); }
  const auto stranger = start_child({"/bin/sleep", {"600"}});
  BOOST_REQUIRE(stranger);
  std::ofstream{directory / "data" / "postmaster.pid"} << *stranger
                                                       << "\n/proc/self/fd/3\n1\n5432\n\n\n  0 0\nready   \n";
  std::ofstream{directory / "run" / ".s.PGSQL.5432.lock"} << *stranger << "\n/proc/self/fd/3\n1\n5432\n\n";
  if (geteuid() == 0) {
    struct stat status {};
    BOOST_REQUIRE(stat((directory / "data").c_str(), &status) == 0);
    BOOST_REQUIRE(chown((directory / "data" / "postmaster.pid").c_str(), status.st_uid, status.st_gid) == 0);
    BOOST_REQUIRE(chown((directory / "run" / ".s.PGSQL.5432.lock").c_str(), status.st_uid, status.st_gid) == 0);
  }
  {
    const auto second = started(options_for(directory));
    BOOST_TEST(!second->adopted());
    BOOST_TEST(ask(second->url(), "select 1") == "1");
  }
  BOOST_TEST(!has_ended(*stranger));
  kill(*stranger, SIGKILL);
  BOOST_TEST(wait_until_ended(*stranger, std::chrono::seconds{20}));
}

BOOST_AUTO_TEST_CASE(a_lock_file_that_was_cut_short_does_not_keep_the_server_from_starting) {
  const temporary_directory place;
  const auto options = options_for(place.path / "db");
  started(options).reset();
  BOOST_REQUIRE(std::ofstream{options.directory / "data" / "postmaster.pid"}.good()); // empty
  const auto again = started(options);
  BOOST_TEST(again->healthy());
  BOOST_TEST(!again->adopted());
}

BOOST_AUTO_TEST_CASE(a_path_too_long_for_a_socket_gets_a_short_socket_directory) {
  temporary_directory temporary;
  const auto directory = temporary.path / std::string(120, 'x') / "pg";
  const auto sockets = [&] { return socket_directory_of(directory); };
  fs::path used;
  {
    const auto first = started(options_for(directory));
    BOOST_TEST(ask(first->url(), "select 1") == "1");
    used = sockets();
    BOOST_TEST(used.string().size() < 90);
  }
  const auto second = started(options_for(directory));
  BOOST_TEST(sockets() == used); // kept
  BOOST_TEST(ask(embedded_postgres::url_of(directory), "select 1") == "1");
  fs::remove_all(used);
}

BOOST_AUTO_TEST_CASE(what_is_in_the_way_is_named) {
  temporary_directory temporary;
  std::ofstream{temporary.path / "file"} << "x";
  const auto no_directory = embedded_postgres::start(options_for(temporary.path / "file" / "pg"));
  BOOST_REQUIRE(!no_directory);
  BOOST_TEST(no_directory.error().detail.find("file") != std::string::npos);

  auto wrong_programs = options_for(temporary.path / "pg");
  wrong_programs.binaries = temporary.path;
  const auto no_programs = embedded_postgres::start(wrong_programs);
  BOOST_REQUIRE(!no_programs);
  BOOST_TEST(no_programs.error().detail.find("no PostgreSQL programs") != std::string::npos);

  fs::create_directories(temporary.path / "old" / "data");
  std::ofstream{temporary.path / "old" / "data" / "PG_VERSION"} << "13\n";
  const auto old = embedded_postgres::start(options_for(temporary.path / "old"));
  BOOST_REQUIRE(!old);
  BOOST_TEST(old.error().detail.find("PostgreSQL 13") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(shared_buffers_follow_the_memory_within_bounds) {
  const auto has = [](std::uint64_t memory, const std::string& line) {
    return postgres_configuration(memory, true).find(line + "\n") != std::string::npos;
  };
  BOOST_TEST(has(64ULL << 20U, "shared_buffers = 32MB"));
  BOOST_TEST(has(4ULL << 30U, "shared_buffers = 512MB"));
  BOOST_TEST(has(256ULL << 30U, "shared_buffers = 1024MB"));
  BOOST_TEST(has(4ULL << 30U, "fsync = on"));
  BOOST_TEST(has(4ULL << 30U, "synchronous_commit = on"));
  BOOST_TEST(usable_memory() > 0U);
}

BOOST_AUTO_TEST_SUITE_END()
