#include "core/ingest_quota.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace std::chrono_literals;

namespace {

constexpr mono_time start{1'000h};

/// One after the other, as the interface names them.
ingest_quotas quotas_of(std::optional<std::int64_t> per_s, std::optional<std::int64_t> bytes_per_s = {},
                        std::optional<std::int64_t> backlog = {}) {
  return {per_s, bytes_per_s, backlog};
}

} // namespace

BOOST_AUTO_TEST_SUITE(ingest_quota_decisions)

BOOST_AUTO_TEST_CASE(without_quotas_everything_is_admitted) {
  ingest_use use;
  for (int i = 0; i < 100; ++i) {
    const auto step = admit(use, 1U << 20U, start, {});
    BOOST_TEST((step.verdict == quota_verdict::admitted));
    use = step.next;
  }
}

BOOST_AUTO_TEST_CASE(requests_beyond_the_rate_are_told_when_to_come_again) {
  const auto quotas = quotas_of(2);
  ingest_use use;
  for (int i = 0; i < 2; ++i)
    use = admit(use, 10, start, quotas).next;
  const auto refused = admit(use, 10, start, quotas);
  BOOST_TEST((refused.verdict == quota_verdict::rate_limited));
  BOOST_TEST(refused.retry_after.count() == 1); // half a second, rounded up
  BOOST_TEST((admit(use, 10, start + 500ms, quotas).verdict == quota_verdict::admitted));
}

BOOST_AUTO_TEST_CASE(what_the_bytes_refuse_takes_no_request_and_the_other_way_round) {
  const auto quotas = quotas_of(2, 1'000);
  auto use = admit({}, 900, start, quotas).next;
  for (int i = 0; i < 50; ++i) {
    const auto refused = admit(use, 900, start, quotas);
    BOOST_TEST((refused.verdict == quota_verdict::rate_limited));
    use = refused.next;
  }
  use = admit(use, 100, start, quotas).next;
  BOOST_TEST(tokens_left(use.requests, start, rate_of(2)) == 0);
  BOOST_TEST(tokens_left(use.bytes, start, rate_of(1'000)) == 0);
  for (int i = 0; i < 50; ++i)
    use = admit(use, 0, start, quotas).next;
  BOOST_TEST(tokens_left(use.bytes, start + 1s, rate_of(1'000)) == 1'000);
}

BOOST_AUTO_TEST_CASE(the_later_of_both_waits_is_told_and_no_more_than_an_hour) {
  const auto quotas = quotas_of(1, 100);
  const auto use = admit({}, 1'000, start, quotas).next;
  BOOST_TEST(admit(use, 100, start, quotas).retry_after.count() == 10);
  const auto slow = quotas_of(std::nullopt, 1);
  const auto much = admit({}, 1U << 20U, start, slow);
  BOOST_TEST((much.verdict == quota_verdict::admitted)); // the bucket is full: nothing waits for ever
  BOOST_TEST((admit(much.next, 1, start, slow).retry_after == retry_after_max));
}

BOOST_AUTO_TEST_CASE(a_quota_of_nothing_takes_nothing_in) {
  for (const auto& quotas : {quotas_of(0), quotas_of(std::nullopt, 0)}) {
    const auto step = admit({}, 0, start, quotas);
    BOOST_TEST((step.verdict == quota_verdict::rate_limited));
    BOOST_TEST((step.retry_after == retry_after_max));
  }
  BOOST_TEST((admit({}, 0, start, quotas_of(std::nullopt, std::nullopt, 0)).verdict == quota_verdict::backlog_full));
}

BOOST_AUTO_TEST_CASE(a_full_backlog_refuses_and_takes_no_token) {
  const auto quotas = quotas_of(1, std::nullopt, 10);
  ingest_use use;
  use.live = 10;
  const auto refused = admit(use, 1, start, quotas);
  BOOST_TEST((refused.verdict == quota_verdict::backlog_full));
  BOOST_TEST((refused.retry_after == retry_after_backlog));
  use = refused.next;
  use.live = 9;
  BOOST_TEST((admit(use, 1, start, quotas).verdict == quota_verdict::admitted));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(ingest_quota_shared)

BOOST_AUTO_TEST_CASE(a_new_configuration_keeps_what_was_taken) {
  ingest_quota quota;
  quota.configure(quotas_of(1));
  BOOST_TEST((quota.admit(1, start).verdict == quota_verdict::admitted));
  BOOST_TEST((quota.admit(1, start).verdict == quota_verdict::rate_limited));
  quota.configure(quotas_of(2));
  BOOST_TEST((quota.admit(1, start).verdict == quota_verdict::admitted));
  BOOST_TEST((quota.admit(1, start).verdict == quota_verdict::rate_limited));
  quota.configure({});
  BOOST_TEST((quota.admit(1, start).verdict == quota_verdict::admitted));
}

BOOST_AUTO_TEST_CASE(the_backlog_is_read_one_at_a_time_and_only_when_it_is_of_use) {
  ingest_quota quota;
  BOOST_TEST(!quota.begin_reading()); // no quota
  quota.configure(quotas_of(std::nullopt, std::nullopt, 5));
  BOOST_TEST(quota.begin_reading());
  BOOST_TEST(!quota.begin_reading()); // on its way
  quota.backlog_is(5);
  BOOST_TEST((quota.admit(1, start).verdict == quota_verdict::backlog_full));
  BOOST_TEST(quota.begin_reading());
  quota.backlog_is(5);
  BOOST_TEST(quota.begin_reading()); // full: until it is not, although nobody asks
  quota.reading_failed();
  BOOST_TEST((quota.admit(1, start).verdict == quota_verdict::backlog_full));
  BOOST_TEST(quota.begin_reading());
  quota.backlog_is(4);
  BOOST_TEST(!quota.begin_reading()); // room, and nobody asks
  BOOST_TEST((quota.admit(1, start).verdict == quota_verdict::admitted));
  BOOST_TEST(quota.begin_reading());
}

BOOST_AUTO_TEST_CASE(a_backlog_of_a_former_quota_is_forgotten) {
  ingest_quota quota;
  quota.configure(quotas_of(std::nullopt, std::nullopt, 5));
  BOOST_TEST(quota.begin_reading());
  quota.configure({});
  quota.backlog_is(100);
  quota.configure(quotas_of(std::nullopt, std::nullopt, 50));
  BOOST_TEST((quota.admit(1, start).verdict == quota_verdict::admitted));
}

BOOST_AUTO_TEST_SUITE_END()
