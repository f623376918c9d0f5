#include "actors/engine.hpp"

#include "core/signature.hpp"
#include "tests/support/virtual_system.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <stdexcept>
#include <thread>

using namespace postrider;
using namespace postrider::test;
using namespace std::chrono_literals;

namespace {

/// Answers from any thread; a test waits for them.
class waited_replies final : public ingest_replies {
public:
  void answer(std::vector<ingest_answer> answers) override {
    const std::lock_guard lock{mutex_};
    answers_.insert(answers_.end(), answers.begin(), answers.end());
    changed_.notify_all();
  }
  bool wait_for(std::size_t count) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, 20s, [&] { return answers_.size() >= count; });
  }
  std::vector<ingest_answer> all() {
    const std::lock_guard lock{mutex_};
    return answers_;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<ingest_answer> answers_;
};

/// STORE and SENDER behind one lock, driven by a thread of their own, as the real ones are; the rest of each is the
/// fakes'.
class edges final : public store, public sender {
public:
  explicit edges(store_events& events) : database_{events} {
    requests_.endpoint = [](const attempt_request&) { return std::optional{attempt_facts{.http_status = 204}}; };
    database_.put_tenant(std::make_shared<const tenant_config>(virtual_system::config_of({1})));
    database_.set_lease(3, virtual_system::fence_);
    database_.report_leases();
    thread_ = std::thread{[this] { work(); }};
  }
  ~edges() override {
    {
      const std::lock_guard lock{mutex_};
      over_ = true;
    }
    wanted_.notify_all();
    thread_.join();
  }
  edges(const edges&) = delete;
  edges& operator=(const edges&) = delete;

  template <class Use>
  auto with(Use&& use) {
    const std::lock_guard lock{mutex_};
    wanted_.notify_all();
    return use(database_, requests_);
  }

  bool accept(accept_item_ptr& item) override {
    return with([&](auto& d, auto&) { return d.accept(item); });
  }
  void record(std::vector<outcome_write> writes) override {
    with([&](auto& d, auto&) { d.record(std::move(writes)); });
  }
  void claim(claim_request request, std::function<void(claim_result)> done) override {
    with([&](auto& d, auto&) { d.claim(request, std::move(done)); });
  }
  void close_interrupted(tenant_no tenant, endpoint_no endpoint, shard_no shard, fence under,
                         std::vector<delivery_id> known,
                         std::function<void(std::optional<std::size_t>)> done) override {
    with(
      [&](auto& d, auto&) { d.close_interrupted(tenant, endpoint, shard, under, std::move(known), std::move(done)); });
  }
  void close_deleted(tenant_no tenant, endpoint_no endpoint, shard_no shard, fence under,
                     std::function<void(deleted_closing)> done) override {
    with([&](auto& d, auto&) { d.close_deleted(tenant, endpoint, shard, under, std::move(done)); });
  }
  /// The next look-up throws in its caller, NODE.
  std::atomic<bool> look_up_throws{false};

  void load_tenant(tenant_key key, std::function<void(result<tenant_config_ptr>)> done) override {
    if (look_up_throws.exchange(false))
      throw std::runtime_error("told to throw");
    with([&](auto& d, auto&) { d.load_tenant(std::move(key), std::move(done)); });
  }
  void count_live(tenant_no tenant, std::function<void(result<std::int64_t>)> done) override {
    with([&](auto& d, auto&) { d.count_live(tenant, std::move(done)); });
  }
  void load_runtime(endpoint_no endpoint, std::function<void(result<std::optional<endpoint_runtime>>)> done) override {
    with([&](auto& d, auto&) { d.load_runtime(endpoint, std::move(done)); });
  }
  void save_runtime(endpoint_runtime now, shard_no shard, fence under, std::string cause) override {
    with([&](auto& d, auto&) { d.save_runtime(now, shard, under, std::move(cause)); });
  }
  void disable_endpoint(tenant_no tenant, endpoint_no endpoint, std::string reason) override {
    with([&](auto& d, auto&) { d.disable_endpoint(tenant, endpoint, std::move(reason)); });
  }
  void start(std::vector<attempt_request> attempts) override {
    with([&](auto&, auto& s) { s.start(std::move(attempts)); });
  }
  void abort(const delivery_port* owner, std::function<void(std::vector<attempt_result>)> done) override {
    with([&](auto&, auto& s) { s.abort(owner, std::move(done)); });
  }

private:
  void work() {
    std::unique_lock lock{mutex_};
    while (!over_) {
      wanted_.wait_for(lock, 10ms);
      database_.set_now(std::chrono::floor<milliseconds>(std::chrono::system_clock::now()));
      database_.set_mono_now(std::chrono::steady_clock::now());
      while (database_.run() + requests_.run() > 0) {
      }
    }
  }

  std::recursive_mutex mutex_; // the fakes call back from `run`
  std::condition_variable_any wanted_;
  bool over_ = false;
  tests::fake_store database_;
  fake_sender requests_;
  std::thread thread_;
};

struct gate_keeper {
  std::shared_ptr<waited_replies> replies = std::make_shared<waited_replies>();
  std::shared_ptr<ingest_admission> admission = std::make_shared<ingest_admission>();
  std::uint64_t sequence = 0;

  /// False where admission's bounds are reached. Asserts nothing: it is called on other threads, and Boost.Test is not
  /// for those.
  [[nodiscard]] bool submit(ingest_gate& gate, const std::string& id) {
    if (!admission->try_enter(2))
      return false;
    auto request = std::make_shared<ingest_request>();
    request->tenant = "acme";
    request->source = "github";
    request->method = "POST";
    request->body = "{}";
    request->headers = "X-GitHub-Event: push\r\nX-GitHub-Delivery: " + id +
                       "\r\nX-Hub-Signature-256: sha256=" + encode_hex(hmac_sha256("s3cret", "{}")) + "\r\n";
    request->ticket = ingest_ticket{{0, 0, ++sequence}, 2, replies, admission};
    gate.submit(std::move(request));
    return true;
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(engine)

BOOST_AUTO_TEST_CASE(before_the_start_and_after_the_stop_every_request_is_503) {
  metrics counts;
  db_clock clock;
  gate_keeper keeper;
  actor_engine engine{{.node_name = "n1"}, counts, clock};
  BOOST_REQUIRE(keeper.submit(engine.gate(), "early"));
  BOOST_REQUIRE(keeper.replies->all().size() == 1U);
  BOOST_TEST((keeper.replies->all()[0].result == ingest_result::unavailable));
  BOOST_TEST(engine.drain(1s));
  {
    edges ports{engine.events()};
    engine.start(ports, ports);
    engine.stop();
    engine.stop();
    BOOST_REQUIRE(keeper.submit(engine.gate(), "late"));
  }
  BOOST_REQUIRE(keeper.replies->all().size() == 2U);
  BOOST_TEST((keeper.replies->all()[1].result == ingest_result::unavailable));
  BOOST_TEST(keeper.admission->events() == 0);
}

BOOST_AUTO_TEST_CASE(on_real_threads_a_thousand_events_are_accepted_delivered_drained_and_shown) {
  metrics counts;
  db_clock clock;
  gate_keeper keeper;
  actor_engine engine{{.node_name = "n1"}, counts, clock};
  edges ports{engine.events()};
  engine.start(ports, ports);
  constexpr std::size_t events = 1'000;
  for (std::size_t i = 0; i < events; ++i)
    BOOST_REQUIRE(keeper.submit(engine.gate(), "d-" + std::to_string(i)));
  BOOST_REQUIRE(keeper.replies->wait_for(events));
  for (const auto& each : keeper.replies->all())
    BOOST_REQUIRE((each.result == ingest_result::accepted));
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (counts.deliveries_succeeded.value() < events && std::chrono::steady_clock::now() < until)
    std::this_thread::yield();
  BOOST_TEST(counts.deliveries_succeeded.value() == events);

  std::mutex mutex;
  std::condition_variable told;
  fake_operator_reads resting;
  std::optional<actor_page> tree;
  engine.inspect().page({}, resting, [&](actor_page all) {
    const std::lock_guard lock{mutex};
    tree = std::move(all);
    told.notify_all();
  });
  std::optional<problem> missing;
  engine.inspect().actor(supervisor_path("n1", "nobody"), resting, [&](result<actor_status> status) {
    const std::lock_guard lock{mutex};
    missing = status.error();
    told.notify_all();
  });
  {
    std::unique_lock lock{mutex};
    BOOST_REQUIRE(told.wait_for(lock, 20s, [&] { return tree.has_value() && missing.has_value(); }));
  }
  BOOST_TEST(tree->nodes.front().answered);
  BOOST_TEST(tree->data.size() == 4U);
  BOOST_TEST(missing->status == 404);
  BOOST_TEST(missing->code == "actor-unknown");
  BOOST_TEST(engine.since_last_turn() < 10s);

  BOOST_TEST(engine.drain(20s));
  ports.with([&](auto& database, auto&) {
    for (const auto& [id, row] : database.deliveries())
      BOOST_REQUIRE((row.state == delivery_state::succeeded));
  });
  engine.stop();
  BOOST_TEST(counts.actors_deliveries.value() == 0);
  BOOST_TEST(counts.actors_tenants.value() == 0);
}

BOOST_AUTO_TEST_CASE(the_end_of_the_top_actor_is_told_and_a_stop_is_not) {
  metrics counts;
  db_clock clock;
  gate_keeper keeper;
  std::promise<std::string> told;
  std::atomic<int> calls{0};
  actor_engine engine{{.node_name = "n1",
                       .failed =
                         [&](const std::string& why) {
                           if (++calls == 1)
                             told.set_value(why);
                         }},
                      counts,
                      clock};
  edges ports{engine.events()};
  engine.start(ports, ports);
  ports.look_up_throws = true;
  BOOST_REQUIRE(keeper.submit(engine.gate(), "fatal"));
  auto why = told.get_future();
  BOOST_REQUIRE((why.wait_for(20s) == std::future_status::ready));
  BOOST_TEST(!why.get().empty());
  BOOST_REQUIRE(keeper.replies->wait_for(1));
  BOOST_TEST((keeper.replies->all()[0].result == ingest_result::unavailable));
  engine.stop();
  BOOST_TEST(calls == 1);
}

BOOST_AUTO_TEST_CASE(while_it_stops_others_may_still_ask) {
  metrics counts;
  db_clock clock;
  gate_keeper keeper;
  std::atomic<int> failures{0};
  actor_engine engine{{.node_name = "n1", .failed = [&](const std::string&) { ++failures; }}, counts, clock};
  edges ports{engine.events()};
  engine.start(ports, ports);
  fake_operator_reads resting;
  std::atomic<bool> over{false};
  std::atomic<std::size_t> asked{0}, answered{0}, refused{0};
  std::thread asking{[&] {
    while (!over) {
      if (asked - answered >= 64) { // a flood would only test how long its queue is
        std::this_thread::yield();
        continue;
      }
      ++asked;
      engine.inspect().page({}, resting, [&](const actor_page&) { ++answered; });
      if (!keeper.submit(engine.gate(), "d-" + std::to_string(asked)))
        ++refused;
    }
  }};
  BOOST_REQUIRE(keeper.replies->wait_for(1));
  engine.stop();
  const auto after = asked.load();
  while (asked < after + 10)
    std::this_thread::yield();
  over = true;
  asking.join();
  BOOST_TEST(refused == 0U);
  BOOST_TEST(answered == asked);
  BOOST_TEST(keeper.replies->wait_for(asked));
  BOOST_TEST(failures == 0);
}

BOOST_AUTO_TEST_SUITE_END()
