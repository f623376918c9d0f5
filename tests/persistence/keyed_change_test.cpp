#include "persistence/keyed_change.hpp"

#include "persistence/maintenance.hpp"
#include "persistence/management_calls.hpp"
#include "tests/persistence/management_fixture.hpp"

#include <condition_variable>
#include <thread>

using namespace postrider;
using fixture = tests::management_fixture;
using store = postgres_management_store;

namespace {

/// A request whose answer is what the test says, and what became of it.
class told_request final : public keyed_request {
public:
  explicit told_request(std::string key, std::uint8_t print = 1) : key_{std::move(key)} { print_.fill(print); }

  enum class end { none, released, replayed, failed };
  std::optional<kept_answer> to_keep{kept_answer{201, "made"}};
  bool answers_at_once = true;

  [[nodiscard]] const std::string& key() const noexcept override { return key_; }
  [[nodiscard]] const std::array<std::uint8_t, 32>& fingerprint() const noexcept override { return print_; }
  std::optional<kept_answer> hold(const std::function<void()>& answer) override {
    answer();
    if (!answers_at_once)
      throw std::logic_error("no answer");
    return to_keep;
  }
  void release() override { finish(end::released, {}, {}); }
  void replay(const kept_answer& earlier) override { finish(end::replayed, earlier, {}); }
  void fail(const problem& what) override { finish(end::failed, {}, what); }

  end wait() {
    std::unique_lock guard{mutex_};
    changed_.wait_for(guard, std::chrono::seconds{60}, [&] { return end_ != end::none; });
    return end_;
  }
  [[nodiscard]] bool ended() {
    const std::lock_guard guard{mutex_};
    return end_ != end::none;
  }
  kept_answer replayed;
  problem failure;
  int ends = 0;

private:
  void finish(end how, kept_answer earlier, problem what) {
    const std::lock_guard guard{mutex_};
    end_ = how;
    replayed = std::move(earlier);
    failure = std::move(what);
    ++ends;
    changed_.notify_all();
  }
  std::string key_;
  std::array<std::uint8_t, 32> print_{};
  std::mutex mutex_;
  std::condition_variable changed_;
  end end_ = end::none;
};
using how = told_request::end;
using told_ptr = std::shared_ptr<told_request>;

bool is(how left, how right) {
  return left == right;
}

struct keyed_fixture : fixture {
  explicit keyed_fixture(milliseconds call_deadline = milliseconds{20'000})
      : fixture{tests::postgres_fixture::instance(), call_deadline} {
    tenant("acme");
  }

  told_ptr request(const std::string& key = "k", std::uint8_t print = 1) const {
    return std::make_shared<told_request>(key, print);
  }
  void ask_for_source(const std::string& name, const std::string& slug = "acme") {
    new_source wanted{name, "github", "github", {"secret"}};
    store.create_sources(slug, {wanted}, [](const auto&) {});
  }
  told_ptr make_source(const told_ptr& request, const std::string& name, const std::string& slug = "acme") {
    store.once(request, [&] { ask_for_source(name, slug); });
    return request;
  }
  std::string sources() const { return sql("select count(*) from source where deleted_at is null"); }
  std::string keys() const { return sql("select count(*) from idempotency_key"); }

  static session_options session_for(const std::string& url) {
    session_options out;
    out.url = url;
    out.role = "keyed test";
    return out;
  }

  /// Another node in the middle of the first request: it has inserted the key and not ended.
  struct other_node {
    explicit other_node(const keyed_fixture& f) : connection{f.url}, transaction{connection} {
      transaction.exec("insert into idempotency_key (tenant_no, key, request_hash, status, response) select no, 'k',"
                       " decode(repeat('01', 32), 'hex'), 201, 'elsewhere' from tenant where slug = 'acme'");
    }
    pqxx::connection connection;
    pqxx::work transaction;
  };
  void wait_for_a_waiter() const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    while (sql("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like "
               "'insert into idempotency_key%'") == "0")
      BOOST_REQUIRE((std::chrono::steady_clock::now() < end));
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(keyed_changes)

BOOST_AUTO_TEST_CASE(the_change_is_made_once_and_the_same_request_has_its_answer) {
  keyed_fixture f;
  BOOST_TEST(is(f.make_source(f.request(), "one")->wait(), how::released));
  const auto again = f.make_source(f.request(), "one");
  BOOST_TEST(is(again->wait(), how::replayed));
  BOOST_TEST(again->replayed.status == 201);
  BOOST_TEST(again->replayed.body == "made");
  const auto another = f.make_source(f.request("k", 2), "two");
  BOOST_TEST(is(another->wait(), how::failed));
  BOOST_TEST(another->failure.code == "idempotency-key-reused");
  BOOST_TEST(another->failure.status == 422);
  BOOST_TEST(f.sources() == "1");
  BOOST_TEST(f.keys() == "1");
  BOOST_TEST(f.version("acme") == 2); // a replay changes no version
}

BOOST_AUTO_TEST_CASE(a_key_belongs_to_its_tenant_or_to_the_operators_outside_of_one) {
  keyed_fixture f;
  f.tenant("umbrella");
  BOOST_TEST(is(f.make_source(f.request(), "one")->wait(), how::released));
  BOOST_TEST(is(f.make_source(f.request(), "one", "umbrella")->wait(), how::released));
  for (const auto expected : {how::released, how::replayed}) {
    const auto request = f.request();
    f.store.once(request, [&] { f.store.create_tenants({new_tenant{"third", "n", "", {}}}, [](const auto&) {}); });
    BOOST_TEST(is(request->wait(), expected));
  }
  const auto key = f.request("key of keys");
  f.store.once(key, [&] { f.store.create_api_key({"n", api_role::tenant_admin, "acme", {}}, [](const auto&) {}); });
  BOOST_TEST(is(key->wait(), how::released));
  BOOST_TEST(f.sql("select count(*) from idempotency_key where tenant_no = 0") == "1");
  BOOST_TEST(f.keys() == "4");
}

BOOST_AUTO_TEST_CASE(what_fails_is_rolled_back_and_not_kept) {
  keyed_fixture f;
  const auto refused = f.make_source(f.request(), "one", "nobody");
  BOOST_TEST(is(refused->wait(), how::failed));
  BOOST_TEST(refused->failure.status == 404);
  const auto failing = f.request();
  failing->to_keep.reset(); // the route answers a failure
  BOOST_TEST(is(f.make_source(failing, "one")->wait(), how::released));
  const auto late = f.request();
  late->answers_at_once = false;
  BOOST_TEST(is(f.make_source(late, "one")->wait(), how::failed));
  BOOST_TEST(late->failure.status == 500);
  BOOST_TEST(f.sources() == "0");
  BOOST_TEST(f.keys() == "0");
  BOOST_TEST(is(f.make_source(f.request(), "one")->wait(), how::released));
  const auto taken = f.make_source(f.request("other"), "one");
  BOOST_TEST(is(taken->wait(), how::failed));
  BOOST_TEST(taken->failure.code == "name-taken");
  BOOST_TEST(f.keys() == "1");
  for (const auto& each : {refused, failing, late, taken})
    BOOST_TEST(each->ends == 1);
}

BOOST_AUTO_TEST_CASE(the_second_waits_for_the_first_and_has_its_answer) {
  keyed_fixture f;
  auto first = std::make_unique<keyed_fixture::other_node>(f);
  const auto second = f.make_source(f.request(), "one");
  f.wait_for_a_waiter();
  BOOST_TEST(!second->ended());
  first->transaction.commit();
  BOOST_TEST(is(second->wait(), how::replayed));
  BOOST_TEST(second->replayed.body == "elsewhere");
  BOOST_TEST(f.sources() == "0");
}

BOOST_AUTO_TEST_CASE(where_the_first_dies_in_the_middle_the_second_makes_the_change) {
  keyed_fixture f;
  keyed_fixture::other_node first{f};
  const auto second = f.make_source(f.request(), "one");
  f.wait_for_a_waiter();
  f.sql("select pg_terminate_backend(" + std::to_string(first.connection.backendpid()) + ")");
  BOOST_TEST(is(second->wait(), how::released));
  BOOST_TEST(f.sources() == "1");
  BOOST_TEST(f.sql("select status from idempotency_key") == "201");
}

BOOST_AUTO_TEST_CASE(a_first_that_runs_for_too_long_is_409_for_the_second) {
  keyed_fixture f{milliseconds{3'000}};
  keyed_fixture::other_node first{f};
  const auto second = f.make_source(f.request(), "one");
  BOOST_TEST(is(second->wait(), how::failed));
  BOOST_TEST(second->failure.status == 409);
  BOOST_TEST(second->failure.code == "idempotency-key-in-use");
  first.transaction.abort();
  BOOST_TEST(is(f.make_source(f.request(), "one")->wait(), how::released));
}

BOOST_AUTO_TEST_CASE(after_a_day_the_key_is_free_and_maintenance_deletes_its_row) {
  keyed_fixture f;
  BOOST_TEST(is(f.make_source(f.request(), "one")->wait(), how::released));
  f.sql("update idempotency_key set created_at = created_at - interval '23 hours'");
  BOOST_TEST(is(f.make_source(f.request(), "two")->wait(), how::replayed));
  f.sql("update idempotency_key set created_at = created_at - interval '61 minutes'");
  BOOST_TEST(is(f.make_source(f.request("k", 2), "two")->wait(), how::released));
  BOOST_TEST(is(f.make_source(f.request("k", 2), "two")->wait(), how::replayed));
  BOOST_TEST(f.sources() == "2");
  BOOST_TEST(is(f.make_source(f.request("young"), "three")->wait(), how::released));
  f.sql("update idempotency_key set created_at = created_at - interval '1441 minutes' where key = 'k'");
  watchdog dog;
  session on{keyed_fixture::session_for(f.url), dog, f.counts};
  BOOST_REQUIRE(!on.connect());
  BOOST_TEST(!drop_expired(on));
  BOOST_TEST(f.sql("select string_agg(key, ',') from idempotency_key") == "young");
}

BOOST_AUTO_TEST_CASE(the_key_reaches_the_change_through_what_is_read_before_and_no_further) {
  keyed_fixture f;
  const auto request = f.request();
  f.store.once(request, [&] {
    f.store.get_tenant("acme", [&f](const auto& found) {
      f.ask_for_source(found ? "one" : "none");
      f.ask_for_source("beside"); // comes without the key
    });
  });
  BOOST_TEST(is(request->wait(), how::released));
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  while (f.sources() != "2")
    BOOST_REQUIRE((std::chrono::steady_clock::now() < end));
  BOOST_TEST(f.keys() == "1");
  BOOST_TEST(request->ends == 1);
  BOOST_TEST(!keyed_scope::current());
}

BOOST_AUTO_TEST_CASE(who_was_told_503_has_nothing_changed) {
  keyed_fixture f;
  watchdog dog;
  session on{keyed_fixture::session_for(f.url), dog, f.counts};
  BOOST_REQUIRE(!on.connect());
  management_call call;
  call.deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  call.answered = true; // the deadline came first
  told_request request{"k"};
  bool committed = false;
  run_keyed_change(
    on, call, request,
    [](pqxx::transaction_base& transaction, key_claim& claim) -> std::function<void()> {
      claim.take(transaction, 0);
      transaction.exec("update tenant set name = 'changed'");
      return [] {};
    },
    [&] { committed = true; });
  BOOST_TEST(!committed);
  BOOST_TEST(!request.ended());
  BOOST_TEST(f.keys() == "0");
  BOOST_TEST(f.sql("select count(*) from tenant where name = 'changed'") == "0");
}

BOOST_AUTO_TEST_CASE(a_commit_that_hangs_ends_at_the_deadline_of_its_call) {
  keyed_fixture f;
  f.sql("create function doze() returns trigger language plpgsql as 'begin perform pg_sleep(20); return null; end';"
        "create constraint trigger doze after update on tenant deferrable initially deferred for each row execute "
        "function doze()");
  auto options = keyed_fixture::session_for(f.url);
  options.statement_timeout = options.call_deadline = std::chrono::seconds{60};
  watchdog dog;
  session on{options, dog, f.counts};
  BOOST_REQUIRE(!on.connect());
  management_call call; // it waited for a thread, and has little time left
  call.deadline = std::chrono::steady_clock::now() + std::chrono::seconds{2};
  told_request request{"k"};
  run_keyed_change(
    on, call, request,
    [](pqxx::transaction_base& transaction, key_claim& claim) -> std::function<void()> {
      claim.take(transaction, 0);
      transaction.exec("update tenant set name = 'changed'");
      return [] {};
    },
    [] {});
  BOOST_TEST(is(request.wait(), how::failed));
  BOOST_TEST(request.failure.status == 503);
  BOOST_TEST(!on.connected());
  BOOST_TEST((on.options().call_deadline == std::chrono::seconds{60}));
}

BOOST_AUTO_TEST_CASE(a_tenant_that_takes_the_slug_meanwhile_is_not_changed) {
  keyed_fixture f;
  keyed_fixture::other_node first{f};
  const auto second = f.make_source(f.request(), "one");
  f.wait_for_a_waiter();
  f.sql("update tenant set deleted_at = clock_timestamp() where slug = 'acme'");
  metrics counts;
  store elsewhere{f.options_for(milliseconds{20'000}), counts};
  std::promise<bool> made;
  elsewhere.create_tenants({new_tenant{"acme", "n", "", {}}},
                           [&](const auto& one) { made.set_value(one.has_value()); });
  BOOST_REQUIRE(made.get_future().get());
  first.transaction.abort();
  BOOST_TEST(is(second->wait(), how::failed));
  BOOST_TEST(second->failure.status == 404);
  BOOST_TEST(f.sources() == "0");
  BOOST_TEST(f.keys() == "0");
}

BOOST_AUTO_TEST_CASE(a_change_whose_answer_cannot_be_kept_does_not_stay) {
  keyed_fixture f;
  watchdog dog;
  session on{keyed_fixture::session_for(f.url), dog, f.counts};
  BOOST_REQUIRE(!on.connect());
  management_call call;
  call.deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  told_request request{"k"};
  run_keyed_change(
    on, call, request,
    [](pqxx::transaction_base& transaction, key_claim&) -> std::function<void()> {
      transaction.exec("update tenant set name = 'changed'"); // the key is not taken
      return [] {};
    },
    [] {});
  BOOST_TEST(is(request.wait(), how::failed));
  BOOST_TEST(request.failure.status == 500);
  BOOST_TEST(f.sql("select count(*) from tenant where name = 'changed'") == "0");
}

BOOST_AUTO_TEST_CASE(maintenance_leaves_a_key_that_is_just_taken_anew_and_deletes_the_others) {
  keyed_fixture f;
  f.sql("insert into idempotency_key (tenant_no, key, request_hash, created_at) select 0, i::text, '', "
        "clock_timestamp() - interval '25 hours' from generate_series(1, 12000) i");
  pqxx::connection beside{f.url};
  pqxx::work taking{beside};
  taking.exec("select from idempotency_key where key = '1' for update");
  watchdog dog;
  session on{keyed_fixture::session_for(f.url), dog, f.counts};
  BOOST_REQUIRE(!on.connect());
  BOOST_TEST(!drop_expired(on));
  BOOST_TEST(f.sql("select string_agg(key, ',') from idempotency_key") == "1");
}

BOOST_AUTO_TEST_CASE(maintenance_deletes_keys_also_where_the_rest_fails) {
  keyed_fixture f;
  f.sql("insert into idempotency_key (tenant_no, key, request_hash, created_at) values (0, 'old', '', "
        "clock_timestamp() - interval '25 hours')");
  f.sql("alter table dedupe rename to dedupe_elsewhere");
  watchdog dog;
  session on{keyed_fixture::session_for(f.url), dog, f.counts};
  BOOST_REQUIRE(!on.connect());
  BOOST_TEST(drop_expired(on).has_value());
  BOOST_TEST(f.keys() == "0");
}

BOOST_AUTO_TEST_CASE(an_exception_after_the_commit_costs_the_answer_alone) {
  keyed_fixture f;
  metrics counts;
  auto options = f.options_for(milliseconds{20'000});
  options.changed = [](tenant_no) { throw std::runtime_error("a mistake"); };
  store careless{options, counts};
  const auto request = f.request();
  careless.once(request, [&] {
    careless.create_sources("acme", {new_source{"one", "github", "github", {"secret"}}}, [](const auto&) {});
  });
  BOOST_TEST(is(request->wait(), how::failed));
  BOOST_TEST(request->failure.status == 500);
  BOOST_TEST(is(f.make_source(f.request(), "one")->wait(), how::replayed)); // the key knows better
}

BOOST_AUTO_TEST_SUITE_END()
