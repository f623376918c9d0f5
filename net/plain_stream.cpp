#include "net/client_stream.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <cerrno>
#include <utility>

#include <sys/socket.h>

namespace postrider {
namespace {

namespace asio = boost::asio;

class plain_stream final : public client_stream {
public:
  using client_stream::client_stream;

  void handshake(std::shared_ptr<stream_observer> observer) override { observer->handshaken(attempt_reason::none); }

  write_state write(std::string_view head, std::string_view body, std::shared_ptr<stream_observer> observer) override {
    // Nearly every request fits into the socket's buffer: sent here and now, it costs one system call and no
    // completion.
    boost::system::error_code error;
    const std::array<asio::const_buffer, 2> both{asio::buffer(head), asio::buffer(body)};
    const std::size_t sent = socket_.send(both, 0, error);
    if (error && error != asio::error::would_block && error != asio::error::try_again)
      return write_state::broken;
    if (sent == head.size() + body.size())
      return write_state::whole;
    const std::array<asio::const_buffer, 2> rest{asio::buffer(head) + sent,
                                                 asio::buffer(body) + (sent > head.size() ? sent - head.size() : 0)};
    asio::async_write(
      socket_, rest,
      [kept = std::move(observer)](const boost::system::error_code& failed, std::size_t) { kept->written(!failed); });
    return write_state::pending;
  }

  void receive(std::span<char> space, std::shared_ptr<stream_observer> observer) override {
    socket_.async_receive(asio::buffer(space.data(), space.size()),
                          [kept = std::move(observer)](const boost::system::error_code& failed, std::size_t count) {
                            kept->received(failed ? 0 : count);
                          });
  }

  [[nodiscard]] bool quiet() noexcept override {
    char byte = 0;
    return ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
  }

  void close() noexcept override {
    boost::system::error_code ignored; // the descriptor is gone either way
    socket_.close(ignored);
  }
};

} // namespace

std::unique_ptr<client_stream> make_plain_stream(boost::asio::io_context& context) {
  return std::make_unique<plain_stream>(context);
}

} // namespace postrider
