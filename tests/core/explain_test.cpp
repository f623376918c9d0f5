#include "core/explain.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <tuple>

using namespace postrider;
using namespace std::chrono_literals;

namespace {

const wall_time now{std::chrono::hours{24 * 365 * 50}};

enum class due : std::uint8_t { unset, passed, ahead };

explain_facts facts_of(delivery_state state, endpoint_status endpoint, breaker_state breaker, due when) {
  explain_facts facts;
  facts.state = state;
  facts.attempt_count = 2;
  facts.last_error = "http_status";
  facts.endpoint = endpoint;
  facts.breaker = breaker;
  if (when != due::unset)
    facts.next_attempt_at = when == due::passed ? now - 1s : now + 60s;
  return facts;
}

/// The header's table.
std::string_view expected(delivery_state state, endpoint_status endpoint, breaker_state breaker, due when) {
  if (is_final(state))
    return {};
  if (state == delivery_state::in_flight)
    return "response";
  if (endpoint != endpoint_status::active)
    return "paused";
  if (breaker != breaker_state::closed)
    return "breaker";
  if (when == due::ahead)
    return state == delivery_state::pending ? "scheduled" : "backoff";
  return "capacity";
}

} // namespace

BOOST_AUTO_TEST_SUITE(explanations)

BOOST_AUTO_TEST_CASE(every_state_of_delivery_endpoint_breaker_and_due_time_is_explained_as_the_table_says) {
  std::map<std::string_view, int> words;
  for (std::size_t s = 0; s < delivery_state_count; ++s)
    for (const auto endpoint : {endpoint_status::active, endpoint_status::paused, endpoint_status::disabled})
      for (std::size_t b = 0; b < breaker_state_count; ++b)
        for (const auto when : {due::unset, due::passed, due::ahead}) {
          const auto state = static_cast<delivery_state>(s);
          const auto breaker = static_cast<breaker_state>(b);
          const auto facts = facts_of(state, endpoint, breaker, when);
          const auto out = explain(facts, now);
          BOOST_TEST(out.waiting_for == expected(state, endpoint, breaker, when));
          BOOST_TEST(out.detail.ends_with('.'));
          const bool tells = out.waiting_for == "breaker" || out.waiting_for == "scheduled" ||
                             out.waiting_for == "backoff" || out.waiting_for == "capacity";
          BOOST_TEST((out.next_attempt_at == (tells ? facts.next_attempt_at : std::nullopt)));
          ++words[out.waiting_for];
        }
  BOOST_TEST(words.size() == 7U); // each word of the table, and none where it is over
}

BOOST_AUTO_TEST_CASE(behind_a_breaker_backoff_ends_with_its_probe_and_a_schedule_does_not) {
  auto facts = facts_of(delivery_state::retry_wait, endpoint_status::active, breaker_state::open, due::ahead);
  facts.next_probe_at = now + 10s;
  const auto out = explain(facts, now);
  BOOST_TEST((out.next_attempt_at == now + 10s));
  BOOST_TEST(out.detail.find(to_rfc3339(now + 10s)) != std::string::npos);
  facts.state = delivery_state::pending;
  BOOST_TEST((explain(facts, now).next_attempt_at == now + 60s));
  facts.next_probe_at = now + 90s;
  BOOST_TEST((explain(facts, now).next_attempt_at == now + 90s));
}

BOOST_AUTO_TEST_CASE(what_is_due_may_wait_for_the_endpoints_rate) {
  for (const auto state : {delivery_state::pending, delivery_state::retry_wait}) {
    auto facts = facts_of(state, endpoint_status::active, breaker_state::closed, due::passed);
    facts.rate_limit_per_s = 0.5;
    BOOST_TEST(explain(facts, now).waiting_for == "rate_limit");
    facts.held_until = now + 5s;
    const auto held = explain(facts, now);
    BOOST_TEST(held.waiting_for == "rate_limit");
    BOOST_TEST((held.next_attempt_at == now + 5s));
    BOOST_TEST(held.detail.find(to_rfc3339(now + 5s)) != std::string::npos);
    facts.rate_limit_per_s.reset();
    facts.held_until = now - 5s; // over
    BOOST_TEST(explain(facts, now).waiting_for == "capacity");
    facts = facts_of(state, endpoint_status::active, breaker_state::closed, due::ahead);
    facts.rate_limit_per_s = 0.5;
    BOOST_TEST(explain(facts, now).waiting_for == (state == delivery_state::pending ? "scheduled" : "backoff"));
  }
}

BOOST_AUTO_TEST_CASE(a_disabled_tenant_comes_before_everything_else) {
  auto facts = facts_of(delivery_state::retry_wait, endpoint_status::paused, breaker_state::open, due::ahead);
  facts.tenant_enabled = false;
  const auto out = explain(facts, now);
  BOOST_TEST(out.waiting_for == "paused");
  BOOST_TEST(!out.next_attempt_at);
  BOOST_TEST(out.detail.starts_with("The tenant is disabled"));
}

BOOST_AUTO_TEST_CASE(each_reason_of_an_end_has_a_sentence_of_its_own) {
  std::map<std::string, int> sentences;
  for (const auto reason : {delivery_reason::exhausted, delivery_reason::endpoint_gone,
                            delivery_reason::aborted_by_receiver, delivery_reason::endpoint_deleted,
                            delivery_reason::expired, delivery_reason::quarantined, delivery_reason::none}) {
    auto facts = facts_of(delivery_state::dead, endpoint_status::active, breaker_state::closed, due::unset);
    facts.reason = reason;
    ++sentences[explain(facts, now).detail];
  }
  for (const auto reason :
       {delivery_reason::cancelled_by_user, delivery_reason::erased, delivery_reason::tenant_deleted}) {
    auto facts = facts_of(delivery_state::cancelled, endpoint_status::active, breaker_state::closed, due::unset);
    facts.reason = reason;
    ++sentences[explain(facts, now).detail];
  }
  BOOST_TEST(sentences.size() == 10U);
}

BOOST_AUTO_TEST_CASE(the_last_error_is_told_where_it_matters_and_one_attempt_is_singular) {
  auto facts = facts_of(delivery_state::retry_wait, endpoint_status::active, breaker_state::closed, due::ahead);
  BOOST_TEST(explain(facts, now).detail.find("http_status") != std::string::npos);
  BOOST_TEST(explain(facts, now).detail.find("2 attempts") != std::string::npos);
  facts.attempt_count = 1;
  BOOST_TEST(explain(facts, now).detail.find("1 attempt ") != std::string::npos);
  facts.last_error = {};
  BOOST_TEST(explain(facts, now).detail.find("ended with") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
