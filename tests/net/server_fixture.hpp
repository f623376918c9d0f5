#pragma once

#include "net/api_auth.hpp"
#include "net/api_router.hpp"
#include "net/api_routes.hpp"
#include "net/http_server.hpp"
#include "net/ingest_routes.hpp"
#include "net/io_threads.hpp"
#include "net/openapi_routes.hpp"
#include "net/operator_routes.hpp"
#include "net/tls_server.hpp"
#include "tests/support/fake_management_store.hpp"
#include "tests/support/fake_operator_reads.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <boost/json/value_to.hpp>
#include <boost/test/unit_test.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace postrider::test {

/// VERIFIER's place: answers at once, or holds what it gets until told.
class fake_gate final : public ingest_gate {
public:
  enum class mode { answer, hold, drop };
  void submit(ingest_request_ptr request) override {
    const std::lock_guard guard{mutex_};
    last_ = {request->tenant, request->source,   request->body,           request->headers,       request->content_type,
             request->target, request->over_tls, request->forwarded_host, request->remote_address};
    if (what_ == mode::answer)
      request->ticket.answer(ingest_result::accepted, event_id{});
    else if (what_ == mode::hold)
      held_.push_back(std::move(request));
    ++count_;
    changed_.notify_all();
  }
  void set(mode what) {
    const std::lock_guard guard{mutex_};
    what_ = what;
  }
  /// Waits until `count` requests have come in all; false: they did not within 5 s.
  bool wait_for(std::size_t count) {
    std::unique_lock guard{mutex_};
    return changed_.wait_for(guard, std::chrono::seconds{5}, [&] { return count_ >= count; });
  }
  void answer_held(ingest_result result, std::string_view code = {}) {
    std::deque<ingest_request_ptr> all;
    {
      const std::lock_guard guard{mutex_};
      all.swap(held_);
    }
    std::vector<ingest_answer> answers;
    const auto replies = all.empty() ? nullptr : all.front()->ticket.replies();
    for (auto& one : all)
      answers.push_back(one->ticket.settle(result, {}, code));
    if (replies)
      replies->answer(std::move(answers));
  }
  struct seen {
    std::string tenant, source, body, headers, content_type, target;
    bool over_tls = false;
    std::string forwarded_host, remote_address;
  };
  seen last() {
    const std::lock_guard guard{mutex_};
    return last_;
  }
  std::size_t count() {
    const std::lock_guard guard{mutex_};
    return count_;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  mode what_ = mode::answer;
  std::deque<ingest_request_ptr> held_;
  std::size_t count_ = 0;
  seen last_;
};

struct http_answer {
  int status = 0; ///< 0: the connection was closed
  std::string head, body;
  [[nodiscard]] std::string header(const std::string& name) const {
    const auto at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos)
      return {};
    const auto begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
  [[nodiscard]] boost::json::value json() const { return boost::json::parse(body); }
  [[nodiscard]] std::string code() const { return boost::json::value_to<std::string>(json().at("code")); }
};

/// A blocking client; gives up after 10 s.
class raw_client {
public:
  explicit raw_client(const std::string& address) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(static_cast<std::uint16_t>(std::atoi(address.c_str() + address.rfind(':') + 1)));
    ::inet_pton(AF_INET, "127.0.0.1", &where.sin_addr);
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    // Not BOOST_REQUIRE: clients also run on threads of their own, where Boost.Test must not be called.
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0)
      throw std::runtime_error("cannot connect to " + address);
  }
  virtual ~raw_client() { ::close(socket_); }
  raw_client(const raw_client&) = delete;
  raw_client& operator=(const raw_client&) = delete;

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto count = put(bytes.data(), bytes.size());
      if (count <= 0)
        return; // the peer has refused and closed: the answer tells
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  http_answer receive(bool head_only = false) {
    http_answer out;
    std::size_t end = 0;
    while ((end = in_.find("\r\n\r\n")) == std::string::npos)
      if (!fill())
        return out;
    out.head = in_.substr(0, end + 2);
    in_.erase(0, end + 4);
    out.status = std::atoi(out.head.c_str() + 9);
    const auto length = out.header("content-length");
    const auto size = length.empty() || head_only ? 0U : static_cast<std::size_t>(std::atoi(length.c_str()));
    while (in_.size() < size)
      if (!fill())
        return {};
    out.body = in_.substr(0, size);
    in_.erase(0, size);
    return out;
  }
  /// Whether the server closes now, with nothing more to say.
  bool closed() { return in_.empty() && !fill(); }

protected:
  virtual ssize_t put(const char* bytes, std::size_t size) { return ::send(socket_, bytes, size, MSG_NOSIGNAL); }
  virtual ssize_t take(char* bytes, std::size_t size) { return ::recv(socket_, bytes, size, 0); }
  [[nodiscard]] int descriptor() const noexcept { return socket_; }

private:
  bool fill() {
    std::array<char, 16'384> buffer{};
    const auto count = take(buffer.data(), buffer.size());
    if (count <= 0)
      return false;
    in_.append(buffer.data(), static_cast<std::size_t>(count));
    return true;
  }
  int socket_ = -1;
  std::string in_;
};

class fake_inspection final : public inspection {
public:
  /// Tells of the node, its tenant `acme`, a verifier and as many deliveries as were added; filters as the real one.
  void page(actor_query query, operator_reads&, std::function<void(actor_page)> done) override {
    actor_page out;
    if (query.node && *query.node != "n1")
      return done(std::move(out));
    out.nodes.push_back({"n1", true, ""});
    std::vector<tree_path> all{{"n1", {}, tree_kind::node, {}}, supervisor_path("n1", "acme")};
    for (int i = 0; i < deliveries_; ++i)
      all.push_back({"n1", "acme", tree_kind::delivery, std::to_string(1'000 + i)});
    all.push_back({"n1", "acme", tree_kind::provider_verifier, "github"});
    for (const auto& at : all) {
      const auto depth = std::min<std::size_t>(static_cast<std::size_t>(at.kind), 2);
      if ((query.kind && at.kind != *query.kind) || depth > query.depth || (query.after && at <= *query.after))
        continue;
      if (out.data.size() == query.limit) {
        out.next = last_;
        break;
      }
      last_ = at;
      out.data.push_back(status_of(at));
    }
    done(std::move(out));
  }
  void add_deliveries(int count) { deliveries_ = count; }
  void actor(tree_path path, operator_reads&, std::function<void(result<actor_status>)> done) override {
    if (path.kind != tree_kind::node || path.node != "n1")
      return done(problem{404, "actor-unknown", "there is no such actor"});
    done(status_of(path));
  }

private:
  static actor_status status_of(const tree_path& path) {
    actor_status one;
    one.path = to_string(path);
    one.kind = to_string(path.kind);
    one.state = "running";
    one.node = "n1";
    return one;
  }
  std::atomic<int> deliveries_{0};
  tree_path last_;
};

class fake_readiness final : public readiness {
public:
  std::atomic<bool> ok{true};
  [[nodiscard]] std::vector<dependency_status> check() const override { return {{"database", ok, ok ? "" : "away"}}; }
};

/// A whole LISTENER over fakes, on loopback ports of the kernel's choice.
struct server_fixture {
  explicit server_fixture(http_server_limits limits = {}, const std::shared_ptr<const tls_server>& tls = {})
      : server{options(limits), threads, counts} {
    for (const auto which : {listener::public_, listener::operator_})
      server.use_tls(which, tls);
    auto bound = server.listen();
    BOOST_REQUIRE(bound.has_value());
    addresses = *bound;
    server.start(public_routes, operator_listener);
    threads.start();
  }
  ~server_fixture() {
    server.stop(milliseconds{0});
    threads.stop();
  }
  static http_server_options options(http_server_limits limits) { return {{"127.0.0.1:0", "127.0.0.1:0"}, limits}; }
  static std::vector<api_route> both(std::vector<api_route> first, const std::vector<api_route>& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
  }
  [[nodiscard]] const std::string& public_address() const { return addresses[0]; }
  [[nodiscard]] const std::string& operator_address() const { return addresses[1]; }

  /// One API request on a connection of its own.
  http_answer call(const std::string& method, const std::string& path, const std::string& key = {},
                   const std::string& body = {}, bool on_operator = false,
                   const std::string& type = "application/json") {
    raw_client client{on_operator ? operator_address() : public_address()};
    auto text = method + " " + path + " HTTP/1.1\r\nHost: localhost\r\n";
    if (!key.empty())
      text += "Authorization: Bearer " + key + "\r\n";
    if (!body.empty())
      text += "Content-Type: " + type + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    client.send(text + "\r\n" + body);
    return client.receive(method == "HEAD");
  }

  metrics counts;
  fake_gate gate;
  fake_management_store store;
  fake_inspection actors;
  fake_operator_reads reads;
  fake_readiness ready;
  std::shared_ptr<ingest_admission> admission = std::make_shared<ingest_admission>();
  api_auth auth{store};
  api_worker worker;
  api_options options_of_api{false, std::make_shared<target_guard>(target_guard::rules{}), {"gold"}};
  api_router api{both(openapi_routes(), api_routes(store, options_of_api)), auth, worker};
  api_router operations{both(operator_routes({actors, reads, ready, counts, "n1"}), api_routes(store, options_of_api)),
                        auth, worker};
  ingest_routes ingest{gate, admission};
  prefix_routes public_routes{{{"/in/", &ingest}, {"/v1/", &api}, {"/openapi.json", &api}}};
  prefix_routes operator_listener{{{"/", &operations}}};
  io_threads threads{2};
  http_server server;
  std::array<std::string, listener_count> addresses;
};

} // namespace postrider::test
