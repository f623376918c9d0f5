// Each way in which an attempt can fail, against servers that really behave so.
#include "tests/net/loopback_server.hpp"
#include "tests/net/sender_fixture.hpp"

#include <future>

using namespace postrider;
using namespace postrider::test;
using std::chrono::milliseconds;

namespace {

struct fixture : sender_fixture {
  static std::shared_ptr<endpoint_config> hurried(std::string url) {
    auto out = endpoint(std::move(url));
    out->timeout = milliseconds{300};
    return out;
  }
  attempt_facts facts_of(std::string response) {
    loopback_server server{answer_with(std::move(response))};
    return send(server.url()).facts;
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(http_sender_failure, fixture)

BOOST_AUTO_TEST_CASE(nobody_listens) {
  const auto result = send("http://127.0.0.1:" + std::to_string(refused_port()) + "/");
  BOOST_TEST(result.facts.failure == attempt_reason::connect_refused);
  BOOST_TEST(result.facts.http_status == 0);
  BOOST_TEST(result.sent);
}

BOOST_AUTO_TEST_CASE(the_network_is_unreachable) {
  rules.allow = {*parse_cidr_block("224.0.0.0/4")}; // TCP has no way to a multicast address
  BOOST_TEST(send(hurried("http://224.0.0.1/")).facts.failure == attempt_reason::network_unreachable);
}

BOOST_AUTO_TEST_CASE(the_connection_is_closed_without_an_answer) {
  loopback_server server{[](peer& client) { client.read_request(); }};
  BOOST_TEST(send(server.url()).facts.failure == attempt_reason::reset);
}

BOOST_AUTO_TEST_CASE(the_connection_is_reset_in_the_middle_of_the_body) {
  loopback_server server{[](peer& client) {
    client.read_request();
    client.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
    client.reset();
  }};
  const auto result = send(server.url());
  BOOST_TEST(result.facts.failure == attempt_reason::reset);
  BOOST_TEST((judge(result.facts).what == verdict::kind::retry)); // the 200 was not heard to its end
}

BOOST_AUTO_TEST_CASE(a_body_cut_short_by_a_close_is_not_whole) {
  loopback_server server{[](peer& client) {
    client.read_request();
    client.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n");
  }};
  BOOST_TEST(send(server.url()).facts.failure == attempt_reason::reset);
}

BOOST_AUTO_TEST_CASE(an_endpoint_that_hangs_meets_the_deadline) {
  loopback_server server{[](peer& client) { client.wait_for_close(); }};
  const auto result = send(hurried(server.url()));
  BOOST_TEST(result.facts.failure == attempt_reason::timeout);
  BOOST_TEST((result.duration >= milliseconds{300}));
}

BOOST_AUTO_TEST_CASE(an_endpoint_that_drips_meets_the_same_deadline) {
  for (const std::string start : {"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", "HTTP/1.1 200 OK\r\nx-drip: "}) {
    loopback_server server{[start](peer& client) {
      client.read_request();
      client.send(start);
      while (!client.closed_within(milliseconds{20}) && client.send("x")) {
      }
    }};
    const auto result = send(hurried(server.url()));
    BOOST_TEST(result.facts.failure == attempt_reason::timeout);
    BOOST_TEST((result.duration >= milliseconds{300}));
  }
}

BOOST_AUTO_TEST_CASE(an_endpoint_that_never_reads_meets_the_deadline) {
  std::promise<void> told;
  loopback_server server{[over = told.get_future().share()](peer& client) {
    client.read_some(1);
    over.wait_for(std::chrono::seconds{10});
  }};
  const auto result = send(hurried(server.url()), 1, an_event(std::string(64 << 20, 'x')));
  told.set_value();
  BOOST_TEST(result.facts.failure == attempt_reason::timeout);
  BOOST_TEST(result.facts.http_status == 0);
}

BOOST_AUTO_TEST_CASE(garbage_is_an_invalid_response) {
  BOOST_TEST(facts_of("SSH-2.0-OpenSSH_9.2\r\n").failure == attempt_reason::invalid_response);
  BOOST_TEST(facts_of("HTTP/1.1 200 OK\nContent-Length: 0\n\n").failure == attempt_reason::invalid_response);
  BOOST_TEST(facts_of("HTTP/1.1 099 No\r\ncontent-length: 0\r\n\r\n").failure == attempt_reason::invalid_response);
  BOOST_TEST(facts_of("HTTP/1.1 600 No\r\ncontent-length: 0\r\n\r\n").failure == attempt_reason::invalid_response);
  BOOST_TEST(facts_of("HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n").failure ==
             attempt_reason::invalid_response);
  BOOST_TEST(facts_of("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n").failure ==
             attempt_reason::invalid_response);
  BOOST_TEST(facts_of("HTTP/1.1 200 OK\r\ntransfer-encoding: xchunked\r\n\r\n").failure ==
             attempt_reason::invalid_response);
}

BOOST_AUTO_TEST_CASE(a_field_value_of_64_kib_is_too_large_and_ends_nothing_else) {
  const auto facts =
    facts_of("HTTP/1.1 200 OK\r\nx-large: " + std::string(65'536, 'a') + "\r\ncontent-length: 0\r\n\r\n");
  BOOST_TEST(facts.failure == attempt_reason::response_too_large);
  BOOST_TEST(facts_of(ok_response()).http_status == 200);
}

BOOST_AUTO_TEST_CASE(trailers_of_70000_bytes_are_too_large) {
  std::string response = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n";
  for (int line = 0; line < 700; ++line)
    response += "x-trailer: " + std::string(87, 'a') + "\r\n";
  BOOST_TEST(facts_of(response + "\r\n").failure == attempt_reason::response_too_large);
}

BOOST_AUTO_TEST_CASE(a_flood_of_1xx_is_an_invalid_response_and_a_few_are_skipped) {
  const std::string interim = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
  std::string eight, nine;
  for (int count = 0; count < 8; ++count)
    eight += interim;
  BOOST_TEST(facts_of(eight + ok_response()).http_status == 200);
  const auto flooded = facts_of(eight + interim + ok_response());
  BOOST_TEST(flooded.failure == attempt_reason::invalid_response);
}

BOOST_AUTO_TEST_CASE(a_body_of_a_gigabyte_is_cut_off_and_no_failure) {
  loopback_server server{[](peer& client) {
    client.read_request();
    client.send("HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n");
    const std::string block(1 << 20, 'x');
    while (client.send(block)) {
    }
  }};
  const auto result = send(server.url());
  BOOST_TEST(result.facts.failure == attempt_reason::none);
  BOOST_TEST(result.facts.http_status == 200);
  BOOST_TEST(result.excerpt.size() == 1024u);
  BOOST_TEST(eventually([&] { return counts.endpoint_connections.value() == 0; })); // closed, never kept
}

BOOST_AUTO_TEST_CASE(an_endless_chunked_body_is_cut_off_as_well) {
  loopback_server server{[](peer& client) {
    client.read_request();
    client.send("HTTP/1.1 202 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    while (client.send("400\r\n" + std::string(1024, 'y') + "\r\n")) {
    }
  }};
  const auto result = send(server.url());
  BOOST_TEST(result.facts.failure == attempt_reason::none);
  BOOST_TEST(result.facts.http_status == 202);
}

BOOST_AUTO_TEST_CASE(a_blocked_address_is_never_connected_to) {
  rules.deny = {*parse_cidr_block("127.0.0.0/8")};
  loopback_server server{answer_with(ok_response())};
  const auto result = send(server.url());
  BOOST_TEST(result.facts.failure == attempt_reason::address_blocked);
  BOOST_TEST(server.accepted() == 0);
}

BOOST_AUTO_TEST_CASE(an_own_listener_is_never_connected_to) {
  loopback_server server{answer_with(ok_response())};
  start();
  guard->block_listener(*parse_ip_address("0.0.0.0"), server.port(), {});
  BOOST_TEST(send(server.url()).facts.failure == attempt_reason::address_blocked);
  BOOST_TEST(server.accepted() == 0);
}

BOOST_AUTO_TEST_CASE(without_trust_in_the_lease_nothing_is_sent) {
  loopback_server server{answer_with(ok_response())};
  trust.end();
  const auto fresh = send(server.url());
  BOOST_TEST(!fresh.sent);
  BOOST_TEST(server.accepted() == 0);
  trust.trust_until(std::numeric_limits<std::int64_t>::max());
  threads_count = 1;
  BOOST_TEST(send(server.url()).sent);
}

BOOST_AUTO_TEST_CASE(what_was_begun_under_a_lease_that_was_lost_is_not_sent_under_the_next) {
  loopback_server server{answer_with(ok_response())};
  threads_count = 1;
  start();
  const auto send_under = [&](fence under) {
    const auto before = inbox->wait_for(0).size();
    std::vector<attempt_request> one;
    one.push_back(request(endpoint(server.url())));
    one.front().shard = 9;
    one.front().under = under;
    sender->start(std::move(one));
    return inbox->wait_for(before + 1).back().sent;
  };
  trust.set_fence(9, 1'001);
  BOOST_TEST(send_under(1'001));
  trust.set_fence(9, 2'002); // lost, and taken again before its actor has heard of it
  BOOST_TEST(!send_under(1'001));
  BOOST_TEST(send_under(2'002));
}

BOOST_AUTO_TEST_CASE(trust_that_ends_while_a_connection_is_idle_stops_the_next_request) {
  threads_count = 1;
  std::atomic<int> requests{0};
  loopback_server server{[&](peer& client) {
    while (!client.read_request().empty()) {
      ++requests;
      client.send(ok_response());
    }
  }};
  BOOST_TEST(send(server.url()).sent);
  trust.trust_until(boottime_ns() - 1);
  BOOST_TEST(!send(server.url()).sent);
  BOOST_TEST(requests.load() == 1);
}

BOOST_AUTO_TEST_SUITE_END()
