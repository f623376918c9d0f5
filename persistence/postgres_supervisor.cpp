#include "persistence/postgres_supervisor.hpp"

#include "persistence/command_session.hpp"
#include "persistence/postmaster.hpp"

#include <algorithm>
#include <pqxx/pqxx>
#include <spdlog/spdlog.h>

namespace postrider {
namespace {

constexpr milliseconds ask_interval{20};
constexpr int recovery_factor = 10;
constexpr std::chrono::minutes settled_after{1};

} // namespace

bool wait_until_accepts(const postgres_directory& directory, milliseconds deadline,
                        const std::function<bool()>& alive) {
  const auto began = std::chrono::steady_clock::now();
  for (;;) {
    const auto answer = ask_server(directory);
    if (answer == server_answer::accepts)
      return true;
    const auto limit = answer == server_answer::starting ? deadline * recovery_factor : deadline;
    if (!alive() || std::chrono::steady_clock::now() - began >= limit)
      return false;
    std::this_thread::sleep_for(ask_interval);
  }
}

postgres_supervisor::postgres_supervisor(postgres_directory directory, std::unique_ptr<directory_lock> lock,
                                         embedded_postgres_options options)
    : directory_{std::move(directory)}, lock_{std::move(lock)}, options_{std::move(options)} {}

result<std::unique_ptr<postgres_supervisor>> postgres_supervisor::start(postgres_directory directory,
                                                                        std::unique_ptr<directory_lock> lock,
                                                                        embedded_postgres_options options) {
  std::unique_ptr<postgres_supervisor> out{
    new postgres_supervisor{std::move(directory), std::move(lock), std::move(options)}};
  if (auto up = out->bring_up(); !up)
    return up.error();
  out->healthy_ = true;
  out->thread_ = std::thread{[self = out.get()] { self->watch(); }};
  return out;
}

postgres_supervisor::~postgres_supervisor() {
  {
    const std::lock_guard guard{mutex_};
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable())
    thread_.join();
  healthy_ = false;
  pid_ = 0;
  if (!server_.ended() && !stop_postmaster(server_, options_.stop_deadline))
    spdlog::error("embedded PostgreSQL: process {} could not be stopped", server_.pid());
}

result<bool> postgres_supervisor::bring_up() {
  if (auto up = adopt_or_start(); !up)
    return up;
  return ensure_database();
}

/// A server that is found may be shutting down (its former owner was killed while it stopped it): then another is
/// started after it.
result<bool> postgres_supervisor::adopt_or_start() {
  const auto end = std::chrono::steady_clock::now() + options_.start_deadline;
  while (auto found = find_postmaster(directory_)) {
    if (wait_until_accepts(directory_, options_.start_deadline, [&] { return !found->ended(); })) {
      serves(std::move(*found));
      adopted_ = true;
      started_at_ = std::chrono::steady_clock::now();
      spdlog::warn("embedded PostgreSQL: adopted process {}, which outlived its former owner", server_.pid());
      return true;
    }
    if (std::chrono::steady_clock::now() >= end)
      return embedded_problem("process " + std::to_string(found->pid()) + " runs in " + directory_.data().string() +
                              " but does not answer");
  }
  auto pid = start_postmaster(directory_);
  if (!pid)
    return pid.error();
  serves(process_handle::of_child(*pid));
  started_at_ = std::chrono::steady_clock::now();
  if (wait_until_accepts(directory_, options_.start_deadline, [&] {
        if (!server_.ended())
          return true;
        serves({});
        return false;
      }))
    return true;
  const auto what = pid_ == 0 ? "the server ended at its start" : "the server does not accept in time";
  return embedded_problem(std::string{what} + "; its last words: " + end_of_server_log(directory_));
}

result<bool> postgres_supervisor::ensure_database() const {
  command_session on{directory_.url("postgres"), "embedded", milliseconds{60'000}}; // of the copying
  if (const auto failure = on.connect())
    return embedded_problem(failure->detail);
  const auto name = std::string{embedded_database};
  const auto made = on.call([&](pqxx::connection_base& connection) {
    pqxx::nontransaction transaction{connection};
    if (transaction.exec_params("select from pg_database where datname = $1", name).empty())
      transaction.exec("create database " + name);
  });
  if (!made)
    return embedded_problem(made.error().detail);
  return true;
}

void postgres_supervisor::serves(process_handle server) {
  server_ = std::move(server);
  pid_ = server_.pid();
}

bool postgres_supervisor::stop_asked_within(milliseconds time) {
  std::unique_lock guard{mutex_};
  return wake_.wait_for(guard, time, [&] { return stopping_; });
}

void postgres_supervisor::watch() {
  auto delay = options_.restart_delay_first;
  while (!stop_asked_within(options_.watch_interval)) {
    if (server_.ended()) {
      serves({});
      healthy_ = false;
      restart(delay);
    } else if (!healthy_) {
      healthy_ = ask_server(directory_) == server_answer::accepts;
    } else if (std::chrono::steady_clock::now() - started_at_ > settled_after) {
      delay = options_.restart_delay_first;
    }
  }
}

void postgres_supervisor::restart(milliseconds& delay) {
  spdlog::error("embedded PostgreSQL: the server is gone; starting it again in {} ms", delay.count());
  if (stop_asked_within(delay))
    return;
  delay = std::min(delay * 2, options_.restart_delay_max);
  started_at_ = std::chrono::steady_clock::now();
  restarts_.fetch_add(1, std::memory_order_relaxed);
  if (const auto pid = start_postmaster(directory_))
    serves(process_handle::of_child(*pid));
  else
    spdlog::error("embedded PostgreSQL: {}", pid.error().detail);
}

} // namespace postrider
