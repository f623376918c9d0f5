#include "tests/net/loopback_server.hpp"

#include <arpa/inet.h>
#include <array>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace postrider::test {
namespace {

int listen_on_loopback(std::uint16_t& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(fd, 512) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("cannot listen on loopback");
  port = ntohs(address.sin_port);
  return fd;
}

} // namespace

peer::~peer() {
  close();
}

bool peer::start_tls(SSL_CTX* context) {
  ssl_ = SSL_new(context);
  SSL_set_fd(ssl_, fd_);
  const bool done = SSL_accept(ssl_) == 1;
  ERR_clear_error();
  return done;
}

bool peer::resumed() const {
  return ssl_ != nullptr && SSL_session_reused(ssl_) == 1;
}

std::string peer::read_some(std::size_t most) {
  if (!unread_.empty()) {
    auto out = unread_.substr(0, most);
    unread_.erase(0, out.size());
    return out;
  }
  std::string out(most, '\0');
  const auto got =
    ssl_ != nullptr ? SSL_read(ssl_, out.data(), static_cast<int>(most)) : ::recv(fd_, out.data(), most, 0);
  out.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return out;
}

std::string peer::read_request() {
  std::string out;
  std::size_t whole = 0;
  while (whole == 0 || out.size() < whole) {
    const auto more = read_some(65536);
    if (more.empty())
      return {};
    out += more;
    const auto end = out.find("\r\n\r\n");
    if (whole == 0 && end != std::string::npos)
      whole = end + 4 + std::stoul(header_of(out, "content-length"));
  }
  unread_ = out.substr(whole);
  out.resize(whole);
  return out;
}

bool peer::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ssl_ != nullptr ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                                      : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0)
      return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void peer::wait_for_close() {
  while (!read_some(65536).empty()) {
  }
}

bool peer::closed_within(std::chrono::milliseconds most) {
  pollfd one{.fd = fd_, .events = POLLRDHUP, .revents = 0};
  return ::poll(&one, 1, static_cast<int>(most.count())) != 0;
}

void peer::drain() {
  ::shutdown(fd_, SHUT_WR);
  std::array<char, 4096> dropped{};
  while (::recv(fd_, dropped.data(), dropped.size(), 0) > 0) {
  }
}

void peer::close_bare() {
  ::shutdown(fd_, SHUT_WR);
  if (ssl_ != nullptr)
    SSL_set_quiet_shutdown(ssl_, 1);
  close();
}

void peer::close() {
  if (ssl_ != nullptr) {
    SSL_shutdown(ssl_);
    SSL_free(std::exchange(ssl_, nullptr));
    ERR_clear_error();
  }
  const std::lock_guard lock{closing_};
  if (fd_ >= 0)
    ::close(std::exchange(fd_, -1));
}

void peer::reset() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

void peer::shut_down() {
  const std::lock_guard lock{closing_};
  if (fd_ >= 0)
    ::shutdown(fd_, SHUT_RDWR);
}

loopback_server::loopback_server(script what)
    : script_(std::move(what)), listener_(listen_on_loopback(port_)), acceptor_([this] { accept_all(); }) {}

loopback_server::~loopback_server() {
  {
    const std::lock_guard lock{mutex_};
    ending_ = true;
    for (const auto& each : peers_)
      each->shut_down();
  }
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  for (auto& each : threads_)
    each.join();
  ::close(listener_);
}

std::string loopback_server::url(std::string_view path) const {
  return "http://127.0.0.1:" + std::to_string(port_) + std::string{path};
}

void loopback_server::accept_all() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0)
      return;
    const timeval wait_max{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait_max, sizeof wait_max);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait_max, sizeof wait_max);
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto one = std::make_shared<peer>(fd);
    const std::lock_guard lock{mutex_};
    if (ending_)
      return;
    ++accepted_;
    const auto at = peers_.insert(peers_.end(), one);
    threads_.emplace_back([this, one, at] {
      sigset_t broken_pipe; // OpenSSL writes without MSG_NOSIGNAL
      sigemptyset(&broken_pipe);
      sigaddset(&broken_pipe, SIGPIPE);
      pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
      script_(*one);
      const std::lock_guard done{mutex_}; // the descriptor must not be shut down once it is closed
      peers_.erase(at);
      one->close();
    });
  }
}

loopback_server::script answer_with(std::string response) {
  return [response = std::move(response)](peer& client) {
    while (!client.read_request().empty() && client.send(response)) {
    }
  };
}

std::string ok_response() {
  return "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
}

std::string header_of(std::string_view request, std::string_view name) {
  const auto end = request.find("\r\n\r\n");
  std::size_t at = request.find("\r\n");
  while (at != std::string_view::npos && at < end) {
    at += 2;
    const auto line_end = request.find("\r\n", at);
    const auto line = request.substr(at, line_end - at);
    const auto same = [](char left, char right) { return std::tolower(left) == std::tolower(right); };
    if (line.size() > name.size() && line[name.size()] == ':' &&
        std::equal(name.begin(), name.end(), line.begin(), same))
      return std::string{line.substr(std::min(line.find_first_not_of(' ', name.size() + 1), line.size()))};
    at = line_end;
  }
  return "(none)";
}

std::string body_of(std::string_view request) {
  return std::string{request.substr(request.find("\r\n\r\n") + 4)};
}

std::uint16_t refused_port() {
  std::uint16_t port = 0;
  ::close(listen_on_loopback(port));
  return port;
}

} // namespace postrider::test
