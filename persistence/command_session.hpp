#pragma once

#include "core/metrics.hpp"
#include "core/result.hpp"
#include "persistence/session.hpp"
#include "persistence/watchdog.hpp"

#include <optional>
#include <string>

namespace postrider {

/// A connection for a few calls outside of the stores (migrations, keys, checks), each of which ends: a server that
/// takes connections and never answers would otherwise hold the start of the daemon for ever.
class command_session {
public:
  /// Connects within 5 s a host; every call then ends after `patience`.
  command_session(const std::string& url, const std::string& role, milliseconds patience = milliseconds{10'000});

  /// 400 `database-url-invalid`, 503 `store-unavailable`; nothing on success.
  std::optional<problem> connect();

  template <class F>
  auto call(F&& work) {
    return on_.call(std::forward<F>(work));
  }

private:
  std::string url_;
  watchdog dog_;
  metrics counts_;
  session on_;
};

/// 503 `store-unavailable` where time may heal it: the connection is lost, the server is no primary just now, shuts
/// down, or gave no lock. Otherwise 500 with that code, and PostgreSQL's message behind `what`.
problem problem_of(const session_failure& failure, const char* code, const std::string& what = {});

} // namespace postrider
