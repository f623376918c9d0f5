#pragma once

#include "core/circuit_breaker.hpp"
#include "core/delivery_state.hpp"
#include "core/tenant_config.hpp"
#include "core/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postrider {

/// What is known of one delivery and its endpoint, from one snapshot.
struct explain_facts {
  delivery_state state = delivery_state::pending;
  delivery_reason reason = delivery_reason::none;
  std::uint32_t attempt_count = 0;
  std::optional<wall_time> next_attempt_at{};
  std::string_view last_error{}; ///< of the last attempt, as shown; empty: none
  bool tenant_enabled = true;    ///< false: like an endpoint that is paused
  endpoint_status endpoint = endpoint_status::active;
  breaker_state breaker = breaker_state::closed;
  std::optional<wall_time> next_probe_at{};
  std::optional<wall_time> held_until{};    ///< the endpoint asked (`Retry-After`) to be sent nothing before
  std::optional<double> rate_limit_per_s{}; ///< of the endpoint
  std::string_view predecessor{};           ///< id of one ahead of it in its order that is not final; empty: none
};

/// api.md, `explain`: why a delivery is where it is.
struct explanation {
  std::string_view waiting_for{}; ///< a word of api.md; empty: null
  std::optional<wall_time>
    next_attempt_at{}; ///< the earliest that can be told; nothing where it hangs on something else
  std::string detail;  ///< one sentence for people
};

// clang-format off
/// What stands in the way, the greatest obstacle first:
///
/// | state | endpoint not active, tenant disabled | breaker open or half open | one ahead in its order | due later | endpoint held, rate limited | else |
/// | --- | --- | --- | --- | --- | --- | --- |
/// | pending, retry_wait | paused | breaker | predecessor | scheduled (pending), backoff | rate_limit | capacity |
/// | in_flight | response | response | response | response | response | response |
/// | succeeded, dead, cancelled | – | – | – | – | – | – |
///
/// When a breaker closes, what waits on backoff becomes due: so nothing but its probe is waited for, unless the
/// delivery is scheduled for later.
// clang-format on
explanation explain(const explain_facts& facts, wall_time now);

} // namespace postrider
