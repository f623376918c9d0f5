#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;

namespace postrider::test {

/// One accepted connection, in the hands of the test's script. Blocking; every wait ends after 10 s.
class peer {
public:
  explicit peer(int fd) : fd_(fd) {}
  ~peer();
  peer(const peer&) = delete;
  peer& operator=(const peer&) = delete;

  bool start_tls(SSL_CTX* context); ///< false: the handshake failed
  [[nodiscard]] bool resumed() const;
  [[nodiscard]] SSL* ssl() const noexcept { return ssl_; }

  /// A whole request, head and body by its content-length; empty when the client has closed.
  std::string read_request();
  /// Some bytes, at most `most`; empty when the client has closed.
  std::string read_some(std::size_t most);
  bool send(std::string_view bytes);                  ///< false: the client is gone
  void wait_for_close();                              ///< reads and drops until the client closes
  bool closed_within(std::chrono::milliseconds most); ///< whether the client closes; reads nothing
  void close();                                       ///< with FIN, over TLS after a close_notify
  void drain();      ///< ends our side, then reads the socket itself until the client closes
  void close_bare(); ///< with FIN alone
  void reset();      ///< with RST
  void shut_down();  ///< ends every wait; from another thread

private:
  int fd_;
  std::mutex closing_; // the server ends while a script closes
  SSL* ssl_ = nullptr;
  std::string unread_;
};

/// A server on a free loopback port; each connection runs the script on a thread of its own.
class loopback_server {
public:
  using script = std::function<void(peer&)>;
  explicit loopback_server(script what);
  ~loopback_server(); ///< shuts the connections down, waits for the scripts

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] std::string url(std::string_view path = "/hook") const;
  [[nodiscard]] int accepted() const noexcept { return accepted_.load(); }

private:
  void accept_all();

  script script_;
  std::uint16_t port_ = 0; // before listener_, which sets it
  int listener_ = -1;
  std::atomic<int> accepted_{0};
  std::mutex mutex_;
  bool ending_ = false;
  std::list<std::shared_ptr<peer>> peers_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

/// Answers every request alike, for as long as the client keeps the connection.
loopback_server::script answer_with(std::string response);
/// `HTTP/1.1 200 OK` with a body of two bytes.
std::string ok_response();
/// The value of a header of a request as read, or "(none)".
std::string header_of(std::string_view request, std::string_view name);
std::string body_of(std::string_view request);

/// A port of 127.0.0.1 on which nothing listens.
std::uint16_t refused_port();

} // namespace postrider::test
