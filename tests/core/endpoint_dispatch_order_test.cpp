// What of an ordered endpoint is sent and asked for, one step at a time; the walks put the steps together.

#include "tests/support/dispatch_bench.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace postrider::test;
using namespace std::chrono_literals;

namespace {

using keys = std::vector<std::string>;

struct ordered_bench : dispatch_bench {
  ordered_bench() : dispatch_bench{policy()} {
    claimed(nothing()); // the first look
  }
  static dispatch_policy policy() {
    dispatch_policy out;
    out.max_in_flight = 8;
    out.ordered = true;
    out.breaker.failures = 1;
    return out;
  }
  static claim_answer nothing() {
    claim_answer out;
    out.under = fence_;
    return out;
  }
  void commit(const keys& committed) {
    look();
    dispatch.due_keys(committed, now(), out);
  }
  /// What the last claim was asked for by key; nothing: no claim.
  [[nodiscard]] keys asked() const {
    return out.wanted_claim && out.wanted_claim->order ? out.wanted_claim->order->keys : keys{};
  }
  /// An answer that brings so many of one key, from that delivery on.
  void brings_in_order(const std::string& key, std::uint32_t first, std::uint32_t count) {
    auto answer = nothing();
    for (auto i = first; i < first + count; ++i)
      answer.claimed.push_back(
        {id(i), event_of(100), 1, 0, i, delivery_lane::in_order, order_place{static_cast<std::int64_t>(i), key}});
    claimed(std::move(answer));
  }
  [[nodiscard]] std::vector<delivery_id> released() const {
    std::vector<delivery_id> all;
    for (const auto& each : out.writes)
      if (each.uncount)
        all.push_back(each.delivery);
    return all;
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(endpoint_dispatch_orders, ordered_bench)

BOOST_AUTO_TEST_CASE(the_next_of_a_key_starts_when_the_end_of_the_one_ahead_is_recorded) {
  commit({"a"});
  BOOST_TEST(asked() == keys{"a"}, boost::test_tools::per_element());
  brings_in_order("a", 1, 2);
  BOOST_REQUIRE(out.starts.size() == 1U);
  const auto first = out.starts[0];
  BOOST_TEST((first.delivery == id(1)));
  finish(first, good);
  BOOST_TEST(out.starts.empty());
  record(id(1));
  BOOST_REQUIRE(out.starts.size() == 1U);
  BOOST_TEST((out.starts[0].delivery == id(2)));
}

BOOST_AUTO_TEST_CASE(when_one_is_not_sent_those_behind_it_go_back_with_it_each_once) {
  commit({"a"});
  brings_in_order("a", 1, 3);
  finish(out.starts.at(0), {.failure = attempt_reason::connect_timeout}, false);
  BOOST_TEST((released() == std::vector{id(1), id(2), id(3)}));
  drain();
  BOOST_TEST(out.writes.empty());
}

BOOST_AUTO_TEST_CASE(keys_whose_claim_was_not_answered_are_asked_for_again) {
  commit({"a", "b"});
  BOOST_REQUIRE(asked().size() == 2U);
  auto away = nothing();
  away.available = false;
  claimed(std::move(away));
  BOOST_TEST(!out.wanted_claim.has_value());
  BOOST_REQUIRE(wake());
  BOOST_TEST(asked() == (keys{"a", "b"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_key_that_is_blocked_is_asked_for_when_its_first_is_due) {
  commit({"a"});
  auto answer = nothing();
  answer.blocked.push_back({"a", wall + 7s});
  claimed(std::move(answer));
  advance(6'999ms);
  timer();
  BOOST_TEST(asked().empty());
  advance(1ms);
  timer();
  BOOST_TEST(asked() == keys{"a"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(while_the_breaker_is_open_nothing_is_claimed) {
  commit({"a"});
  brings_in_order("a", 1, 1);
  finish(out.starts.at(0), bad);
  BOOST_REQUIRE((dispatch.gate().state == breaker_state::open));
  commit({"b"});
  BOOST_TEST(!out.wanted_claim.has_value());
}

BOOST_AUTO_TEST_SUITE_END()
