#include "core/outcome.hpp"

#include <array>

namespace postrider {
namespace {

constexpr std::array<std::string_view, attempt_reason_count> reason_words{
  "",           "http_status",      "redirect",           "connect_refused", "connect_timeout", "network_unreachable",
  "dns_failed", "dns_timeout",      "address_blocked",    "tls_handshake",   "tls_certificate", "timeout",
  "reset",      "invalid_response", "response_too_large", "interrupted"};

constexpr bool is_time_out(attempt_reason reason) {
  return reason == attempt_reason::timeout || reason == attempt_reason::connect_timeout ||
         reason == attempt_reason::dns_timeout;
}

constexpr bool is_overload(int status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

constexpr attempt_reason reason_of(int status) {
  if (status < 100 || status > 599)
    return attempt_reason::invalid_response;
  return status >= 300 && status < 400 ? attempt_reason::redirect : attempt_reason::http_status;
}

} // namespace

std::string_view to_string(attempt_outcome outcome) noexcept {
  switch (outcome) {
  case attempt_outcome::succeeded:
    return "succeeded";
  case attempt_outcome::failed:
    return "failed";
  case attempt_outcome::interrupted:
    return "interrupted";
  }
  return {};
}

std::string_view to_string(attempt_reason reason) noexcept {
  const auto index = static_cast<std::size_t>(reason);
  return index < reason_words.size() ? reason_words[index] : std::string_view{};
}

verdict judge(const attempt_facts& facts) noexcept {
  verdict out;
  if (facts.failure == attempt_reason::interrupted) {
    out.what = verdict::kind::interrupted;
    out.reason = facts.failure;
    out.counts_for_breaker = false;
    return out;
  }
  // Headers of a response that did not arrive whole are nobody's word.
  if (facts.failure != attempt_reason::none) {
    out.reason = facts.failure;
    out.slow_endpoint = is_time_out(facts.failure);
    return out;
  }
  out.disable_endpoint = facts.asks_disable;
  if (facts.http_status >= 200 && facts.http_status < 300) {
    out.what = verdict::kind::success;
    return out;
  }
  out.reason = reason_of(facts.http_status);
  out.slow_endpoint = is_overload(facts.http_status);
  if (facts.http_status == 410) {
    out.what = verdict::kind::give_up;
    out.give_up_reason = delivery_reason::endpoint_gone;
    out.disable_endpoint = true;
  } else if (facts.asks_disable || facts.asks_abort) {
    out.what = verdict::kind::give_up;
    out.give_up_reason = delivery_reason::aborted_by_receiver;
  }
  return out;
}

} // namespace postrider
