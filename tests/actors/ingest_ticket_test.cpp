#include "actors/ingest.hpp"

#include <boost/test/unit_test.hpp>

#include <thread>

using namespace postrider;

namespace {

struct replies final : ingest_replies {
  void answer(std::vector<ingest_answer> given) override { answers.insert(answers.end(), given.begin(), given.end()); }
  std::vector<ingest_answer> answers;
};

struct desk {
  std::shared_ptr<replies> to = std::make_shared<replies>();
  std::shared_ptr<ingest_admission> admission = std::make_shared<ingest_admission>();
  ingest_ticket ticket(std::uint64_t sequence, std::int64_t bytes = 10) {
    BOOST_REQUIRE(admission->try_enter(bytes));
    return {{1, 2, sequence}, bytes, to, admission};
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(ingest_tickets)

BOOST_AUTO_TEST_CASE(a_dropped_ticket_answers_503_and_leaves_the_admission) {
  desk at;
  { const auto dropped = at.ticket(7); }
  BOOST_REQUIRE(at.to->answers.size() == 1U);
  BOOST_TEST((at.to->answers[0].result == ingest_result::unavailable));
  BOOST_TEST(at.to->answers[0].to.sequence == 7U);
  BOOST_TEST(at.admission->events() == 0);
  BOOST_TEST(at.admission->bytes() == 0);
}

BOOST_AUTO_TEST_CASE(an_answered_ticket_answers_once_wherever_it_moves) {
  desk at;
  {
    auto first = at.ticket(7);
    auto second = std::move(first);
    BOOST_TEST(!first); // NOLINT(bugprone-use-after-move): empty is what it has to be
    second.answer(ingest_result::accepted, event_id{});
    BOOST_TEST(!second);
    second.answer(ingest_result::rejected);
  }
  BOOST_TEST(at.to->answers.size() == 1U);
  BOOST_TEST(at.admission->events() == 0);
}

BOOST_AUTO_TEST_CASE(a_refused_ticket_tells_how_long_to_wait_and_leaves_the_admission) {
  desk at;
  {
    auto ticket = at.ticket(7);
    ticket.refuse(ingest_result::rate_limited, std::chrono::seconds{3});
    BOOST_TEST(!ticket);
  }
  BOOST_REQUIRE(at.to->answers.size() == 1U);
  BOOST_TEST((at.to->answers[0].result == ingest_result::rate_limited));
  BOOST_TEST(at.to->answers[0].retry_after.count() == 3);
  BOOST_TEST(at.admission->events() == 0);
}

BOOST_AUTO_TEST_CASE(assigning_over_an_open_ticket_answers_that_one) {
  desk at;
  auto ticket = at.ticket(1);
  ticket = at.ticket(2);
  BOOST_REQUIRE(at.to->answers.size() == 1U);
  BOOST_TEST(at.to->answers[0].to.sequence == 1U);
  const auto settled = ticket.settle(ingest_result::duplicate);
  BOOST_TEST(settled.to.sequence == 2U);
  BOOST_TEST(at.to->answers.size() == 1U); // a settled answer is the caller's to hand over
}

BOOST_AUTO_TEST_CASE(admission_is_bounded_by_events_and_by_bytes_and_one_body_always_fits) {
  ingest_admission admission;
  BOOST_TEST(admission.try_enter(ingest_admission::bytes_max * 2));
  BOOST_TEST(!admission.try_enter(1));
  admission.leave(ingest_admission::bytes_max * 2);
  for (std::int64_t i = 0; i < ingest_admission::events_max; ++i)
    BOOST_REQUIRE(admission.try_enter(1));
  BOOST_TEST(!admission.try_enter(0));
  BOOST_TEST(admission.events() == ingest_admission::events_max);
  admission.leave(1);
  BOOST_TEST(admission.try_enter(ingest_admission::bytes_max - ingest_admission::events_max + 1));
  BOOST_TEST(!admission.try_enter(1));
}

BOOST_AUTO_TEST_CASE(two_threads_enter_no_more_than_the_bound_and_leave_nothing) {
  ingest_admission admission;
  const auto enter_and_leave = [&] {
    for (int i = 0; i < 20'000; ++i)
      if (admission.try_enter(100'000))
        admission.leave(100'000);
  };
  std::thread other{enter_and_leave};
  enter_and_leave();
  other.join();
  BOOST_TEST(admission.events() == 0);
  BOOST_TEST(admission.bytes() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
