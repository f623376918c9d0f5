#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

/// Sockets and HTTP/1.1 by hand for the programs that measure: they share the machine with what they measure, so each
/// of their requests must cost as little as it can. Not a general client or server: bodies are framed by
/// Content-Length only, and the peer is trusted.
namespace postrider::bench {

/// Owns one file descriptor.
class descriptor {
public:
  descriptor() = default;
  explicit descriptor(int value) : value_(value) {}
  descriptor(descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() { reset(); }

  int get() const { return value_; }
  explicit operator bool() const { return value_ >= 0; }
  void reset() {
    if (value_ >= 0)
      ::close(value_);
    value_ = -1;
  }

private:
  int value_ = -1;
};

/// Throws `std::system_error` with `errno` where `result` says that a call failed.
inline int checked(int result, const char* call) {
  if (result < 0)
    throw std::system_error(errno, std::generic_category(), call);
  return result;
}

/// An IPv4 address and port, as in `127.0.0.1:8080`.
struct address {
  std::string text;
  sockaddr_in socket{};
};

/// Throws `std::invalid_argument` where `text` is not `A.B.C.D:PORT`.
inline address parse_address(const std::string& text) {
  address out{.text = text};
  const auto colon = text.rfind(':');
  std::uint16_t port = 0;
  if (colon == std::string::npos)
    throw std::invalid_argument("not HOST:PORT: " + text);
  const char* last = text.data() + text.size();
  const auto read = std::from_chars(text.data() + colon + 1, last, port);
  out.socket.sin_family = AF_INET;
  out.socket.sin_port = htons(port);
  if (read.ec != std::errc{} || read.ptr != last ||
      ::inet_pton(AF_INET, text.substr(0, colon).c_str(), &out.socket.sin_addr) != 1)
    throw std::invalid_argument("not an IPv4 address and port: " + text);
  return out;
}

inline void make_prompt_and_non_blocking(int socket) {
  const int on = 1;
  checked(::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
  checked(::fcntl(socket, F_SETFL, O_NONBLOCK), "O_NONBLOCK");
}

/// A connected, non-blocking socket; nothing where the peer refuses or does not answer within a second.
inline descriptor connect_to(const address& peer) {
  descriptor out{checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")};
  const timeval patience{.tv_sec = 1, .tv_usec = 0};
  checked(::setsockopt(out.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience), "SO_SNDTIMEO");
  if (::connect(out.get(), reinterpret_cast<const sockaddr*>(&peer.socket), sizeof peer.socket) < 0)
    return {};
  make_prompt_and_non_blocking(out.get());
  return out;
}

/// The frame of one HTTP message: sizes in bytes.
struct frame {
  std::size_t head = 0; ///< start line and headers, with the empty line
  std::size_t body = 0;
  bool close = false;   ///< the sender will close the connection
  bool chunked = false; ///< framed in a way that these programs do not read
  std::size_t size() const { return head + body; }
};

/// The value of the header line `line` if its name is `name`, without surrounding blanks.
inline std::optional<std::string_view> header_in_line(std::string_view line, std::string_view name) {
  if (line.size() <= name.size() || line[name.size()] != ':' ||
      ::strncasecmp(line.data(), name.data(), name.size()) != 0)
    return std::nullopt;
  line.remove_prefix(name.size() + 1);
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t'))
    line.remove_prefix(1);
  while (!line.empty() && (line.back() == ' ' || line.back() == '\t'))
    line.remove_suffix(1);
  return line;
}

/// Calls `visit` with each header line of `head` until it returns true.
template <class Visitor>
void for_each_header_line(std::string_view head, Visitor visit) {
  for (auto at = head.find('\n') + 1; at + 2 < head.size();) {
    const auto end = head.find('\r', at);
    if (end == std::string_view::npos || visit(head.substr(at, end - at)))
      return;
    at = end + 2;
  }
}

inline std::optional<std::string_view> find_header(std::string_view head, std::string_view name) {
  std::optional<std::string_view> out;
  for_each_header_line(head, [&](std::string_view line) {
    out = header_in_line(line, name);
    return out.has_value();
  });
  return out;
}

/// The frame of the message that `bytes` begin with; nothing while its head is incomplete.
inline std::optional<frame> read_frame(std::string_view bytes) {
  const auto end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos)
    return std::nullopt;
  frame out{.head = end + 4};
  for_each_header_line(bytes.substr(0, out.head), [&](std::string_view line) {
    // All three names of interest begin with c or t: most lines end here.
    const char first = static_cast<char>(line.empty() ? 0 : line.front() | 0x20);
    if (first != 'c' && first != 't')
      return false;
    if (const auto length = header_in_line(line, "content-length"))
      std::from_chars(length->data(), length->data() + length->size(), out.body);
    else if (const auto connection = header_in_line(line, "connection"))
      out.close = connection->size() == 5 && ::strncasecmp(connection->data(), "close", 5) == 0;
    else if (header_in_line(line, "transfer-encoding"))
      out.chunked = true;
    return false;
  });
  return out;
}

} // namespace postrider::bench
