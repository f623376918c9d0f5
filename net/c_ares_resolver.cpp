#include "net/resolver.hpp"

#include "core/time.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <unordered_map>
#include <utility>

#include <ares.h>
#include <netinet/in.h>

namespace postrider {
namespace {

namespace asio = boost::asio;

constexpr std::size_t cache_max = 1024;
constexpr std::chrono::seconds keep_max{60};
constexpr std::chrono::seconds keep_min{1}; // also for /etc/hosts, which has no time to live
constexpr milliseconds poll_every{100};     // how exactly c-ares's own time-outs are seen to

/// The library's own tables, once for the process.
int initialize_library() {
  static const int status = ares_library_init(ARES_LIB_INIT_ALL);
  return status;
}

class c_ares_resolver final : public resolver {
public:
  c_ares_resolver(asio::io_context& context, const dns_settings& settings)
      : context_(context), state_(std::make_shared<state>(context)) {
    ares_options options{};
    options.timeout = static_cast<int>(settings.timeout.count());
    options.tries = settings.rounds;
    options.sock_state_cb = [](void* self, ares_socket_t fd, int readable, int writable) {
      static_cast<c_ares_resolver*>(self)->watch(fd, readable != 0, writable != 0);
    };
    options.sock_state_cb_data = this;
    ares_channel channel = nullptr;
    if (initialize_library() == ARES_SUCCESS &&
        ares_init_options(&channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB) ==
          ARES_SUCCESS)
      state_->channel = channel;
    if (channel == nullptr ||
        (!settings.servers.empty() && ares_set_servers_ports_csv(channel, settings.servers.c_str()) != ARES_SUCCESS))
      spdlog::error("the resolver does not start as configured: names will not be found");
  }

  ~c_ares_resolver() override {
    waiting_.clear(); // callers are not told any more
    state_->timer.cancel();
    auto* const channel = std::exchange(state_->channel, nullptr);
    if (channel != nullptr)
      ares_destroy(channel); // calls back what is open, and closes its sockets, which empties state_->sockets
  }

  void resolve(const std::string& host, callback done) override {
    const auto now = mono_time::clock::now();
    if (const auto cached = cache_.find(host); cached != cache_.end() && now < cached->second.until)
      return done(cached->second.answer);
    if (state_->channel == nullptr)
      return done({.failure = attempt_reason::dns_failed});
    auto& callers = waiting_[host];
    callers.push_back(std::move(done));
    if (callers.size() > 1)
      return; // the answer is on its way
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    ares_getaddrinfo(
      state_->channel, host.c_str(), nullptr, &hints,
      [](void* query, int status, int, ares_addrinfo* found) {
        const std::unique_ptr<question> asked{static_cast<question*>(query)};
        asked->self->answered(asked->host, status, found);
        if (found != nullptr)
          ares_freeaddrinfo(found);
      },
      new question{this, host});
    poll();
  }

private:
  struct question {
    c_ares_resolver* self;
    std::string host;
  };
  struct kept_answer {
    resolution answer;
    mono_time until;
  };
  struct watched {
    explicit watched(asio::io_context& context, ares_socket_t fd) : descriptor(context, fd) {}
    asio::posix::stream_descriptor descriptor;
    bool readable = false; ///< c-ares wants to know
    bool writable = false;
    bool waits_readable = false;
    bool waits_writable = false;
  };
  /// What the handlers hold, so that one that runs late finds no channel instead of no resolver.
  struct state {
    explicit state(asio::io_context& context) : timer(context) {}
    ares_channel channel = nullptr;
    asio::steady_timer timer;
    bool polling = false;
    std::unordered_map<ares_socket_t, std::shared_ptr<watched>> sockets;
  };

  void watch(ares_socket_t fd, bool readable, bool writable) {
    auto& one = state_->sockets[fd];
    if (!readable && !writable) { // c-ares is about to close it
      if (one)
        one->descriptor.release();
      state_->sockets.erase(fd);
      return;
    }
    if (!one)
      one = std::make_shared<watched>(context_, fd);
    one->readable = readable;
    one->writable = writable;
    wait_for(state_, one, fd);
    wait_for(state_, one, fd);
  }

  static void wait_for(const std::shared_ptr<state>& shared, const std::shared_ptr<watched>& one, ares_socket_t fd) {
    using descriptor = asio::posix::stream_descriptor;
    const auto wait = [&](bool wanted, bool watched::*waits, descriptor::wait_type what, bool reads) {
      if (!wanted || std::exchange((*one).*waits, true))
        return;
      one->descriptor.async_wait(what, [shared, one, fd, waits, reads](const boost::system::error_code& error) {
        (*one).*waits = false;
        if (error || shared->channel == nullptr)
          return;
        ares_process_fd(shared->channel, reads ? fd : ARES_SOCKET_BAD, reads ? ARES_SOCKET_BAD : fd);
        const auto still = shared->sockets.find(fd);
        if (still != shared->sockets.end() && still->second == one)
          wait_for(shared, one, fd);
      });
    };
    wait(one->readable, &watched::waits_readable, descriptor::wait_read, true);
    wait(one->writable, &watched::waits_writable, descriptor::wait_write, false);
  }

  /// c-ares's time-outs need a nudge while queries are open.
  void poll() {
    if (waiting_.empty() || std::exchange(state_->polling, true))
      return;
    state_->timer.expires_after(poll_every);
    state_->timer.async_wait([this, shared = state_](const boost::system::error_code& error) {
      if (error || shared->channel == nullptr)
        return; // in the latter case `this` is gone
      shared->polling = false;
      ares_process_fd(shared->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
      poll();
    });
  }

  void answered(const std::string& host, int status, const ares_addrinfo* found) {
    const auto callers = waiting_.extract(host);
    if (callers.empty())
      return; // the resolver is being destroyed
    resolution answer;
    auto keep_for = keep_max;
    if (status == ARES_SUCCESS)
      keep_for = take_addresses(found, answer);
    if (answer.addresses.empty())
      answer.failure = status == ARES_ETIMEOUT ? attempt_reason::dns_timeout : attempt_reason::dns_failed;
    else
      remember(host, answer, keep_for);
    for (const auto& done : callers.mapped())
      done(answer);
  }

  static std::chrono::seconds take_addresses(const ares_addrinfo* found, resolution& out) {
    auto keep_for = keep_max;
    for (const auto* node = found->nodes; node != nullptr; node = node->ai_next) {
      ip_address address;
      if (node->ai_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, node->ai_addr, sizeof v4);
        std::memcpy(address.bytes.data(), &v4.sin_addr, 4);
      } else if (node->ai_family == AF_INET6) {
        sockaddr_in6 v6{};
        std::memcpy(&v6, node->ai_addr, sizeof v6);
        std::memcpy(address.bytes.data(), &v6.sin6_addr, 16);
        address.v6 = true;
      } else {
        continue;
      }
      out.addresses.push_back(address);
      keep_for = std::clamp(std::chrono::seconds{node->ai_ttl}, keep_min, keep_for);
    }
    return keep_for;
  }

  void remember(const std::string& host, const resolution& answer, std::chrono::seconds keep_for) {
    const auto now = mono_time::clock::now();
    if (cache_.size() >= cache_max)
      std::erase_if(cache_, [now](const auto& each) { return each.second.until <= now; });
    if (cache_.size() >= cache_max)
      cache_.erase(cache_.begin()); // any: all of them are still good
    cache_.insert_or_assign(host, kept_answer{answer, now + keep_for});
  }

  asio::io_context& context_;
  std::shared_ptr<state> state_;
  std::unordered_map<std::string, std::vector<callback>> waiting_;
  std::unordered_map<std::string, kept_answer> cache_;
};

} // namespace

resolver_factory c_ares_resolvers(dns_settings settings) {
  return [settings = std::move(settings)](asio::io_context& context) {
    return std::make_unique<c_ares_resolver>(context, settings);
  };
}

} // namespace postrider
