#include "persistence/management_queue.hpp"

#include "tests/support/postgres_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <pqxx/pqxx>

#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

using namespace postrider;
using namespace std::chrono_literals;
using strings = std::vector<std::string>;

namespace {

session_options session_for(const std::string& url) {
  session_options out;
  out.url = url;
  out.role = "management";
  return out;
}

/// A queue of calls that begin, wait until they are told to end, and answer.
struct queue_fixture {
  explicit queue_fixture(management_queue::limits bounds = {})
      : queue{session_for(tests::postgres_fixture::instance().fresh_database()), with_time(bounds), counts} {}
  ~queue_fixture() {
    let_all_end();
    queue.stop();
  }
  static management_queue::limits with_time(management_queue::limits bounds) {
    bounds.call_deadline = 60s; // these tests are of turns, not of time
    return bounds;
  }

  bool post(const std::string& name, call_turn turn) {
    const auto call = std::make_shared<management_call>();
    call->turn = std::move(turn);
    call->fail = [](const problem&) {};
    call->run = [this, name](session&, management_call& self) {
      std::unique_lock guard{mutex_};
      begun_.push_back(name);
      changed_.notify_all();
      changed_.wait(guard, [&] { return all_end_ || std::erase(ends_, name) > 0; });
      self.claim_answer();
    };
    return queue.post(call);
  }
  bool usual(const std::string& tenant) { return post(tenant, {tenant, call_kind::usual}); }
  bool search(const std::string& tenant) { return post(tenant, {tenant, call_kind::search}); }

  /// The calls that have begun, once there are so many.
  strings begun(std::size_t count) {
    std::unique_lock guard{mutex_};
    changed_.wait_for(guard, 60s, [&] { return begun_.size() >= count; });
    return begun_;
  }
  void let_end(const std::string& name) {
    const std::lock_guard guard{mutex_};
    ends_.push_back(name);
    changed_.notify_all();
  }
  void let_all_end() {
    const std::lock_guard guard{mutex_};
    all_end_ = true;
    changed_.notify_all();
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  strings begun_, ends_;
  bool all_end_ = false;
  metrics counts;

public:
  management_queue queue;
};

} // namespace

BOOST_AUTO_TEST_SUITE(turns_of_management_calls)

BOOST_AUTO_TEST_CASE(a_tenant_has_one_worker_however_much_it_asks_for) {
  queue_fixture f;
  BOOST_TEST(f.usual("greedy"));
  BOOST_TEST(f.begun(1).size() == 1U); // two workers that start at once may tell of it in either order
  for (int i = 1; i < 10; ++i)
    BOOST_TEST(f.usual("greedy"));
  f.usual("acme");
  BOOST_TEST((f.begun(2) == strings{"greedy", "acme"}));
  f.let_end("acme");
  f.usual("umbrella");
  BOOST_TEST((f.begun(3) == strings{"greedy", "acme", "umbrella"})); // the worker that is free is not greedy's
}

BOOST_AUTO_TEST_CASE(searches_of_any_number_of_tenants_leave_a_worker_for_what_is_short) {
  queue_fixture f;
  f.search("first");
  BOOST_TEST(f.begun(1).size() == 1U);
  f.search("second");
  f.search("third");
  for (const std::string tenant : {"acme", "umbrella"}) {
    f.usual(tenant);
    BOOST_TEST(f.begun(tenant == "acme" ? 2 : 3).back() == tenant);
    f.let_end(tenant);
  }
  f.let_end("first");
  BOOST_TEST((f.begun(4) == strings{"first", "acme", "umbrella", "second"}));
}

BOOST_AUTO_TEST_CASE(who_asks_is_looked_up_while_all_workers_are_taken) {
  queue_fixture f;
  f.usual("one");
  f.usual("two");
  BOOST_TEST(f.begun(2).size() == 2U);
  f.usual("three");
  f.post("key", {{}, call_kind::key});
  BOOST_TEST(f.begun(3).back() == "key");
}

BOOST_AUTO_TEST_CASE(tenants_take_turns) {
  queue_fixture f{{.workers = 1}};
  f.usual("first");
  BOOST_TEST(f.begun(1).size() == 1U);
  for (int i = 0; i < 3; ++i)
    f.post("greedy " + std::to_string(i), {"greedy", call_kind::usual});
  f.post("acme 0", {"acme", call_kind::usual});
  f.post("acme 1", {"acme", call_kind::usual});
  f.let_all_end();
  BOOST_TEST((f.begun(6) == strings{"first", "greedy 0", "acme 0", "greedy 1", "acme 1", "greedy 2"}));
}

BOOST_AUTO_TEST_CASE(operators_calls_of_no_tenant_run_at_once) {
  queue_fixture f;
  f.post("one", {});
  f.post("two", {});
  BOOST_TEST(f.begun(2).size() == 2U);
}

BOOST_AUTO_TEST_CASE(the_server_compiles_no_statement) {
  metrics counts;
  watchdog dog;
  session on{session_for(tests::postgres_fixture::instance().fresh_database()), dog, counts};
  BOOST_REQUIRE(!on.connect());
  const auto jit = on.call([](pqxx::connection_base& connection) {
    return pqxx::nontransaction{connection}.exec1("show jit")[0].as<std::string>();
  });
  BOOST_TEST(jit.value() == "off");
}

BOOST_AUTO_TEST_CASE(a_tenant_that_has_too_many_waiting_is_refused_alone) {
  queue_fixture f{{.waiting_max = 6, .tenant_waiting_max = 3}};
  f.usual("greedy");
  BOOST_TEST(f.begun(1).size() == 1U);
  for (int i = 0; i < 3; ++i)
    BOOST_TEST(f.usual("greedy"));
  BOOST_TEST(!f.usual("greedy"));
  BOOST_TEST(f.usual("acme"));
  BOOST_TEST(f.begun(2).back() == "acme");
  for (int i = 0; i < 3; ++i)
    BOOST_TEST(f.usual("acme"));
  BOOST_TEST(!f.usual("umbrella")); // six wait in all
  BOOST_TEST(f.post("key", {{}, call_kind::key}));
}

BOOST_AUTO_TEST_SUITE_END()
