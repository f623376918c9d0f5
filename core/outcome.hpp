#pragma once

#include "core/delivery_state.hpp"
#include "core/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postrider {

/// How one attempt ended. Stored as numbers (`attempt.outcome`): never renumber.
enum class attempt_outcome : std::uint8_t { succeeded = 1, failed = 2, interrupted = 3 };
std::string_view to_string(attempt_outcome outcome) noexcept;

/// Why an attempt failed (api.md, "Attempt reasons"). Stored as numbers: never renumber.
enum class attempt_reason : std::uint8_t {
  none = 0,
  http_status = 1,
  redirect = 2,
  connect_refused = 3,
  connect_timeout = 4,
  network_unreachable = 5,
  dns_failed = 6,
  dns_timeout = 7,
  address_blocked = 8,
  tls_handshake = 9,
  tls_certificate = 10,
  timeout = 11,
  reset = 12,
  invalid_response = 13,
  response_too_large = 14,
  interrupted = 15,
};
inline constexpr std::size_t attempt_reason_count = 16;
std::string_view to_string(attempt_reason reason) noexcept;

/// What SENDER saw of one HTTP request: facts only, no judgement.
struct attempt_facts {
  attempt_reason failure = attempt_reason::none; ///< a transport failure, or none when a whole response arrived
  int http_status = 0;                           ///< 100–599, or 0 when there was no response
  std::optional<milliseconds> retry_after{};     ///< from `Retry-After`, relative to the end of the attempt
  bool asks_disable = false;                     ///< response header `webhook-delivery: disable`
  bool asks_abort = false;                       ///< response header `webhook-delivery: abort-message`
};

/// The judgement over an attempt (api.md, "What an endpoint receives").
struct verdict {
  enum class kind : std::uint8_t { success, retry, give_up, interrupted } what = kind::retry;
  attempt_reason reason = attempt_reason::none; ///< none on success
  delivery_reason give_up_reason = delivery_reason::none;
  bool slow_endpoint = false;     ///< 429, 502, 503, 504, time-outs: the whole endpoint slows down
  bool disable_endpoint = false;  ///< 410, or asked by the receiver
  bool counts_for_breaker = true; ///< an interrupted attempt is not the endpoint's failure
};

/// 2xx succeeds; 3xx is a failure; 410 gives up and disables; `disable` and `abort-message` are obeyed; `interrupted`
/// advances nothing; all else is retried. Total over every status and failure.
verdict judge(const attempt_facts& facts) noexcept;

/// `Retry-After` (RFC 9110 section 10.2.3): seconds, or an HTTP date relative to `now`. Nothing when it is neither; a
/// past date is 0.
std::optional<milliseconds> parse_retry_after(std::string_view value, wall_time now) noexcept;

} // namespace postrider
