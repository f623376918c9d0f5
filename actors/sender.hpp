#pragma once

#include "core/event.hpp"
#include "core/ids.hpp"
#include "core/outcome.hpp"
#include "core/shard.hpp"
#include "core/tenant_config.hpp"
#include "core/time.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace postrider {

class delivery_port;

/// One HTTP request to make. `endpoint` is the configuration of the moment; SENDER signs with its secrets at the moment
/// of sending.
struct attempt_request {
  delivery_id delivery;
  std::uint32_t number = 0;        ///< `x-postrider-attempt`
  std::uint32_t breaker_epoch = 0; ///< handed back as it is
  event_ptr what;
  std::shared_ptr<const endpoint_config> endpoint; ///< aliases the tenant's configuration
  shard_no shard = 0;
  fence under = 0;                      ///< it is not sent once that is not trusted any more
  std::shared_ptr<delivery_port> owner; ///< who is told; its address tags the attempt with the actor's incarnation
};

struct attempt_result {
  delivery_id delivery;
  std::uint32_t number = 0;
  std::uint32_t breaker_epoch = 0;
  attempt_facts facts;
  wall_time started_at{}; ///< database's clock
  milliseconds duration{0};
  bool sent = true;    ///< false: refused before the first byte (no trust in the lease, no place): uncount it
  std::string excerpt; ///< of the response body, at most 1 KiB, as bytes
};

/// SENDER: makes HTTP requests, knows no actor and no database. One pool of keep-alive connections per endpoint and io
/// thread; total deadline (`endpoint.timeout`) over resolve + connect + TLS + request + response; at most 64 KiB of a
/// response read. Thread-safe, never blocks. Results come to `attempt_request::owner`, grouped per owner and turn of
/// the io loop.
class sender {
public:
  virtual ~sender() = default;

  /// Starts each of them at once. How many run is the caller's decision (its window); SENDER itself refuses only
  /// where a new connection would be more than the share of its tenant or endpoint in `connections_max`, as
  /// `attempt_reason::connect_timeout` with sent = false.
  virtual void start(std::vector<attempt_request> attempts) = 0;

  /// Aborts what runs for that owner (a crashed actor's incarnation); then calls back, from an io thread, with what was
  /// running. Nothing of that owner is reported after the call back.
  virtual void abort(const delivery_port* owner, std::function<void(std::vector<attempt_result>)> done) = 0;
};

} // namespace postrider
