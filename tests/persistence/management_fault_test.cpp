#include "tests/persistence/management_fixture.hpp"

#include "persistence/key_repository.hpp"

#include <atomic>
#include <stdexcept>

using namespace postrider;
using fixture = tests::management_fixture;
using store = postgres_management_store;
using tests::check_refused;
using tests::postgres_fixture;

namespace {

/// A server of its own, which these tests may stop.
postgres_fixture& own_server() {
  static postgres_fixture server{postgres_fixture::options{}};
  return server;
}

} // namespace

BOOST_AUTO_TEST_SUITE(management_faults)

BOOST_AUTO_TEST_CASE(with_the_database_away_every_call_answers_503_and_works_again_afterwards) {
  fixture f{own_server()};
  f.tenant("acme");
  own_server().stop();
  check_refused(f.ask(&store::get_tenant, "acme"), 503, "store-unavailable");
  const auto answer = f.ask(&store::create_tenants, std::vector{new_tenant{"other", "n", "", {}}});
  check_refused(answer, 503, "store-unavailable");
  BOOST_TEST(answer.error().retry_after.has_value());
  own_server().start();
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  while (!f.ask(&store::get_tenant, "acme"))
    BOOST_REQUIRE((std::chrono::steady_clock::now() < end));
  // Each worker reconnects on its own: the one that takes this may still be in its pause.
  while (!f.ask(&store::create_tenants, std::vector{new_tenant{"third", "n", "", {}}}))
    BOOST_REQUIRE((std::chrono::steady_clock::now() < end));
}

BOOST_AUTO_TEST_CASE(an_exception_costs_its_call_an_answer_of_500_and_nobody_his_life) {
  fixture f;
  metrics counts;
  auto options = f.options_for(milliseconds{20'000});
  options.changed = [](tenant_no) { throw std::runtime_error("a mistake"); };
  store careless{options, counts};
  const auto outcome_of = [&](auto call) {
    const auto promise = std::make_shared<std::promise<int>>();
    auto future = promise->get_future();
    call(promise);
    BOOST_REQUIRE((future.wait_for(std::chrono::seconds{60}) == std::future_status::ready));
    return future.get();
  };
  BOOST_TEST(outcome_of([&](const auto& promise) {
               careless.create_tenants({new_tenant{"acme", "n", "", {}}}, [promise](const auto& made) {
                 promise->set_value(made ? 201 : made.error().status);
               });
             }) == 500);
  // One that throws while it takes its answer is told of that.
  BOOST_TEST(outcome_of([&](const auto& promise) {
               careless.get_tenant("acme", [promise](const auto& found) {
                 if (found)
                   throw std::runtime_error("another");
                 promise->set_value(found.error().status);
               });
             }) == 500);
}

BOOST_AUTO_TEST_CASE(a_connection_that_was_cut_while_idle_costs_no_answer) {
  fixture f{own_server()};
  f.tenant("acme");
  own_server().kill_backends_of(f.url);
  for (int i = 0; i < 4; ++i)
    BOOST_TEST(f.ask(&store::get_tenant, "acme").has_value());
}

BOOST_AUTO_TEST_CASE(a_server_that_never_answers_is_answered_for_at_the_deadline) {
  fixture f{own_server(), milliseconds{1'000}};
  f.tenant("acme");
  own_server().freeze();
  const auto answer = f.ask(&store::get_tenant, "acme");
  own_server().thaw();
  check_refused(answer, 503, "store-unavailable");
}

BOOST_AUTO_TEST_CASE(more_than_fit_in_the_queue_are_refused_at_once_and_all_others_answered) {
  fixture f{own_server(), milliseconds{2'000}};
  f.tenant("acme");
  own_server().freeze();
  constexpr int calls = 300;
  std::atomic<int> overloaded{0};
  std::atomic<int> unavailable{0};
  std::atomic<int> left{calls};
  std::promise<void> all;
  for (int i = 0; i < calls; ++i)
    f.store.get_tenant("acme", [&](result<tenant_record> answer) {
      if (!answer)
        ++(answer.error().code == "overloaded" ? overloaded : unavailable);
      if (--left == 0)
        all.set_value();
    });
  const auto answered = all.get_future().wait_for(std::chrono::seconds{60});
  own_server().thaw();
  BOOST_REQUIRE((answered == std::future_status::ready));
  BOOST_TEST(overloaded >= calls - 256 - 2);
  BOOST_TEST(overloaded + unavailable == calls);
}

BOOST_AUTO_TEST_CASE(the_end_of_the_store_answers_what_waits) {
  std::atomic<int> answers{0};
  {
    fixture f{own_server(), milliseconds{2'000}};
    f.tenant("acme");
    own_server().freeze();
    for (int i = 0; i < 20; ++i)
      f.store.get_tenant("acme", [&](result<tenant_record>) { ++answers; });
    own_server().thaw();
  }
  BOOST_TEST(answers == 20);
}

BOOST_AUTO_TEST_SUITE_END()
