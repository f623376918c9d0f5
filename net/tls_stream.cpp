#include "net/client_stream.hpp"
#include "net/tls_channel.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace postrider {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

/// The server's certificates, its list of authorities that it takes, and the rest; more than this is no handshake.
constexpr std::size_t handshake_max = 128 * 1024;

class tls_stream final : public client_stream {
  using state = tls_channel::state;

public:
  tls_stream(asio::io_context& context, ssl_ptr ssl)
      : client_stream(context), context_(context), channel_(std::move(ssl), handshake_max) {}

  void handshake(std::shared_ptr<stream_observer> observer) override {
    if (!channel_.attach(socket_.native_handle()))
      return observer->handshaken(attempt_reason::tls_handshake);
    go_on_handshake(std::move(observer));
  }

  write_state write(std::string_view head, std::string_view body, std::shared_ptr<stream_observer> observer) override {
    // One record for a usual request: the copy costs less than a second record and a second system call.
    const auto joined = std::min(body.size(), record_max - std::min(record_max, head.size()));
    joined_.assign(head).append(body.substr(0, joined));
    first_ = joined_;
    rest_ = body.substr(joined);
    return go_on_write(std::move(observer), false);
  }

  void receive(std::span<char> space, std::shared_ptr<stream_observer> observer) override {
    // Bytes may wait inside of OpenSSL, where the socket does not show them.
    if (channel_.has_pending())
      return asio::post(context_,
                        [this, space, kept = std::move(observer)]() mutable { go_on_receive(space, std::move(kept)); });
    wait(state::wants_read, std::move(observer),
         [this, space](std::shared_ptr<stream_observer> kept) { go_on_receive(space, std::move(kept)); });
  }

  [[nodiscard]] bool quiet() noexcept override {
    // Reads what TLS itself may have sent since (session tickets); anything else is a reason not to use it.
    char byte = 0;
    return channel_.read({&byte, 1}).what == state::wants_read;
  }

  [[nodiscard]] bool refused_by_peer() const noexcept override { return channel_.refused_by_peer(); }

  void close() noexcept override {
    if (!socket_.is_open())
      return;
    channel_.say_goodbye();            // without it OpenSSL marks the session as not resumable
    boost::system::error_code ignored; // the descriptor is gone either way
    socket_.close(ignored);
  }

private:
  static constexpr std::size_t record_max = 16 * 1024; // RFC 8446 section 5.1

  static bool is_wait(state what) noexcept { return what == state::wants_read || what == state::wants_write; }

  template <class Continue>
  void wait(state what, std::shared_ptr<stream_observer> observer, Continue go_on) {
    const auto event = what == state::wants_read ? tcp::socket::wait_read : tcp::socket::wait_write;
    socket_.async_wait(event, [this, go_on, kept = std::move(observer)](const boost::system::error_code&) mutable {
      if (socket_.is_open()) // else: closed meanwhile, and reported
        go_on(std::move(kept));
    });
  }

  void go_on_handshake(std::shared_ptr<stream_observer> observer) {
    const auto what = channel_.handshake();
    if (what == state::done)
      return observer->handshaken(attempt_reason::none);
    if (is_wait(what))
      return wait(what, std::move(observer),
                  [this](std::shared_ptr<stream_observer> kept) { go_on_handshake(std::move(kept)); });
    observer->handshaken(channel_.distrusts_peer() ? attempt_reason::tls_certificate : attempt_reason::tls_handshake);
  }

  write_state go_on_write(std::shared_ptr<stream_observer> observer, bool tell) {
    while (!first_.empty() || !rest_.empty()) {
      auto& part = first_.empty() ? rest_ : first_;
      const auto sent = channel_.write(part);
      if (sent.what == state::done) {
        part.remove_prefix(sent.count);
        continue;
      }
      if (is_wait(sent.what)) {
        wait(sent.what, std::move(observer),
             [this](std::shared_ptr<stream_observer> kept) { go_on_write(std::move(kept), true); });
        return write_state::pending;
      }
      if (tell)
        observer->written(false);
      return write_state::broken;
    }
    std::string{}.swap(joined_); // an idle connection keeps none of it
    if (tell)
      observer->written(true);
    return write_state::whole;
  }

  void go_on_receive(std::span<char> space, std::shared_ptr<stream_observer> observer) {
    if (!socket_.is_open())
      return;
    const auto got = channel_.read(space);
    if (is_wait(got.what))
      return wait(got.what, std::move(observer),
                  [this, space](std::shared_ptr<stream_observer> kept) { go_on_receive(space, std::move(kept)); });
    observer->received(got.what == state::done ? got.count : 0);
  }

  asio::io_context& context_;
  tls_channel channel_;
  std::string joined_;
  std::string_view first_; ///< of joined_, not written yet
  std::string_view rest_;  ///< of the body, likewise
};

} // namespace

std::unique_ptr<client_stream> make_tls_stream(asio::io_context& context, ssl_ptr ssl) {
  return std::make_unique<tls_stream>(context, std::move(ssl));
}

} // namespace postrider
