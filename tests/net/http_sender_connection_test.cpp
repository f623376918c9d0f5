// Which connections are used again, how many there are, and how attempts are told and aborted.
#include "tests/net/loopback_server.hpp"
#include "tests/net/sender_fixture.hpp"

#include <future>

using namespace postrider;
using namespace postrider::test;
using std::chrono::milliseconds;

namespace {

struct fixture : sender_fixture {
  fixture() { threads_count = 1; }

  /// Two attempts, one after the other; how many connections they took.
  int connections_for_two(loopback_server& server) {
    const auto to = endpoint(server.url());
    BOOST_TEST(send(to).facts.http_status == 200);
    BOOST_TEST(send(to).facts.http_status == 200);
    return server.accepted();
  }
  int connections_for_two(std::string response) {
    loopback_server server{answer_with(std::move(response))};
    return connections_for_two(server);
  }
  void send_many(const std::shared_ptr<endpoint_config>& to, std::uint32_t count) {
    start();
    std::vector<attempt_request> batch;
    for (std::uint32_t number = 1; number <= count; ++number)
      batch.push_back(request(to, number));
    sender->start(std::move(batch));
  }
};

/// Lets connections wait for each other: all requests are in before any is answered.
class meeting {
public:
  explicit meeting(std::size_t size) : size_(size) {}
  bool arrive() {
    std::unique_lock lock{mutex_};
    if (++count_ >= size_)
      changed_.notify_all();
    return changed_.wait_for(lock, std::chrono::seconds{10}, [&] { return count_ >= size_; });
  }
  std::size_t count() {
    const std::lock_guard lock{mutex_};
    return count_;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t size_;
  std::size_t count_ = 0;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(http_sender_connection, fixture)

BOOST_AUTO_TEST_CASE(a_connection_is_used_again) {
  BOOST_TEST(connections_for_two(ok_response()) == 1);
  BOOST_TEST(counts.endpoint_connections.value() == 1);
  BOOST_TEST(counts.attempts_running.value() == 0);
}

BOOST_AUTO_TEST_CASE(a_chunked_answer_and_a_204_leave_the_connection_usable) {
  BOOST_TEST(connections_for_two(
               "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;ext=1\r\nok\r\n0\r\nx-trailer: 1\r\n\r\n") == 1);
  loopback_server empty{answer_with("HTTP/1.1 204 No Content\r\n\r\n")};
  const auto to = endpoint(empty.url(), 2);
  BOOST_TEST(send(to).facts.http_status == 204);
  BOOST_TEST(send(to).facts.http_status == 204);
  BOOST_TEST(empty.accepted() == 1);
}

BOOST_AUTO_TEST_CASE(connection_close_http_1_0_and_a_body_until_close_end_the_connection) {
  BOOST_TEST(connections_for_two("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok") == 2);
  BOOST_TEST(connections_for_two("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok") == 2);
  loopback_server until_close{[](peer& client) {
    client.read_request();
    client.send("HTTP/1.1 200 OK\r\n\r\nall until the end");
    client.close();
  }};
  BOOST_TEST(connections_for_two(until_close) == 2);
}

BOOST_AUTO_TEST_CASE(a_peer_that_keeps_connections_for_a_second_only_is_not_trusted_with_another_request) {
  BOOST_TEST(connections_for_two("HTTP/1.1 200 OK\r\nkeep-alive: timeout=1\r\ncontent-length: 2\r\n\r\nok") == 2);
  BOOST_TEST(connections_for_two("HTTP/1.1 200 OK\r\nkeep-alive: timeout=5\r\ncontent-length: 2\r\n\r\nok") == 1);
}

BOOST_AUTO_TEST_CASE(a_forged_second_response_is_never_taken_for_the_next_requests) {
  loopback_server server{
    answer_with("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged")};
  BOOST_TEST(send(server.url()).excerpt == "ok");
  BOOST_TEST(send(server.url()).excerpt == "ok");
  BOOST_TEST(server.accepted() == 2);
}

BOOST_AUTO_TEST_CASE(bytes_that_arrive_while_a_connection_is_idle_rule_it_out) {
  meeting forged{2};
  loopback_server server{[&](peer& client) {
    while (!client.read_request().empty()) {
      client.send(ok_response());
      client.send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged");
      forged.arrive();
    }
  }};
  BOOST_TEST(send(server.url()).excerpt == "ok");
  BOOST_TEST(forged.arrive()); // loopback delivers before send() returns
  BOOST_TEST(send(server.url()).excerpt == "ok");
  BOOST_TEST(server.accepted() == 2);
}

BOOST_AUTO_TEST_CASE(a_connection_that_the_peer_has_closed_is_not_used) {
  meeting closed{1};
  loopback_server server{[&](peer& client) {
    client.read_request();
    client.send(ok_response());
    client.close();
    closed.arrive();
  }};
  BOOST_TEST(send(server.url()).facts.http_status == 200);
  BOOST_TEST(eventually([&] { return closed.count() > 0; }));
  BOOST_TEST(send(server.url()).facts.http_status == 200);
  BOOST_TEST(server.accepted() == 2);
}

BOOST_AUTO_TEST_CASE(a_kept_connection_that_dies_under_a_request_is_a_reset_and_not_sent_again) {
  std::atomic<int> requests{0};
  loopback_server server{[&](peer& client) {
    while (!client.read_request().empty())
      if (++requests == 2)
        return client.reset();
      else
        client.send(ok_response());
  }};
  BOOST_TEST(send(server.url()).facts.http_status == 200);
  BOOST_TEST(send(server.url()).facts.failure == attempt_reason::reset);
  BOOST_TEST(requests.load() == 2);
  BOOST_TEST(server.accepted() == 1);
}

BOOST_AUTO_TEST_CASE(an_answer_before_the_body_is_read_counts_and_closes) {
  loopback_server server{[](peer& client) {
    client.read_some(1000);
    client.send("HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n");
    client.wait_for_close();
  }};
  auto to = endpoint(server.url());
  const auto result = send(to, 1, an_event(std::string(64 << 20, 'x')));
  BOOST_TEST(result.facts.failure == attempt_reason::none);
  BOOST_TEST(result.facts.http_status == 413);
  BOOST_TEST(eventually([&] { return counts.endpoint_connections.value() == 0; }));
}

BOOST_AUTO_TEST_CASE(endpoints_of_the_same_host_share_no_connection) {
  loopback_server server{answer_with(ok_response())};
  send(endpoint(server.url(), 1));
  send(endpoint(server.url(), 2));
  BOOST_TEST(server.accepted() == 2);
}

BOOST_AUTO_TEST_CASE(a_new_version_of_the_configuration_keeps_connections_to_the_same_server_only) {
  loopback_server first{answer_with(ok_response())}, second{answer_with(ok_response())};
  send(endpoint(first.url()));
  send(endpoint(first.url("/other")));
  BOOST_TEST(first.accepted() == 1);
  send(endpoint(second.url()));
  BOOST_TEST(second.accepted() == 1);
  BOOST_TEST(counts.endpoint_connections.value() == 1);
}

BOOST_AUTO_TEST_CASE(an_endpoint_keeps_at_most_max_in_flight_idle_connections) {
  threads_count = 2;
  meeting all{8};
  loopback_server server{[&](peer& client) {
    while (!client.read_request().empty())
      if (all.arrive())
        client.send(ok_response());
  }};
  auto to = endpoint(server.url());
  to->max_in_flight = 3; // the window is the caller's; SENDER runs what it is given
  send_many(to, 8);
  for (const auto& each : inbox->wait_for(8))
    BOOST_TEST(each.facts.http_status == 200);
  BOOST_TEST(server.accepted() == 8);
  BOOST_TEST(eventually([&] { return counts.endpoint_connections.value() == 3; }));
}

BOOST_AUTO_TEST_CASE(idle_connections_in_all_are_bounded) {
  settings.idle_max = 4;
  loopback_server server{answer_with(ok_response())};
  for (endpoint_no number = 1; number <= 10; ++number)
    send(endpoint(server.url(), number));
  BOOST_TEST(counts.endpoint_connections.value() == 4);
  send(endpoint(server.url(), 10)); // used last: still there
  BOOST_TEST(server.accepted() == 10);
  send(endpoint(server.url(), 1)); // idle for longest: gone
  BOOST_TEST(server.accepted() == 11);
}

BOOST_AUTO_TEST_CASE(idle_connections_are_closed_after_a_while) {
  settings.idle_timeout = milliseconds{50};
  loopback_server server{answer_with(ok_response())};
  send(server.url());
  BOOST_TEST(eventually([&] { return counts.endpoint_connections.value() == 0; }));
}

BOOST_AUTO_TEST_CASE(beyond_its_share_of_connections_max_attempts_are_refused_and_half_of_them_may_be_idle) {
  settings.connections_max = 4;
  meeting all{3};
  loopback_server server{[&](peer& client) {
    while (!client.read_request().empty())
      if (all.arrive())
        client.send(ok_response());
  }};
  send_many(endpoint(server.url()), 6);
  std::size_t refused = 0;
  for (const auto& each : inbox->wait_for(6)) {
    refused += each.sent ? 0 : 1;
    BOOST_TEST(each.facts.failure == (each.sent ? attempt_reason::none : attempt_reason::connect_timeout));
  }
  BOOST_TEST(refused == 3u);
  BOOST_TEST(counts.attempts_refused.value() == 3u);
  BOOST_TEST(counts.endpoint_connections.value() == 2); // idle: half of them
}

BOOST_AUTO_TEST_CASE(results_of_one_turn_come_together) {
  start();
  const auto to = endpoint("http://10.0.0.1/"); // blocked: all end within the turn in which they start
  send_many(to, 20);
  BOOST_TEST(inbox->wait_for(20).size() == 20u);
  BOOST_TEST(inbox->batches().size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_batch_uses_every_io_thread) {
  threads_count = 2;
  start();
  send_many(endpoint("http://10.0.0.1/"), 20);
  inbox->wait_for(20);
  BOOST_TEST(inbox->batches() == (std::vector<std::size_t>{10, 10}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(abort_ends_the_owners_attempts_and_nobody_elses) {
  threads_count = 2;
  loopback_server hangs{[](peer& client) { client.wait_for_close(); }};
  meeting answer{2};
  loopback_server waits{[&](peer& client) {
    client.read_request();
    answer.arrive();
    client.send(ok_response());
    client.wait_for_close();
  }};
  start();
  auto other = std::make_shared<result_inbox>();
  auto theirs = request(endpoint(waits.url(), 2), 9);
  theirs.owner = other;
  std::vector<attempt_request> one;
  one.push_back(std::move(theirs));
  sender->start(std::move(one));
  send_many(endpoint(hangs.url()), 5);
  BOOST_TEST(eventually([&] { return hangs.accepted() == 5; }));

  std::promise<std::vector<attempt_result>> aborted;
  sender->abort(inbox.get(), [&](std::vector<attempt_result> results) { aborted.set_value(std::move(results)); });
  const auto results = aborted.get_future().get();
  BOOST_TEST(results.size() == 5u);
  for (const auto& each : results)
    BOOST_TEST(each.facts.failure == attempt_reason::interrupted);
  answer.arrive();
  BOOST_TEST(other->wait_for(1).front().facts.http_status == 200);
  BOOST_TEST(inbox->wait_for(0).empty());
  BOOST_TEST(counts.attempts_running.value() == 0);
}

BOOST_AUTO_TEST_CASE(aborting_an_owner_without_attempts_calls_back_with_nothing) {
  start();
  std::promise<std::size_t> aborted;
  sender->abort(inbox.get(), [&](std::vector<attempt_result> results) { aborted.set_value(results.size()); });
  BOOST_TEST(aborted.get_future().get() == 0u);
}

BOOST_AUTO_TEST_CASE(it_can_be_destroyed_while_attempts_run) {
  loopback_server hangs{[](peer& client) { client.wait_for_close(); }};
  send_many(endpoint(hangs.url()), 5);
  BOOST_TEST(eventually([&] { return hangs.accepted() == 5; }));
  sender.reset();
  BOOST_TEST(counts.endpoint_connections.value() == 0);
  BOOST_TEST(inbox->wait_for(0).empty());
  threads->stop();
}

BOOST_AUTO_TEST_CASE(it_can_be_destroyed_after_the_threads_have_stopped) {
  loopback_server hangs{[](peer& client) { client.wait_for_close(); }};
  send_many(endpoint(hangs.url()), 5);
  BOOST_TEST(eventually([&] { return hangs.accepted() == 5; }));
  threads->stop();
  sender.reset();
  BOOST_TEST(counts.endpoint_connections.value() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
