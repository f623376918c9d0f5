#include "core/outcome.hpp"

#include <boost/test/unit_test.hpp>

#include <array>

using namespace postrider;

namespace {

using kind = verdict::kind;

verdict judge_status(int status, bool asks_disable = false, bool asks_abort = false) {
  return judge({.http_status = status, .asks_disable = asks_disable, .asks_abort = asks_abort});
}

bool is_success(int status) {
  return status >= 200 && status <= 299;
}

/// What holds for every verdict whatsoever.
void check_consistent(const attempt_facts& facts) {
  const auto out = judge(facts);
  const bool gives_up = out.what == kind::give_up;
  BOOST_TEST((out.reason == attempt_reason::none) == (out.what == kind::success));
  BOOST_TEST((out.give_up_reason != delivery_reason::none) == gives_up);
  BOOST_TEST(out.counts_for_breaker == (out.what != kind::interrupted));
  if (out.what == kind::success) {
    BOOST_TEST(is_success(facts.http_status));
    BOOST_TEST((facts.failure == attempt_reason::none));
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(outcome)

BOOST_AUTO_TEST_CASE(every_status_with_every_failure_and_wish_has_a_consistent_verdict) {
  for (int status = 0; status <= 600; ++status)
    for (std::size_t failure = 0; failure < attempt_reason_count; ++failure)
      for (const bool disable : {false, true})
        for (const bool abort : {false, true})
          BOOST_TEST_CONTEXT("status " << status << ", failure " << failure << ", " << disable << abort)
  check_consistent({.failure = static_cast<attempt_reason>(failure),
                    .http_status = status,
                    .asks_disable = disable,
                    .asks_abort = abort});
}

BOOST_AUTO_TEST_CASE(plain_statuses_are_judged_by_their_class) {
  for (int status = 100; status <= 599; ++status) {
    const auto out = judge_status(status);
    BOOST_TEST_CONTEXT("status " << status) {
      const auto expected = is_success(status) ? kind::success : status == 410 ? kind::give_up : kind::retry;
      BOOST_TEST((out.what == expected));
      const bool redirect = status >= 300 && status <= 399;
      if (!is_success(status))
        BOOST_TEST((out.reason == (redirect ? attempt_reason::redirect : attempt_reason::http_status)));
      BOOST_TEST(out.slow_endpoint == (status == 429 || status == 502 || status == 503 || status == 504));
      BOOST_TEST(out.disable_endpoint == (status == 410));
      BOOST_TEST(out.counts_for_breaker);
    }
  }
}

BOOST_AUTO_TEST_CASE(gone_gives_up_and_disables_whatever_else_is_asked) {
  for (const bool disable : {false, true})
    for (const bool abort : {false, true}) {
      const auto out = judge_status(410, disable, abort);
      BOOST_TEST((out.what == kind::give_up));
      BOOST_TEST((out.give_up_reason == delivery_reason::endpoint_gone));
      BOOST_TEST(out.disable_endpoint);
    }
}

BOOST_AUTO_TEST_CASE(wishes_of_the_receiver_with_2xx_leave_the_success) {
  for (const int status : {200, 204, 299}) {
    const auto disabled = judge_status(status, true, false);
    BOOST_TEST((disabled.what == kind::success));
    BOOST_TEST(disabled.disable_endpoint);
    const auto aborted = judge_status(status, false, true);
    BOOST_TEST((aborted.what == kind::success));
    BOOST_TEST(!aborted.disable_endpoint);
  }
}

BOOST_AUTO_TEST_CASE(wishes_of_the_receiver_without_2xx_end_the_delivery) {
  for (const int status : {199, 302, 400, 404, 429, 500, 503}) {
    const auto disabled = judge_status(status, true, false);
    BOOST_TEST((disabled.what == kind::give_up));
    BOOST_TEST((disabled.give_up_reason == delivery_reason::aborted_by_receiver));
    BOOST_TEST(disabled.disable_endpoint);
    const auto aborted = judge_status(status, false, true);
    BOOST_TEST((aborted.what == kind::give_up));
    BOOST_TEST((aborted.give_up_reason == delivery_reason::aborted_by_receiver));
    BOOST_TEST(!aborted.disable_endpoint);
  }
}

BOOST_AUTO_TEST_CASE(interrupted_attempts_count_for_nothing) {
  for (const int status : {0, 200, 410, 503}) {
    const auto out = judge({.failure = attempt_reason::interrupted, .http_status = status, .asks_disable = true});
    BOOST_TEST((out.what == kind::interrupted));
    BOOST_TEST(!out.counts_for_breaker);
    BOOST_TEST(!out.slow_endpoint);
    BOOST_TEST(!out.disable_endpoint);
  }
}

BOOST_AUTO_TEST_CASE(transport_failures_are_retried_and_a_half_response_decides_nothing) {
  for (std::size_t i = 1; i < attempt_reason_count; ++i) {
    const auto failure = static_cast<attempt_reason>(i);
    if (failure == attempt_reason::interrupted)
      continue;
    const auto out = judge({.failure = failure, .http_status = 410, .asks_disable = true, .asks_abort = true});
    BOOST_TEST((out.what == kind::retry));
    BOOST_TEST((out.reason == failure));
    BOOST_TEST(!out.disable_endpoint);
  }
}

BOOST_AUTO_TEST_CASE(time_outs_slow_the_endpoint_and_other_failures_do_not) {
  for (std::size_t i = 1; i < attempt_reason_count; ++i) {
    const auto failure = static_cast<attempt_reason>(i);
    BOOST_TEST(judge({.failure = failure}).slow_endpoint == to_string(failure).ends_with("timeout"),
               to_string(failure));
  }
}

BOOST_AUTO_TEST_CASE(no_response_and_no_failure_is_an_invalid_response) {
  for (const int status : {-1, 0, 99, 600, 1'000}) {
    const auto out = judge_status(status);
    BOOST_TEST((out.what == kind::retry));
    BOOST_TEST((out.reason == attempt_reason::invalid_response));
  }
}

BOOST_AUTO_TEST_CASE(words_are_the_contracts_in_stored_order) {
  const std::array<std::string_view, attempt_reason_count> words{
    "",           "http_status",      "redirect",           "connect_refused", "connect_timeout", "network_unreachable",
    "dns_failed", "dns_timeout",      "address_blocked",    "tls_handshake",   "tls_certificate", "timeout",
    "reset",      "invalid_response", "response_too_large", "interrupted"};
  for (std::size_t i = 0; i < words.size(); ++i)
    BOOST_TEST(to_string(static_cast<attempt_reason>(i)) == words[i]);
  BOOST_TEST(to_string(static_cast<attempt_reason>(words.size())).empty());
  BOOST_TEST(to_string(static_cast<attempt_outcome>(1)) == "succeeded");
  BOOST_TEST(to_string(static_cast<attempt_outcome>(2)) == "failed");
  BOOST_TEST(to_string(static_cast<attempt_outcome>(3)) == "interrupted");
  BOOST_TEST(to_string(static_cast<attempt_outcome>(0)).empty());
}

BOOST_AUTO_TEST_SUITE_END()
