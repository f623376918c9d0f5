#include "daemon/signal_watch.hpp"

#include "config/log_fields.hpp"

#include <csignal>
#include <system_error>

#include <pthread.h>
#include <unistd.h>

namespace postrider {

namespace {

constexpr int leave_signal = SIGUSR2; // ends the thread at the end of main

sigset_t taken_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, leave_signal})
    sigaddset(&set, signal);
  return set;
}

} // namespace

signal_watch::signal_watch() {
  std::signal(SIGPIPE, SIG_IGN);
  const auto set = taken_signals();
  if (const int error = pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0)
    throw std::system_error{error, std::generic_category(), "pthread_sigmask"};
  thread_ = std::thread{[this] { run(); }};
}

signal_watch::~signal_watch() {
  pthread_kill(thread_.native_handle(), leave_signal);
  thread_.join();
}

void signal_watch::run() {
  const auto set = taken_signals();
  while (true) {
    int signal = 0;
    if (sigwait(&set, &signal) != 0 || signal == leave_signal)
      return;
    if (signal == SIGHUP) {
      reload();
      continue;
    }
    if (!requested()) {
      log_event(spdlog::level::info, "stopping", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
      request();
      continue;
    }
    log_event(spdlog::level::warn, "a second signal: ending at once", {});
    const std::lock_guard lock{mutex_}; // what the act reaches into stays while it runs
    if (last_act_)
      last_act_();
    _exit(1);
  }
}

void signal_watch::reload() {
  const std::lock_guard lock{reload_mutex_};
  if (reload_)
    reload_();
  else
    log_event(spdlog::level::info, "SIGHUP: there is nothing to read again", {});
}

void signal_watch::set_reload(std::function<void()> reload) {
  const std::lock_guard lock{reload_mutex_};
  reload_ = std::move(reload);
}

void signal_watch::wait() {
  std::unique_lock lock{mutex_};
  changed_.wait(lock, [this] { return requested(); });
}

void signal_watch::request() {
  {
    const std::lock_guard lock{mutex_};
    requested_ = true;
  }
  changed_.notify_all();
}

void signal_watch::set_last_act(std::function<void()> last_act) {
  const std::lock_guard lock{mutex_};
  last_act_ = std::move(last_act);
}

} // namespace postrider
