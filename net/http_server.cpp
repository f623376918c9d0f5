#include "net/http_server.hpp"

#include "net/http_io_part.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/socket_base.hpp>

#include <charconv>
#include <random>
#include <shared_mutex>
#include <string_view>
#include <utility>
#include <vector>

namespace postrider {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

using reuse_port = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

constexpr int backlog = 1'024;

/// Stays when the server goes: whoever still has an answer to give finds nobody there.
class reply_hub final : public http_replies {
public:
  void attach(std::vector<http_io_part*> parts) {
    const std::unique_lock guard{mutex_};
    parts_ = std::move(parts);
  }

  void answer(std::vector<ingest_answer> answers) override {
    const std::shared_lock guard{mutex_};
    for (std::uint32_t io = 0; io < parts_.size() && !answers.empty(); ++io) {
      const auto other = [io](const ingest_answer& one) { return one.to.io != io; };
      const auto first_other = std::find_if(answers.begin(), answers.end(), other);
      if (first_other == answers.end()) { // all that is left is for this thread: nothing is copied
        post(io, std::move(answers));
        return;
      }
      const auto middle = std::partition(answers.begin(), answers.end(), other);
      if (middle == answers.end())
        continue;
      post(io, std::vector<ingest_answer>(middle, answers.end()));
      answers.erase(middle, answers.end());
    }
  }

  void respond(reply_address to, http_response response) override {
    const std::shared_lock guard{mutex_};
    if (to.io >= parts_.size())
      return;
    auto* const part = parts_[to.io];
    asio::post(part->context(),
               [part, to, what = std::move(response)]() mutable { part->deliver(to, std::move(what)); });
  }

private:
  void post(std::uint32_t io, std::vector<ingest_answer> answers) {
    auto* const part = parts_[io];
    asio::post(part->context(), [part, all = std::move(answers)] { part->deliver(all); });
  }

  std::shared_mutex mutex_;
  std::vector<http_io_part*> parts_;
};

problem listen_failed(const std::string& where, const std::string& why) {
  return {500, "listen-failed", "cannot listen on " + where + ": " + why};
}

/// `HOST:PORT`, the host possibly in brackets.
result<tcp::endpoint> resolve(asio::io_context& context, const std::string& text) {
  const auto colon = text.rfind(':');
  std::uint16_t port = 0;
  if (colon == std::string::npos || colon == 0)
    return listen_failed(text, "it is not of the form HOST:PORT");
  const auto* const last = text.data() + text.size();
  const auto read = std::from_chars(text.data() + colon + 1, last, port);
  if (read.ec != std::errc{} || read.ptr != last)
    return listen_failed(text, "it has no port between 0 and 65535");
  auto host = text.substr(0, colon);
  if (host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  error_code error;
  const auto address = asio::ip::make_address(host, error);
  if (!error)
    return tcp::endpoint{address, port};
  tcp::resolver resolver{context};
  const auto found = resolver.resolve(host, "", tcp::resolver::passive, error);
  if (error || found.empty())
    return listen_failed(text, error ? error.message() : "the host has no address");
  return tcp::endpoint{found.begin()->endpoint().address(), port};
}

result<http_io_part::acceptor> bind(asio::io_context& context, const tcp::endpoint& where, bool shared,
                                    const std::string& text) {
  http_io_part::acceptor out{context};
  error_code error;
  out.open(where.protocol(), error);
  if (!error)
    out.set_option(asio::socket_base::reuse_address(true), error);
  if (!error && shared)
    out.set_option(reuse_port(true), error);
  if (!error)
    out.bind(where, error);
  // A bind alone refuses a port that another socket shares, but not one that a listening socket merely reuses.
  if (!error)
    out.listen(backlog, error);
  if (error)
    return listen_failed(text, error.message());
  return out;
}

std::string to_text(const tcp::endpoint& where) {
  const auto host = where.address().to_string();
  return (where.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(where.port());
}

std::uint64_t random_seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

} // namespace

struct http_server::implementation {
  implementation(http_server_options given, io_threads& on, metrics& counts)
      : options(std::move(given))
      , threads(on)
      , hub(std::make_shared<reply_hub>())
      , replies(hub)
      , shared{options.limits, counts, replies} {
    shared.request_id_seed = random_seed();
    for (std::size_t i = 0; i < threads.size(); ++i)
      parts.push_back(std::make_unique<http_io_part>(threads.context(i), static_cast<std::uint32_t>(i), threads.size(),
                                                     shared, closing));
    std::vector<http_io_part*> all;
    for (const auto& one : parts)
      all.push_back(one.get());
    hub->attach(std::move(all));
  }

  result<std::string> listen(listener which);

  /// Runs `what` with each part, on its thread.
  template <class Function>
  void on_each(Function what) {
    for (const auto& one : parts)
      asio::post(one->context(), [part = one.get(), what] { what(*part); });
  }

  template <class Condition>
  void wait(milliseconds patience, Condition reached) {
    std::unique_lock guard{closing.mutex};
    closing.changed.wait_for(guard, patience, reached);
  }

  void close(listener which, milliseconds patience) {
    if (!threads.running())
      return; // no thread, no connection
    shared.lingering.store(true, std::memory_order_relaxed);
    on_each([which](http_io_part& part) { part.close_listener(which); });
    const auto none = [this, which] {
      return closing.open[static_cast<std::size_t>(which)].load(std::memory_order_acquire) == 0;
    };
    wait(patience, none);
    on_each([which](http_io_part& part) { part.close_connections(which); });
  }

  void stop(milliseconds patience) {
    if (std::exchange(stopped, true))
      return;
    close(listener::public_, patience);
    close(listener::operator_, patience);
    hub->attach({}); // what was posted before stands in the queues before `retire`
    if (!threads.running())
      return;
    on_each([](http_io_part& part) { part.retire(); });
    std::unique_lock guard{closing.mutex};
    closing.changed.wait(guard, [this] { return closing.parts_gone == parts.size(); });
  }

  http_server_options options;
  io_threads& threads;
  std::shared_ptr<reply_hub> hub;
  std::shared_ptr<http_replies> replies;
  http_shared shared;
  http_closing closing;
  std::vector<std::unique_ptr<http_io_part>> parts;
  bool stopped = false;
};

/// One socket for each thread. With SO_REUSEPORT a second process of the same user could join silently and take a part
/// of the connections, so a socket without it is tried first.
result<std::string> http_server::implementation::listen(listener which) {
  const auto& text = options.listen[static_cast<std::size_t>(which)];
  const auto where = resolve(threads.context(0), text);
  if (!where)
    return where.error();
  constexpr int tries = 5; // another process may take a free port between the probe and the real thing
  for (int i = 0;; ++i) {
    auto probe = bind(threads.context(0), *where, false, text);
    if (!probe)
      return probe.error();
    const auto taken = probe->local_endpoint();
    probe->close();
    std::vector<http_io_part::acceptor> acceptors;
    problem last;
    for (const auto& part : parts) {
      auto one = bind(part->context(), taken, true, text);
      if (!one) {
        last = one.error();
        break;
      }
      acceptors.push_back(std::move(*one));
    }
    if (acceptors.size() == parts.size()) {
      for (std::size_t k = 0; k < parts.size(); ++k)
        parts[k]->add_acceptor(which, std::move(acceptors[k]));
      return to_text(taken);
    }
    if (where->port() != 0 || i + 1 == tries)
      return last;
  }
}

http_server::http_server(http_server_options options, io_threads& threads, metrics& counts)
    : self_(std::make_unique<implementation>(std::move(options), threads, counts)) {}

http_server::~http_server() {
  stop(milliseconds{0});
}

result<std::array<std::string, listener_count>> http_server::listen() {
  std::array<std::string, listener_count> out;
  for (const auto which : {listener::public_, listener::operator_}) {
    auto address = self_->listen(which);
    if (!address)
      return address.error();
    out[static_cast<std::size_t>(which)] = std::move(*address);
  }
  return out;
}

void http_server::use_tls(listener which, std::shared_ptr<const tls_server> how) {
  if (self_->threads.running())
    return self_->on_each([which, how](http_io_part& part) { part.use_tls(which, how); });
  for (const auto& part : self_->parts)
    part->use_tls(which, how);
}

void http_server::start(http_handler& public_routes, http_handler& operator_routes) {
  const std::array<http_handler*, listener_count> handlers{&public_routes, &operator_routes};
  self_->on_each([handlers](http_io_part& part) { part.start(handlers); });
}

void http_server::linger() noexcept {
  self_->shared.lingering.store(true, std::memory_order_relaxed);
}

void http_server::close(listener which, milliseconds patience) {
  self_->close(which, patience);
}

void http_server::stop(milliseconds patience) {
  self_->stop(patience);
}

const std::shared_ptr<http_replies>& http_server::replies() const noexcept {
  return self_->replies;
}

} // namespace postrider
