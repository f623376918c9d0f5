#include "net/http_server.hpp"

#include "tests/net/server_fixture.hpp"

#include <future>
#include <thread>

using namespace postrider;
using namespace postrider::test;
using namespace std::string_literals;

namespace {

const std::string head = "POST /in/acme/github HTTP/1.1\r\nHost: localhost\r\n";
const std::string whole = head + "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

http_server_limits quick() {
  http_server_limits out;
  out.head_timeout = out.body_timeout = out.idle_timeout = out.answer_timeout = milliseconds{300};
  return out;
}

http_answer ask(server_fixture& fixture, const std::string& request) {
  raw_client client{fixture.public_address()};
  client.send(request);
  return client.receive();
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_server_edge)

BOOST_AUTO_TEST_CASE(a_webhook_reaches_the_gate_byte_for_byte_and_is_answered) {
  server_fixture fixture;
  const auto answer =
    ask(fixture, head + "Content-Type: text/x-odd\r\nX-Sig: a b\r\nContent-Length: 4\r\n\r\n\0\r\n\xff"
                        ""s);
  BOOST_TEST(answer.status == 200);
  BOOST_TEST(answer.body == R"({"event_id":"evt_00000000-0000-0000-0000-000000000000","duplicate":false})");
  BOOST_TEST(answer.header("x-request-id").size() == 16u);
  BOOST_TEST(!answer.header("date").empty());
  const auto seen = fixture.gate.last();
  BOOST_TEST(seen.tenant == "acme");
  BOOST_TEST(seen.source == "github");
  BOOST_TEST(seen.body == std::string("\0\r\n\xff", 4));
  BOOST_TEST(seen.content_type == "text/x-odd");
  BOOST_TEST(seen.headers.find("X-Sig: a b\r\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(every_kind_of_answer_is_rendered_as_the_contract_says) {
  server_fixture fixture;
  fixture.gate.set(fake_gate::mode::hold);
  const auto answered = [&](ingest_result result, std::string_view code = {}) {
    raw_client client{fixture.public_address()};
    const auto before = fixture.gate.count();
    client.send(whole);
    BOOST_REQUIRE(fixture.gate.wait_for(before + 1));
    fixture.gate.answer_held(result, code);
    return client.receive();
  };
  BOOST_TEST(answered(ingest_result::duplicate).json().at("duplicate").as_bool());
  const auto rejected = answered(ingest_result::rejected, "signature-mismatch");
  BOOST_TEST(rejected.status == 401);
  BOOST_TEST(rejected.code() == "signature-mismatch");
  BOOST_TEST(rejected.header("content-type") == "application/problem+json");
  BOOST_TEST(rejected.json().at("instance").as_string() == rejected.header("x-request-id"));
  BOOST_TEST(answered(ingest_result::unknown).status == 404);
  for (const auto result : {ingest_result::overloaded, ingest_result::unavailable}) {
    const auto busy = answered(result);
    BOOST_TEST(busy.status == 503);
    BOOST_TEST(!busy.header("retry-after").empty());
  }
}

BOOST_AUTO_TEST_CASE(pipelined_requests_are_answered_one_by_one_in_order) {
  server_fixture fixture;
  raw_client client{fixture.public_address()};
  client.send(whole + "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n" + "\r\n" + whole);
  BOOST_TEST(client.receive().status == 200);
  BOOST_TEST(client.receive().status == 404);
  BOOST_TEST(client.receive().status == 200);
  BOOST_TEST(fixture.gate.count() == 2u);
}

BOOST_AUTO_TEST_CASE(a_request_may_come_byte_by_byte) {
  server_fixture fixture;
  raw_client client{fixture.public_address()};
  for (const char c : whole)
    client.send({&c, 1});
  BOOST_TEST(client.receive().status == 200);
  BOOST_TEST(fixture.gate.last().body == "{}");
}

BOOST_AUTO_TEST_CASE(large_and_chunked_bodies_arrive_whole) {
  server_fixture fixture;
  std::string body;
  for (int i = 0; body.size() < 900'000; ++i)
    body += std::to_string(i);
  BOOST_TEST(ask(fixture, head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body).status == 200);
  BOOST_TEST((fixture.gate.last().body == body));
  std::string chunks;
  for (std::size_t at = 0; at < body.size(); at += 0xfff)
    chunks += (body.size() - at < 0xfff ? "" : "fff\r\n" + body.substr(at, 0xfff) + "\r\n");
  raw_client client{fixture.public_address()};
  client.send(head + "Transfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\nSmuggled: x\r\n\r\n" + whole);
  BOOST_TEST(client.receive().status == 200);
  BOOST_TEST(client.receive().status == 200);
  BOOST_TEST(fixture.gate.last().headers.find("Smuggled") == std::string::npos);
  BOOST_TEST(fixture.gate.last().body == "{}");
}

BOOST_AUTO_TEST_CASE(what_is_not_valid_http_is_refused_and_ends_the_connection) {
  server_fixture fixture;
  const std::vector<std::pair<std::string, int>> cases{
    {head + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + whole, 501},
    {head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + whole, 400},
    {head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n" + whole, 400},
    {head + "Expect: tea\r\n\r\n", 417},
    {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505},
    {"GET /" + std::string(10'000, 'a') + " HTTP/1.1\r\n\r\n", 414},
    {"GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(40'000, 'a'), 431},
    {"GET / HTTP/1.1\nHost: a\n\n", 400},
    {"\x16\x03\x01\x02\n", 400},
  };
  for (const auto& [request, status] : cases) {
    raw_client client{fixture.public_address()};
    client.send(request);
    const auto answer = client.receive();
    BOOST_TEST(answer.status == status, "for " << request.substr(0, 80));
    BOOST_TEST(answer.header("connection") == "close");
    BOOST_TEST(client.closed());
  }
  BOOST_TEST(fixture.gate.count() == 0u);
  BOOST_TEST(fixture.counts.ingest_invalid_http.value() == cases.size());
}

BOOST_AUTO_TEST_CASE(a_body_too_large_is_refused_before_it_is_read) {
  server_fixture fixture;
  const auto announced = ask(fixture, head + "Content-Length: 99999999999999999999\r\n\r\n");
  BOOST_TEST(announced.status == 413);
  BOOST_TEST(announced.code() == "body-too-large");
  BOOST_TEST(ask(fixture, head + "Transfer-Encoding: chunked\r\n\r\n100001\r\n").status == 413);
}

BOOST_AUTO_TEST_CASE(continue_is_said_only_where_the_body_would_be_taken) {
  server_fixture fixture;
  raw_client client{fixture.public_address()};
  client.send(head + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  BOOST_TEST(client.receive().status == 100);
  client.send("{}");
  BOOST_TEST(client.receive().status == 200);
  BOOST_TEST(
    ask(fixture, "POST /in/acme/github HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2000000\r\n\r\n")
      .status == 413);
  BOOST_TEST(
    ask(fixture, "PROPFIND /in/a/b HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n").status ==
    405);
}

BOOST_AUTO_TEST_CASE(other_methods_and_paths_are_told_so) {
  server_fixture fixture;
  const auto other =
    fixture.call("PROPFIND", "/in/acme/github"); // which of the usual ones a source takes, its verifier says
  BOOST_TEST(other.status == 405);
  BOOST_TEST(other.header("allow") == "POST, GET, PUT, PATCH, DELETE");
  BOOST_TEST(fixture.call("OPTIONS", "*").status == 204);
  BOOST_TEST(fixture.call("POST", "/in/acme").status == 404);
  BOOST_TEST(fixture.call("POST", "/in/acme/git%20hub").status == 404);
  BOOST_TEST(fixture.call("POST", "/in/acme/%67ithub").status == 200);
  BOOST_TEST(fixture.call("GET", "/metrics").status == 404); // nothing of the operator listener
  BOOST_TEST(fixture.call("POST", "/in/acme/github", "", "", true).status == 404);
}

BOOST_AUTO_TEST_CASE(a_body_that_comes_after_it_was_given_up_is_dropped) {
  server_fixture fixture{quick()};
  raw_client client{fixture.public_address()};
  client.send(head + "Content-Length: 20000\r\n\r\n" + std::string(5'000, 'a'));
  BOOST_TEST(client.receive().status == 408);
  client.send(std::string(15'000, 'b')); // the read for it is still under way
  BOOST_TEST(client.closed());
  BOOST_TEST(fixture.gate.count() == 0U);
}

BOOST_AUTO_TEST_CASE(slow_peers_are_cut_off) {
  server_fixture fixture{quick()};
  BOOST_TEST(ask(fixture, "POST /in/a/b HT").status == 408);
  BOOST_TEST(ask(fixture, head + "Content-Length: 5\r\n\r\nab").status == 408);
  raw_client idle{fixture.public_address()};
  BOOST_TEST(idle.closed());
}

BOOST_AUTO_TEST_CASE(a_late_answer_is_ignored_and_the_connection_goes_on) {
  server_fixture fixture{quick()};
  fixture.gate.set(fake_gate::mode::hold);
  raw_client client{fixture.public_address()};
  client.send(whole);
  const auto first = client.receive();
  BOOST_TEST(first.status == 503);
  BOOST_TEST(!first.header("retry-after").empty());
  client.send(whole);
  BOOST_REQUIRE(fixture.gate.wait_for(2));
  fixture.gate.answer_held(ingest_result::accepted); // the first one's answer, late, and the second's
  BOOST_TEST(client.receive().status == 200);
  client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
  BOOST_TEST(client.receive().status == 404); // nothing stood in between
}

BOOST_AUTO_TEST_CASE(a_dropped_request_is_answered_503) {
  server_fixture fixture;
  fixture.gate.set(fake_gate::mode::drop);
  BOOST_TEST(ask(fixture, whole).status == 503);
  BOOST_TEST(fixture.admission->events() == 0);
}

BOOST_AUTO_TEST_CASE(beyond_the_admission_bound_requests_are_refused) {
  server_fixture fixture;
  for (std::int64_t i = 0; i < ingest_admission::events_max; ++i)
    BOOST_REQUIRE(fixture.admission->try_enter(1));
  BOOST_TEST(ask(fixture, whole).status == 503);
  BOOST_TEST(fixture.gate.count() == 0u);
  BOOST_TEST(fixture.counts.ingest_overloaded.value() == 1u);
}

BOOST_AUTO_TEST_CASE(bodies_being_read_share_one_bound) {
  http_server_limits limits;
  limits.ingest_bodies_max = 1'000;
  server_fixture fixture{limits};
  raw_client first{fixture.public_address()};
  first.send(head + "Expect: 100-continue\r\nContent-Length: 900\r\n\r\n");
  BOOST_TEST(first.receive().status == 100);
  BOOST_TEST(ask(fixture, head + "Content-Length: 200\r\n\r\n").status == 503);
  first.send(std::string(900, 'x'));
  BOOST_TEST(first.receive().status == 200);
  BOOST_TEST(ask(fixture, head + "Content-Length: 200\r\n\r\n" + std::string(200, 'x')).status == 200);
}

BOOST_AUTO_TEST_CASE(bodies_that_are_announced_and_not_sent_keep_nobody_out) {
  http_server_limits limits;
  limits.ingest_bodies_max = 64 * 1024;
  server_fixture fixture{limits};
  std::vector<std::unique_ptr<raw_client>> silent;
  for (int i = 0; i < 6; ++i) {
    silent.push_back(std::make_unique<raw_client>(fixture.public_address()));
    silent.back()->send(head + (i % 2 == 0 ? "Transfer-Encoding: chunked" : "Content-Length: 1000000") +
                        "\r\nExpect: 100-continue\r\n\r\n");
    BOOST_TEST(silent.back()->receive().status == 100);
  }
  BOOST_TEST(ask(fixture, whole).status == 200);
  BOOST_TEST(fixture.counts.http_overloaded.value() == 0u);
}

BOOST_AUTO_TEST_CASE(a_body_that_grows_beyond_the_bound_of_all_is_refused_and_counted) {
  http_server_limits limits;
  limits.ingest_bodies_max = 64 * 1024;
  server_fixture fixture{limits};
  const std::string half(40 * 1024, 'x');
  for (const auto* const framing : {"Content-Length: 200000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n30d40\r\n"}) {
    raw_client client{fixture.public_address()};
    client.send(head + framing + half + half);
    const auto answer = client.receive();
    BOOST_TEST(answer.status == 503);
    BOOST_TEST(!answer.header("retry-after").empty());
  }
  BOOST_TEST(fixture.counts.http_overloaded.value() == 2u);
  BOOST_TEST(fixture.counts.ingest_overloaded.value() == 2u);
  BOOST_TEST(ask(fixture, head + "Content-Length: 40960\r\n\r\n" + half).status == 200); // all was given back
}

BOOST_AUTO_TEST_CASE(the_api_has_a_bound_of_its_own) {
  http_server_limits limits;
  limits.api_bodies_max = 1'000;
  server_fixture fixture{limits};
  const auto key = fixture.store.add_key(api_role::operator_);
  raw_client client{fixture.public_address()};
  client.send("POST /v1/tenants HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + key +
              "\r\nContent-Type: application/json\r\nContent-Length: 2000\r\n\r\n");
  BOOST_TEST(client.receive().status == 503);
  BOOST_TEST(ask(fixture, head + "Content-Length: 2000\r\n\r\n" + std::string(2'000, 'x')).status == 200);
}

BOOST_AUTO_TEST_CASE(a_body_that_keeps_the_least_rate_outlives_the_first_deadline) {
  auto limits = quick();
  limits.body_rate_min = 10; // a tenth of a second for each byte
  server_fixture fixture{limits};
  raw_client client{fixture.public_address()};
  client.send(head + "Content-Length: 100\r\n\r\n" + std::string(99, 'x'));
  BOOST_TEST(ask(fixture, head + "Content-Length: 5\r\n\r\n").status == 408); // one that sends nothing
  client.send("x");
  BOOST_TEST(client.receive().status == 200);
}

BOOST_AUTO_TEST_CASE(an_exception_of_a_route_costs_its_connection_alone) {
  struct : http_handler {
    head_verdict examine(const request_head&, std::string_view, std::string_view) override { return {100, false, {}}; }
    std::unique_ptr<http_response> handle(http_call call) override {
      if (call.body.empty())
        return std::make_unique<http_response>();
      throw std::runtime_error("a mistake");
    }
  } routes;
  metrics counts;
  io_threads threads{1};
  http_server server{server_fixture::options({}), threads, counts};
  const auto at = server.listen();
  BOOST_REQUIRE(at.has_value());
  server.start(routes, routes);
  threads.start();
  raw_client client{at->front()};
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
  BOOST_TEST(client.receive().status == 0);
  raw_client next{at->front()};
  next.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  BOOST_TEST(next.receive().status == 200);
  auto stopped = std::async(std::launch::async, [&server] { server.stop(milliseconds{0}); });
  BOOST_REQUIRE((stopped.wait_for(std::chrono::seconds{10}) == std::future_status::ready)); // no operation was lost
  threads.stop();
}

BOOST_AUTO_TEST_CASE(a_full_listener_accepts_again_when_a_connection_closes) {
  http_server_limits limits;
  limits.connections_public_max = 2; // one for each io thread
  server_fixture fixture{limits};
  std::vector<std::future<int>> answers;
  for (int i = 0; i < 12; ++i)
    answers.push_back(std::async(std::launch::async, [&fixture] {
      return ask(fixture, head + "Connection: close\r\nContent-Length: 0\r\n\r\n").status;
    }));
  for (auto& one : answers)
    BOOST_TEST(one.get() == 200);
}

BOOST_AUTO_TEST_CASE(a_second_server_cannot_take_the_port) {
  server_fixture fixture;
  io_threads threads{1};
  metrics counts;
  http_server second{{{fixture.public_address(), "127.0.0.1:0"}, {}}, threads, counts};
  const auto bound = second.listen();
  BOOST_REQUIRE(bound.has_error());
  BOOST_TEST(bound.error().code == "listen-failed");
}

BOOST_AUTO_TEST_CASE(lingering_closes_connections_politely_and_stopping_finishes_requests) {
  server_fixture fixture;
  fixture.gate.set(fake_gate::mode::hold);
  raw_client client{fixture.public_address()};
  client.send(whole);
  BOOST_REQUIRE(fixture.gate.wait_for(1));
  raw_client idle{fixture.public_address()};
  idle.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
  BOOST_TEST(idle.receive().status == 404);
  fixture.server.linger();
  auto stopped =
    std::async(std::launch::async, [&fixture] { fixture.server.close(listener::public_, milliseconds{5'000}); });
  BOOST_TEST(idle.closed()); // nothing under way there
  fixture.gate.answer_held(ingest_result::accepted);
  const auto answer = client.receive();
  BOOST_TEST(answer.status == 200);
  BOOST_TEST(answer.header("connection") == "close");
  BOOST_TEST(client.closed());
  stopped.get();
  BOOST_TEST(fixture.call("GET", "/healthz", "", "", true).status == 200); // the operator listener closes last
}

BOOST_AUTO_TEST_CASE(an_http_1_0_request_is_answered_and_closed) {
  server_fixture fixture;
  raw_client client{fixture.public_address()};
  client.send("POST /in/acme/github HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}");
  const auto answer = client.receive();
  BOOST_TEST(answer.status == 200);
  BOOST_TEST(answer.header("connection") == "close");
  BOOST_TEST(client.closed());
}

BOOST_AUTO_TEST_SUITE_END()
