#include "core/explain.hpp"

#include <algorithm>

namespace postrider {

namespace {

std::string attempts(std::uint32_t count) {
  return std::to_string(count) + (count == 1 ? " attempt" : " attempts");
}

/// ` The last one ended with …`, or nothing.
std::string last_of(const explain_facts& facts) {
  return facts.last_error.empty() ? std::string{}
                                  : " The last attempt ended with " + std::string{facts.last_error} + ".";
}

std::string end_of_dead(const explain_facts& facts) {
  switch (facts.reason) {
  case delivery_reason::exhausted:
    return "The retry schedule is used up after " + attempts(facts.attempt_count) + ".";
  case delivery_reason::endpoint_gone:
    return "The endpoint answered 410 Gone and was disabled.";
  case delivery_reason::aborted_by_receiver:
    return "The receiver asked for this message not to be sent again.";
  case delivery_reason::endpoint_deleted:
    return "The endpoint was deleted.";
  case delivery_reason::expired:
    return "It was still undelivered when its event's retention ended.";
  case delivery_reason::quarantined:
    return "It is quarantined.";
  case delivery_reason::none:
  case delivery_reason::cancelled_by_user:
  case delivery_reason::erased:
  case delivery_reason::tenant_deleted:
    break;
  }
  return "It was given up after " + attempts(facts.attempt_count) + ".";
}

std::string end_of_cancelled(delivery_reason reason) {
  if (reason == delivery_reason::erased)
    return "Its event was erased.";
  if (reason == delivery_reason::tenant_deleted)
    return "The tenant was deleted.";
  return "It was cancelled by a person.";
}

explanation explain_waiting(const explain_facts& facts, wall_time now) {
  if (!facts.tenant_enabled)
    return {"paused", std::nullopt, "The tenant is disabled; it goes on when that ends." + last_of(facts)};
  if (facts.endpoint != endpoint_status::active) {
    const std::string how = facts.endpoint == endpoint_status::paused ? "paused" : "disabled";
    return {"paused", std::nullopt, "The endpoint is " + how + "; it goes on when that ends." + last_of(facts)};
  }
  if (facts.breaker != breaker_state::closed) {
    const std::string how =
      facts.breaker == breaker_state::open ? "is open" : "is half open and lets only probes through";
    const auto when =
      facts.next_probe_at ? " The next probe is due at " + to_rfc3339(*facts.next_probe_at) + "." : std::string{};
    const bool scheduled = facts.state == delivery_state::pending && facts.next_attempt_at;
    const auto earliest = facts.next_probe_at && scheduled ? std::max(facts.next_probe_at, facts.next_attempt_at)
                          : facts.next_probe_at            ? facts.next_probe_at
                                                           : facts.next_attempt_at;
    return {"breaker", earliest,
            "The endpoint's circuit breaker " + how + "; no attempt is used up by waiting." + when + last_of(facts)};
  }
  if (!facts.predecessor.empty())
    return {"predecessor", std::nullopt,
            "It is sent when " + std::string{facts.predecessor} +
              ", which is ahead of it in the endpoint's order, is final." + last_of(facts)};
  if (facts.next_attempt_at && *facts.next_attempt_at > now) {
    const auto when = to_rfc3339(*facts.next_attempt_at);
    if (facts.state == delivery_state::pending)
      return {"scheduled", facts.next_attempt_at, "It is to be sent at " + when + "."};
    return {"backoff", facts.next_attempt_at,
            "After " + attempts(facts.attempt_count) + " the next one is due at " + when + "." + last_of(facts)};
  }
  if (facts.held_until && *facts.held_until > now)
    return {"rate_limit", facts.held_until,
            "It is due; the endpoint asked to be sent nothing before " + to_rfc3339(*facts.held_until) + "." +
              last_of(facts)};
  if (facts.rate_limit_per_s)
    return {"rate_limit", facts.next_attempt_at,
            "It is due and waits for its turn among the requests that the endpoint's rate limit lets through." +
              last_of(facts)};
  return {"capacity", facts.next_attempt_at,
          "It is due and waits for a free place among the endpoint's requests." + last_of(facts)};
}

} // namespace

explanation explain(const explain_facts& facts, wall_time now) {
  switch (facts.state) {
  case delivery_state::pending:
  case delivery_state::retry_wait:
    return explain_waiting(facts, now);
  case delivery_state::in_flight:
    return {"response", std::nullopt,
            "Attempt " + std::to_string(facts.attempt_count) + " is under way; its response decides."};
  case delivery_state::succeeded:
    return {{}, std::nullopt, "The endpoint accepted it at attempt " + std::to_string(facts.attempt_count) + "."};
  case delivery_state::dead:
    return {{}, std::nullopt, end_of_dead(facts) + last_of(facts)};
  case delivery_state::cancelled:
    break;
  }
  return {{}, std::nullopt, end_of_cancelled(facts.reason)};
}

} // namespace postrider
