#pragma once

#include "core/outcome.hpp"
#include "net/tls_client.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace postrider {

/// Who is told of a stream's progress: the connection that owns it. Kept alive by each operation that is under way.
class stream_observer {
public:
  virtual ~stream_observer() = default;
  virtual void handshaken(attempt_reason failure) = 0; ///< none, tls_handshake or tls_certificate
  virtual void written(bool whole) = 0;                ///< false: the connection broke
  /// `count` 0: the peer closed, or the connection broke. Whichever it was, no more will come.
  virtual void received(std::size_t count) = 0;
};

/// The bytes of one connection to an endpoint: TCP, or TLS over it. One io thread; at most one write and one receive at
/// a time. After close() an observer may still be called once by an operation that had already ended.
class client_stream {
public:
  explicit client_stream(boost::asio::io_context& context) : socket_(context) {}
  virtual ~client_stream() = default;
  client_stream(const client_stream&) = delete;
  client_stream& operator=(const client_stream&) = delete;

  [[nodiscard]] boost::asio::ip::tcp::socket& socket() noexcept { return socket_; }

  /// Once, after the socket is connected.
  virtual void handshake(std::shared_ptr<stream_observer> observer) = 0;

  enum class write_state : std::uint8_t { whole, pending, broken };
  /// Sends both; they must stay where they are until it is done. `written` is called only where `pending` is returned.
  virtual write_state write(std::string_view head, std::string_view body,
                            std::shared_ptr<stream_observer> observer) = 0;

  /// `received` is never called from inside.
  virtual void receive(std::span<char> space, std::shared_ptr<stream_observer> observer) = 0;

  /// Whether the peer has neither closed nor sent anything since the last response: asked before each further request.
  [[nodiscard]] virtual bool quiet() noexcept = 0;
  /// After `received(0)`: it ended with the peer's alert that it does not want us (over TLS 1.3 a client certificate
  /// that is missing or not liked), before it had answered anything.
  [[nodiscard]] virtual bool refused_by_peer() const noexcept { return false; }
  virtual void close() noexcept = 0;

protected:
  boost::asio::ip::tcp::socket socket_;
};

std::unique_ptr<client_stream> make_plain_stream(boost::asio::io_context& context);
/// `ssl` as tls_client makes it.
std::unique_ptr<client_stream> make_tls_stream(boost::asio::io_context& context, ssl_ptr ssl);

} // namespace postrider
