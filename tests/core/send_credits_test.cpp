#include "core/send_credits.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <thread>
#include <vector>

using namespace postrider;

BOOST_AUTO_TEST_SUITE(send_credits_of_an_endpoint)

BOOST_AUTO_TEST_CASE(nothing_can_be_taken_before_anything_is_lent) {
  send_credits credits;
  BOOST_TEST(!credits.take().has_value());
  BOOST_TEST(credits.taken() == 0);
  BOOST_TEST(credits.available() == 0);
}

BOOST_AUTO_TEST_CASE(as_many_as_were_lent_can_be_taken_under_the_fence_that_lent_them) {
  send_credits credits;
  credits.lend(5, 2);
  BOOST_TEST((credits.take() == fence{5}));
  BOOST_TEST((credits.take() == fence{5}));
  BOOST_TEST(!credits.take().has_value());
  BOOST_TEST(credits.taken() == 2);
  BOOST_TEST(credits.available() == 0);
}

BOOST_AUTO_TEST_CASE(a_credit_that_did_not_ride_can_be_taken_again_one_that_rode_can_not) {
  send_credits credits;
  credits.lend(5, 1);
  BOOST_REQUIRE(credits.take().has_value());
  credits.give_back();
  BOOST_REQUIRE(credits.take().has_value());
  credits.settle();
  BOOST_TEST(credits.taken() == 0);
  BOOST_TEST(!credits.take().has_value());
}

BOOST_AUTO_TEST_CASE(closed_credits_lend_nothing_also_when_one_is_given_back_later) {
  send_credits credits;
  credits.lend(5, 3);
  BOOST_REQUIRE(credits.take().has_value());
  credits.close();
  BOOST_TEST(!credits.take().has_value());
  BOOST_TEST(credits.taken() == 1);
  credits.give_back();
  BOOST_TEST(!credits.take().has_value());
  BOOST_TEST(credits.taken() == 0);
  credits.lend(6, 1);
  BOOST_TEST((credits.take() == fence{6}));
  BOOST_TEST(!credits.take().has_value());
}

BOOST_AUTO_TEST_CASE(two_threads_take_no_more_than_was_lent_and_leave_nothing_open) {
  send_credits credits;
  constexpr int lent = 20'000;
  credits.lend(5, lent);
  std::atomic<int> rode{0};
  const auto take_all = [&] {
    for (int i = 0; i < lent; ++i)
      if (credits.take()) {
        if (i % 3 == 0) {
          credits.give_back();
        } else {
          credits.settle();
          ++rode;
        }
      }
  };
  std::thread other{take_all};
  take_all();
  other.join();
  BOOST_TEST(rode.load() <= lent);
  BOOST_TEST(credits.taken() == 0);
  BOOST_TEST(credits.available() == lent - rode.load());
}

BOOST_AUTO_TEST_CASE(whoever_closes_and_then_counts_misses_no_one_who_took) {
  // DELIVERY's passivation: after close(), taken() == 0 has to mean that no credit is out and none comes.
  for (int round = 0; round < 2'000; ++round) {
    send_credits credits;
    credits.lend(5, 4);
    std::atomic<bool> took{false};
    std::thread taker{[&] { took = credits.take().has_value(); }};
    credits.close();
    const auto seen = credits.taken();
    taker.join();
    if (seen == 0 && took)
      BOOST_FAIL("a credit was taken after close() had counted none");
    if (took)
      credits.settle();
    BOOST_REQUIRE(credits.taken() == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_taken_credit_that_is_dropped_comes_back_and_one_that_is_settled_does_not) {
  const auto credits = std::make_shared<send_credits>();
  BOOST_TEST(!taken_credit::from(credits));
  credits->lend(7, 2);
  {
    auto first = taken_credit::from(credits);
    BOOST_TEST(first.under() == 7);
    auto second = taken_credit::from(credits);
    BOOST_TEST(!taken_credit::from(credits));
    first = std::move(second); // what it held comes back
    BOOST_TEST(credits->taken() == 1);
    BOOST_TEST(credits->available() == 1);
    BOOST_TEST(!second);
  }
  BOOST_TEST(credits->taken() == 0);
  BOOST_TEST(credits->available() == 2);
  auto rides = taken_credit::from(credits);
  rides.settle();
  rides.give_back();
  BOOST_TEST(!rides);
  BOOST_TEST(credits->taken() == 0);
  BOOST_TEST(credits->available() == 1);
}

BOOST_AUTO_TEST_SUITE_END()
