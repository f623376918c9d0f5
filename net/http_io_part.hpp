#pragma once

#include "net/http_connection.hpp"
#include "net/http_server.hpp"
#include "net/tls_channel.hpp"
#include "net/tls_server.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <spdlog/spdlog.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

/// Internal to LISTENER; included by its .cpp files alone, for it brings Asio with it.
namespace postrider {

/// What the threads of one server tell the one that stops it.
struct http_closing {
  std::mutex mutex;
  std::condition_variable changed;
  std::array<std::atomic<std::size_t>, listener_count> open{}; ///< connections
  std::size_t parts_gone = 0;                                  ///< guarded by the mutex
};

/// The connections of one io thread. All members but the constructor and `add_acceptor` belong to that thread.
class http_io_part {
public:
  // The executor's own type, not any_io_executor: no virtual call and no reference count on each operation.
  using executor = boost::asio::io_context::executor_type;
  using socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, executor>;
  using acceptor = boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, executor>;

  http_io_part(boost::asio::io_context& context, std::uint32_t index, std::size_t parts, http_shared& shared,
               http_closing& closing);

  [[nodiscard]] boost::asio::io_context& context() noexcept { return context_; }
  void add_acceptor(listener which, acceptor ready); ///< before `start`
  /// Connections accepted from now on; none: without TLS.
  void use_tls(listener which, std::shared_ptr<const tls_server> how);

  void start(std::array<http_handler*, listener_count> handlers);
  void deliver(const std::vector<ingest_answer>& answers);
  void deliver(reply_address to, http_response&& response);
  void close_listener(listener which); ///< and the connections that are between two requests
  void close_connections(listener which);
  /// Ends everything; tells `closing` when the last operation has returned.
  void retire();

private:
  // Everything that touches `stream` or `tls` is in adopt, begin_read, write, finish and shut; those over TLS stand in
  // http_io_part_tls.cpp. A plain connection has no `tls`: what it pays for the other kind is one look at that pointer.
  struct slot {
    slot(http_shared& shared, std::uint32_t io, std::uint32_t index, const executor& on)
        : connection(shared, io, index), stream(on) {}
    http_connection connection;
    socket stream;
    std::unique_ptr<tls_channel> tls{}; ///< until our close_notify is sent; what comes then is only dropped
    listener owner = listener::public_;
    bool open = false;
    bool reading = false; ///< an operation that will call back
    bool writing = false;
  };
  struct entrance {
    std::unique_ptr<acceptor> socket{};
    http_handler* handler = nullptr;
    std::shared_ptr<const tls_server> tls{};
    std::size_t open = 0;
    std::size_t open_max = 0;
    bool accepting = false;
  };

  /// Stands in each handler, so that an operation is counted as ended also where the handler throws: `stop` waits for
  /// all of them.
  struct operation_end {
    explicit operation_end(http_io_part& of) noexcept : part(of) {}
    ~operation_end() { part.operation_ended(); }
    operation_end(const operation_end&) = delete;
    operation_end& operator=(const operation_end&) = delete;
    http_io_part& part;
  };

  /// Runs `work`; what it throws ends here, and with it the connection.
  template <class Work>
  void guarded(slot& one, Work work);
  [[nodiscard]] http_turn turn() const noexcept;
  template <class Answer>
  void give(reply_address to, Answer answer);
  void accept(listener which);
  void adopt(listener which, socket peer);
  void pump(slot& one);
  void begin_read(slot& one);
  bool write(slot& one);  ///< false: nothing more can be written now
  bool finish(slot& one); ///< false: not yet
  void begin_tls(slot& one, const tls_server& how);
  bool handshake(slot& one); ///< false: not yet
  void begin_tls_read(slot& one);
  void read_tls(slot& one);
  bool write_tls(slot& one);
  bool finish_tls(slot& one);
  bool await_tls(slot& one, tls_channel::state what); ///< false: there is nothing to wait for
  void tls_ready(slot& one, bool& waiting, const boost::system::error_code& error);
  void shut(slot& one);
  void release(slot& one);
  void operation_ended();
  void arm_tick();
  void tick();
  gauge& connections(listener which) noexcept;

  boost::asio::io_context& context_;
  std::uint32_t index_;
  http_shared& shared_;
  http_closing& closing_;
  std::array<entrance, listener_count> entrances_{};
  std::vector<std::unique_ptr<slot>> slots_; ///< stay where they are; an index stands for one
  std::vector<std::uint32_t> free_;
  boost::asio::basic_waitable_timer<std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>,
                                    executor>
    timer_;
  std::string date_;
  std::size_t operations_ = 0; ///< begun and not yet called back
  bool retiring_ = false;
  bool gone_ = false;
};

template <class Work>
void http_io_part::guarded(slot& one, Work work) {
  try {
    work();
  } catch (const std::exception& error) {
    spdlog::error("a connection is closed: {}", error.what());
    shut(one);
  }
}

} // namespace postrider
