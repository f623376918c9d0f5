#pragma once

#include "config/settings.hpp"
#include "core/result.hpp"
#include "core/secret_box.hpp"
#include "daemon/tls_files.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace postrider {

class embedded_postgres;

struct engine_options {
  settings values;
  node_tls tls;
  std::string database_url;
  const embedded_postgres* server = nullptr; ///< the private PostgreSQL, for readiness; outlives the engine
  std::optional<secret_key> master_key;      ///< nothing: that of `--dev`, kept in the database
  bool dev = false;                          ///< loopback and http:// endpoints
  bool migrate = true;                       ///< false: the schema must be there already
  /// Called once, from any thread, when the node cannot go on: another process has its name, the schema is not ours.
  std::function<void(const problem&)> failed;
};

/// All parts of a node, wired: listeners, SENDER, actors, STORE, the management API. Made, started and stopped by one
/// thread.
class engine {
public:
  explicit engine(engine_options options);
  ~engine(); ///< `stop` without patience
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;

  struct addresses {
    std::string public_, operator_; ///< `HOST:PORT`, with the ports that were taken
  };
  /// Binds both listeners. 500 `listen-failed`. Nothing is answered yet.
  result<addresses> bind();

  /// The listeners speak TLS in this way from the next connection on. Any thread, while they are bound.
  void use_tls(const decltype(node_tls::listeners)& listeners);

  /// Starts everything; both listeners accept afterwards. With the database away they do all the same: what needs it is
  /// answered 503,
  /// `/readyz` says so, and a thread goes on trying to reach and migrate it. Errors are those that more trying does not
  /// heal: the node's name is taken (409 `node-name-taken`), the schema is not ours.
  result<void> start();

  /// Design section 7: not ready, linger, close the public listener, commit what was accepted, start nothing new, let
  /// what is in flight end, write its outcomes, release the leases, end the actors. The operator listener still answers
  /// afterwards.
  void drain();
  /// Closes the operator listener and ends all threads.
  void stop();

private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

} // namespace postrider
