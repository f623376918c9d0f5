#pragma once

#include "core/result.hpp"
#include "core/time.hpp"
#include "net/http_connection.hpp"
#include "net/http_message.hpp"
#include "net/io_threads.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace postrider {

class tls_server;

enum class listener : std::uint8_t { public_ = 0, operator_ = 1 };
inline constexpr std::size_t listener_count = 2;

struct http_server_options {
  /// `HOST:PORT` or `[V6]:PORT`; port 0 takes a free one.
  std::array<std::string, listener_count> listen{"127.0.0.1:8080", "127.0.0.1:9090"};
  http_server_limits limits{};
};

/// LISTENER: both listeners of the node on the shared io threads. Each thread has its own acceptors (SO_REUSEPORT) and
/// connections, and a connection never changes thread. Outlived by the `io_threads`; outlives whoever calls `replies`
/// without harm (late answers are dropped). Stops in steps, as the daemon does (design, section 7): linger, close
/// public, close operator.
class http_server {
public:
  http_server(http_server_options options, io_threads& threads, metrics& counts);
  ~http_server(); ///< `stop` without patience
  http_server(const http_server&) = delete;
  http_server& operator=(const http_server&) = delete;

  /// Binds both; answers `HOST:PORT` of each with the port that was taken. Fails with 500 `listen-failed` and the
  /// reason, also when another process has the port. Nothing is accepted before `start`, but connections already queue
  /// up.
  result<std::array<std::string, listener_count>> listen();

  /// That listener speaks TLS from the next connection on, in this way; connections that are open stay as they are. Any
  /// thread, any time.
  void use_tls(listener which, std::shared_ptr<const tls_server> how);

  /// The handlers must outlive the server. The io threads may be started before or after.
  void start(http_handler& public_routes, http_handler& operator_routes);

  /// From now on each answer carries `connection: close`.
  void linger() noexcept;

  /// Closes that listener and its idle connections, waits up to `patience` for the requests under way, then closes what
  /// is left. Blocks; not from an io thread. Idempotent.
  void close(listener which, milliseconds patience);
  /// Both, the operator's last; afterwards nothing of this server is on the io threads any more.
  void stop(milliseconds patience);

  [[nodiscard]] const std::shared_ptr<http_replies>& replies() const noexcept;

private:
  struct implementation;
  std::unique_ptr<implementation> self_;
};

} // namespace postrider
