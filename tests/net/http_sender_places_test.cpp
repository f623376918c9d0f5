// How tenants and endpoints share the connections of a node, with few of them.
#include "tests/net/loopback_server.hpp"
#include "tests/net/sender_fixture.hpp"

#include <future>

using namespace postrider;
using namespace postrider::test;

namespace {

/// Answers no request before it is opened, then each.
class held_server {
public:
  ~held_server() { open(); } // or its scripts would wait for theirs
  void open() {
    const std::lock_guard lock{mutex_};
    open_ = true;
    changed_.notify_all();
  }
  [[nodiscard]] std::string url() const { return server_.url(); }
  [[nodiscard]] int accepted() const { return server_.accepted(); }

private:
  bool wait() {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, std::chrono::seconds{20}, [&] { return open_; });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  loopback_server server_{[this](peer& client) {
    while (!client.read_request().empty() && wait() && client.send(ok_response())) {
    }
  }};
};

struct fixture : sender_fixture {
  fixture() {
    threads_count = 1; // what is asked for first is tried first
    settings.connections_max = 20;
  }

  static std::shared_ptr<endpoint_config> target(std::string url, endpoint_no number,
                                                 delivery_priority priority = delivery_priority::medium) {
    auto out = endpoint(std::move(url), number);
    out->priority = priority;
    return out;
  }
  static std::shared_ptr<event> event_of(tenant_no tenant) {
    auto out = an_event();
    out->tenant = tenant;
    return out;
  }
  std::vector<attempt_request> many(tenant_no tenant, const std::shared_ptr<endpoint_config>& to, std::uint32_t count) {
    std::vector<attempt_request> out;
    for (std::uint32_t number = 1; number <= count; ++number)
      out.push_back(request(to, number, event_of(tenant)));
    return out;
  }
  /// Starts them; how many of them have found a place, when each of them has or has not.
  std::int64_t placed(std::vector<attempt_request> batch) {
    start();
    const auto count = static_cast<std::int64_t>(batch.size());
    const auto running = counts.attempts_running.value();
    const auto refused = counts.attempts_refused.value();
    sender->start(std::move(batch));
    const auto now_running = [&] { return counts.attempts_running.value() - running; };
    const auto now_refused = [&] { return static_cast<std::int64_t>(counts.attempts_refused.value() - refused); };
    BOOST_TEST(eventually([&] { return now_running() + now_refused() == count; }));
    return now_running();
  }
  std::int64_t placed(tenant_no tenant, const std::shared_ptr<endpoint_config>& to, std::uint32_t count) {
    return placed(many(tenant, to, count));
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(http_sender_places, fixture)

BOOST_AUTO_TEST_CASE(one_tenants_hanging_endpoints_leave_room_for_another_tenant) {
  held_server hangs;
  loopback_server answers{answer_with(ok_response())};
  std::vector<attempt_request> flood;
  for (endpoint_no number = 1; number <= 5; ++number)
    for (auto& each : many(1, target(hangs.url(), number), 10))
      flood.push_back(std::move(each));
  BOOST_TEST(placed(std::move(flood)) == 16);
  BOOST_TEST(send(target(answers.url(), 100), 1, event_of(2)).facts.http_status == 200);
  BOOST_TEST(counts.attempts_running.value() == 16);

  // However many flood: the next tenant's comes through as well.
  BOOST_TEST(placed(3, target(hangs.url(), 300), 10) > 0);
  BOOST_TEST(send(target(answers.url(), 400), 1, event_of(4)).facts.http_status == 200);
}

BOOST_AUTO_TEST_CASE(an_endpoint_of_high_priority_finds_room_beside_one_of_low_that_was_first) {
  held_server slow, quick;
  const auto low = target(slow.url(), 1, delivery_priority::low);
  const auto high = target(quick.url(), 2, delivery_priority::high);
  BOOST_TEST(placed(1, low, 20) == 8);
  BOOST_TEST(placed(1, high, 20) == 7);
  slow.open();
  // As its attempts end, the low one keeps what it would be given now: five.
  BOOST_TEST(eventually([&] { return counts.attempts_running.value() == 7; }));
  BOOST_TEST(eventually([&] { return counts.endpoint_connections.value() == 12; }));
}

BOOST_AUTO_TEST_CASE(who_holds_too_many_gives_back_as_his_requests_end_and_the_shares_become_equal) {
  held_server first, second;
  const auto one = target(first.url(), 1);
  const auto two = target(second.url(), 2);
  BOOST_TEST(placed(1, one, 20) == 11);
  const auto beside = placed(2, two, 20);
  BOOST_TEST(beside == 6);
  first.open();
  BOOST_TEST(eventually([&] { return counts.attempts_running.value() == beside; }));
  BOOST_TEST(counts.endpoint_connections.value() < 11 + beside);
  BOOST_TEST(placed(2, two, 20) > 0); // what was given back is there for the other
}

BOOST_AUTO_TEST_CASE(a_connection_that_is_used_again_takes_no_further_place) {
  loopback_server answers{answer_with(ok_response())};
  const auto to = target(answers.url(), 1);
  for (int i = 0; i < 100; ++i)
    BOOST_REQUIRE(send(to, 1, event_of(1)).facts.http_status == 200);
  BOOST_TEST(answers.accepted() == 1);
  BOOST_TEST(counts.endpoint_connections.value() == 1);
}

BOOST_AUTO_TEST_CASE(io_threads_share_one_count) {
  threads_count = 2;
  held_server hangs;
  BOOST_TEST(placed(1, target(hangs.url(), 1), 40) == 11);
}

BOOST_AUTO_TEST_CASE(no_place_is_lost_however_a_connection_ends) {
  loopback_server closes{answer_with("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")};
  loopback_server resets{[](peer& client) {
    client.read_request();
    client.reset();
  }};
  loopback_server silent{[](peer& client) { client.wait_for_close(); }};
  names["nowhere.example"] = {.failure = attempt_reason::dns_failed};
  auto hasty = target(silent.url(), 4);
  hasty->timeout = milliseconds{100};
  std::size_t ended = 0;
  for (const auto& to : {target(closes.url(), 1), target(resets.url(), 2),
                         target("http://127.0.0.1:" + std::to_string(refused_port()) + "/", 3), hasty,
                         target("http://nowhere.example/", 5), target("http://10.0.0.1/", 6)}) {
    start();
    sender->start(many(1, to, 30));
    ended += 30;
    inbox->wait_for(ended);
    BOOST_TEST(eventually([&] { return counts.endpoint_connections.value() == 0; }));
  }
  held_server hangs;
  const auto last = target(hangs.url(), 7);
  BOOST_TEST(placed(1, last, 20) == 11);
  std::promise<std::size_t> aborted;
  sender->abort(inbox.get(), [&](std::vector<attempt_result> results) { aborted.set_value(results.size()); });
  BOOST_TEST(aborted.get_future().get() >= 11u); // and what was refused, where it was not told yet
  BOOST_TEST(placed(1, last, 20) == 11);
}

BOOST_AUTO_TEST_CASE(idle_connections_make_way_those_of_the_same_tenant_first) {
  settings.connections_max = 10;
  held_server hangs;
  loopback_server others{answer_with(ok_response())}, own{answer_with(ok_response())};
  BOOST_TEST(send(target(others.url(), 90), 1, event_of(2)).sent); // idle for longest
  for (endpoint_no number = 1; number <= 4; ++number)
    BOOST_TEST(send(target(own.url(), number), 1, event_of(1)).sent);
  BOOST_TEST(counts.endpoint_connections.value() == 5);
  BOOST_TEST(placed(1, target(hangs.url(), 10, delivery_priority::high), 20) ==
             7); // as if there were none idle but one
  BOOST_TEST(counts.endpoint_connections.value() == 8);
  BOOST_TEST(send(target(others.url(), 90), 1, event_of(2)).sent);
  BOOST_TEST(others.accepted() == 1); // was not closed
}

BOOST_AUTO_TEST_CASE(a_tenant_that_has_none_makes_any_idle_connection_give_way) {
  settings.connections_max = 2;
  held_server hangs;
  loopback_server answers{answer_with(ok_response())};
  BOOST_TEST(placed(1, target(hangs.url(), 1, delivery_priority::low), 5) == 1);
  BOOST_TEST(send(target(answers.url(), 2), 1, event_of(2)).sent);
  BOOST_TEST(counts.endpoint_connections.value() == 2);
  BOOST_TEST(send(target(answers.url(), 3), 1, event_of(3)).sent);
  BOOST_TEST(counts.endpoint_connections.value() == 2);
}

BOOST_AUTO_TEST_SUITE_END()
