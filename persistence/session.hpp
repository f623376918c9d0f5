#pragma once

#include "core/metrics.hpp"
#include "core/time.hpp"
#include "persistence/watchdog.hpp"

#include <boost/system/result.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace pqxx {
class connection_base;
} // namespace pqxx

namespace postrider {

/// Why a call to PostgreSQL failed, by what the caller can do about it.
struct session_failure {
  enum class kind : std::uint8_t {
    lost, ///< no connection (any more). A write may or may not be committed: in doubt
    busy, ///< deadlock, lock or statement timeout, no room, missing partition: nothing written, the same may work later
    rejected, ///< PostgreSQL refuses these very values (classes 22, 23, 54): nothing written, the same will fail again
    mistake,  ///< anything else: our SQL, or a schema that is not ours
  };
  kind what = kind::lost;
  std::string sqlstate{}; ///< five characters, or empty
  std::string detail{};   ///< PostgreSQL's message, first line; holds no parameter
};

[[noreturn]] inline void throw_exception_from_error(const session_failure& what, const boost::source_location&) {
  throw std::logic_error("unchecked session result: " + what.detail);
}

template <class T>
using session_result = boost::system::result<T, session_failure>;

/// A statement that each connection prepares before it is used.
struct prepared_sql {
  const char* name;
  std::string_view sql;
};

struct session_options {
  std::string url;  ///< libpq URL or DSN
  std::string role; ///< what it is for; part of application_name
  milliseconds statement_timeout{5'000};
  milliseconds lock_timeout{2'000};
  milliseconds idle_in_transaction_timeout{2'000}; ///< at most a third of the lease's time to live
  milliseconds call_deadline{8'000};               ///< then the watchdog shuts the socket; above statement_timeout
  milliseconds connect_timeout{3'000};             ///< per host; libpq takes whole seconds, at least 2
  bool pinned_plans = false;                       ///< index scans and nested loops only, generic plans
  bool ends_with_us = false;                       ///< the server gives a long statement up when this side is gone
  std::vector<prepared_sql> statements{};
};

/// One connection of one thread. libpqxx would reconnect by itself and silently lose the session's state: that is
/// switched off, and a connection that was lost stays lost until `connect` is called again. Not thread-safe.
///
/// The session's settings: synchronous_commit on (raised from off and local), the timeouts above, keep-alives and user
/// timeout on the server's side of a TCP connection, UTC, `client_min_messages = error`.
class session {
public:
  session(session_options options, watchdog& dog, metrics& counts);
  ~session();
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  [[nodiscard]] bool connected() const noexcept { return connection_ != nullptr; }
  /// One attempt: connects, sets, prepares. Nothing on success, also when it is connected already.
  std::optional<session_failure> connect();
  /// Ends the connection; a transaction that is open is rolled back by the server.
  void disconnect() noexcept;

  /// Runs `work(pqxx::connection_base&)`, which opens its own transaction (`pqxx::nontransaction` for a single
  /// statement), under the watchdog, and turns what it throws into a failure. Not connected: `lost` at once, nothing is
  /// tried.
  template <class F>
  auto call(F&& work) -> session_result<std::invoke_result_t<F&, pqxx::connection_base&>> {
    using value = std::invoke_result_t<F&, pqxx::connection_base&>;
    if constexpr (std::is_void_v<value>) {
      if (auto failure = run([&](pqxx::connection_base& connection) { work(connection); }))
        return std::move(*failure);
      return {};
    } else {
      std::optional<value> out;
      if (auto failure = run([&](pqxx::connection_base& connection) { out.emplace(work(connection)); }))
        return std::move(*failure);
      return std::move(*out);
    }
  }

  /// Descriptor of the socket, to wait on for the server's hanging up; -1 while not connected.
  [[nodiscard]] int descriptor() const noexcept;
  [[nodiscard]] int backend_pid() const noexcept;
  [[nodiscard]] const session_options& options() const noexcept { return options_; }
  /// For the calls to come.
  void set_call_deadline(milliseconds deadline) noexcept { options_.call_deadline = deadline; }
  /// From any thread: no call, the one that runs included, goes past `end`. Cannot be taken back.
  void end_at(mono_time end) { limit_.end_at(end); }

private:
  struct connection_holder;

  std::optional<session_failure> run(const std::function<void(pqxx::connection_base&)>& work);
  std::optional<session_failure> watched(const std::function<void(pqxx::connection_base&)>& work);

  session_options options_;
  watchdog::limit limit_;
  metrics& metrics_;
  std::unique_ptr<connection_holder> connection_;
  bool ever_connected_ = false;
  const bool lazy_;      ///< connects when there is something to do
  bool counted_ = false; ///< among the open connections
};

/// Waits between attempts to connect: 50 ms, doubling to 2 s.
class reconnect_backoff {
public:
  [[nodiscard]] milliseconds next() noexcept {
    return std::exchange(delay_, std::min(delay_ * 2, milliseconds{2'000}));
  }
  void reset() noexcept { delay_ = milliseconds{50}; }

private:
  milliseconds delay_{50};
};

} // namespace postrider
