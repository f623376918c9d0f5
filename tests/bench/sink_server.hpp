#pragma once

#include "tests/bench/id_set.hpp"
#include "tests/bench/webhook_check.hpp"
#include "tests/bench/wire.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace postrider::bench {

using sink_clock = std::chrono::steady_clock;

struct sink_options {
  address listen;
  std::vector<unsigned> statuses{200}; ///< answered in turn, for ever
  std::chrono::milliseconds delay{0};  ///< before each answer
  std::string hang_path{};             ///< requests whose path begins with it are never answered; empty: none
  bool distinct = false;               ///< count distinct ids
  std::string id_header = "webhook-id";
  std::optional<webhook_check> check{};
  sink_clock::time_point end_at{};
};

/// What the sink saw since its start. `total` = sum of `by_status` + `hung` + answers still delayed or lost.
struct sink_counts {
  std::uint64_t total = 0;
  std::uint64_t bytes = 0; ///< of bodies
  std::uint64_t duplicates = 0;
  std::uint64_t without_id = 0;
  std::uint64_t hung = 0;
  std::uint64_t malformed = 0;
  std::uint64_t verified = 0;
  std::uint64_t not_verified = 0;
  std::uint64_t other_paths = 0; ///< of paths beyond the first 10,000
  std::map<unsigned, std::uint64_t> by_status{};
};

/// A receiving endpoint on one thread: keep-alive HTTP/1.1, every POST counted and answered as the options say.
/// `GET /stats` answers the counts as JSON and is not counted itself.
class sink_server {
public:
  explicit sink_server(sink_options& options);

  std::uint16_t port() const;

  /// Serves until `options.end_at` or `interrupted`.
  void run(const std::atomic<bool>& interrupted);

  std::string stats_json() const;

private:
  struct connection {
    descriptor socket{};
    std::uint64_t number = 0; // never given twice
    std::string partial{};    // the beginning of a request that came in pieces
  };
  struct delayed_answer {
    sink_clock::time_point due;
    std::uint64_t number; // of the connection, which may be gone
    unsigned status;
  };

  void accept();
  void receive(connection& from);
  void handle(connection& from, std::string_view head, std::string_view body);
  void count(std::string_view path, std::string_view head, std::string_view body);
  void answer(connection& to, unsigned status);
  void send(connection& to, std::string_view bytes);
  void send_delayed(sink_clock::time_point now);
  const std::string& text_of(unsigned status);

  struct text_hash : std::hash<std::string_view> {
    using is_transparent = void;
  };

  static constexpr std::size_t request_size_max = 16 * 1024 * 1024;
  static constexpr std::size_t connections_max = 20'000;
  static constexpr std::size_t paths_max = 10'000;

  sink_options& options_;
  descriptor listener_;
  descriptor epoll_;
  std::unordered_map<std::uint64_t, std::unique_ptr<connection>> connections_;
  std::deque<delayed_answer> delayed_; // the delay is the same for all, so the first is due first
  std::uint64_t next_number_ = 1;
  std::size_t next_status_ = 0;
  std::map<unsigned, std::string> texts_;
  std::vector<char> buffer_ = std::vector<char>(256 * 1024);
  std::unordered_map<std::string, std::uint64_t, text_hash, std::equal_to<>> by_path_;
  std::string last_path_;
  std::uint64_t* last_path_count_ = nullptr;
  id_set ids_;
  sink_counts counts_;
};

inline sink_server::sink_server(sink_options& options) : options_(options) {
  listener_ = descriptor{checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket")};
  const int on = 1;
  checked(::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "SO_REUSEADDR");
  const auto& at = options.listen.socket;
  checked(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at), "bind");
  checked(::listen(listener_.get(), 1024), "listen");
  epoll_ = descriptor{checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")};
  epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
  checked(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listener_.get(), &event), "epoll_ctl");
}

inline std::uint16_t sink_server::port() const {
  sockaddr_in at{};
  socklen_t size = sizeof at;
  checked(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&at), &size), "getsockname");
  return ntohs(at.sin_port);
}

inline void sink_server::run(const std::atomic<bool>& interrupted) {
  std::array<epoll_event, 256> events{};
  while (!interrupted) {
    const auto now = sink_clock::now();
    if (now >= options_.end_at)
      return;
    send_delayed(now);
    auto until = std::min(options_.end_at, now + std::chrono::milliseconds{200});
    if (!delayed_.empty())
      until = std::min(until, delayed_.front().due);
    const auto wait = std::chrono::duration_cast<std::chrono::nanoseconds>(std::max(until - now, {})).count();
    const timespec limit{.tv_sec = wait / 1'000'000'000, .tv_nsec = wait % 1'000'000'000};
    const int ready = ::epoll_pwait2(epoll_.get(), events.data(), static_cast<int>(events.size()), &limit, nullptr);
    for (int i = 0; i < ready; ++i)
      if (auto* from = static_cast<connection*>(events[static_cast<std::size_t>(i)].data.ptr))
        receive(*from);
      else
        accept();
  }
}

inline void sink_server::accept() {
  descriptor socket{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  if (!socket || connections_.size() >= connections_max)
    return;
  make_prompt_and_non_blocking(socket.get());
  auto made = std::make_unique<connection>();
  made->socket = std::move(socket);
  made->number = next_number_++;
  epoll_event event{.events = EPOLLIN, .data = {.ptr = made.get()}};
  checked(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, made->socket.get(), &event), "epoll_ctl");
  connections_.emplace(made->number, std::move(made));
}

inline void sink_server::receive(connection& from) {
  const auto number = from.number;
  const auto got = ::recv(from.socket.get(), buffer_.data(), buffer_.size(), 0);
  if (got < 0 && errno == EAGAIN)
    return;
  std::string_view bytes{buffer_.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
  const bool in_pieces = !from.partial.empty();
  if (in_pieces)
    bytes = from.partial.append(bytes);
  bool close = got <= 0 || bytes.size() > request_size_max;
  while (!close && !bytes.empty()) {
    const auto request = read_frame(bytes);
    if (!request || (!request->chunked && bytes.size() < request->size()))
      break;
    if (request->chunked) {
      ++counts_.malformed;
      close = true;
    } else {
      handle(from, bytes.substr(0, request->head), bytes.substr(request->head, request->body));
      bytes.remove_prefix(request->size());
      close = request->close || !from.socket;
    }
  }
  if (close)
    connections_.erase(number); // a delayed answer to it finds nobody
  else if (in_pieces)
    from.partial.erase(0, from.partial.size() - bytes.size());
  else
    from.partial.assign(bytes);
}

inline void sink_server::handle(connection& from, std::string_view head, std::string_view body) {
  const auto line = head.substr(0, head.find('\r'));
  const auto method_end = std::min(line.find(' '), line.size());
  const auto rest = line.substr(std::min(method_end + 1, line.size()));
  const auto path = rest.substr(0, rest.find(' '));
  if (line.starts_with("GET ")) {
    const auto json = path == "/stats" ? stats_json() : std::string{"{}"};
    return send(from, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
                        std::to_string(json.size()) + "\r\n\r\n" + json);
  }
  count(path, head, body);
  if (!options_.hang_path.empty() && path.starts_with(options_.hang_path)) {
    ++counts_.hung;
    return;
  }
  const unsigned status = options_.statuses[next_status_];
  next_status_ = next_status_ + 1 == options_.statuses.size() ? 0 : next_status_ + 1;
  if (options_.delay.count() > 0)
    delayed_.push_back({sink_clock::now() + options_.delay, from.number, status});
  else
    answer(from, status);
}

inline void sink_server::count(std::string_view path, std::string_view head, std::string_view body) {
  ++counts_.total;
  counts_.bytes += body.size();
  if (last_path_count_ == nullptr || path != last_path_) {
    auto known = by_path_.find(path);
    if (known == by_path_.end() && by_path_.size() < paths_max)
      known = by_path_.emplace(path, 0).first;
    last_path_count_ = known == by_path_.end() ? &counts_.other_paths : &known->second; // values of a map stay in place
    last_path_ = path;
  }
  ++*last_path_count_;
  if (options_.distinct) {
    if (const auto id = find_header(head, options_.id_header))
      counts_.duplicates += !ids_.insert(*id);
    else
      ++counts_.without_id;
  }
  if (options_.check)
    ++((*options_.check)(head, body) ? counts_.verified : counts_.not_verified);
}

inline const std::string& sink_server::text_of(unsigned status) {
  auto& text = texts_[status];
  if (text.empty())
    text =
      "HTTP/1.1 " + std::to_string(status) + (status < 300 ? " OK" : " Scripted") + "\r\nContent-Length: 0\r\n\r\n";
  return text;
}

inline void sink_server::answer(connection& to, unsigned status) {
  ++counts_.by_status[status];
  send(to, text_of(status));
}

// A peer that does not take an answer at once is not worth a queue: its connection ends.
inline void sink_server::send(connection& to, std::string_view bytes) {
  const auto sent = ::send(to.socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(bytes.size()))
    to.socket.reset();
}

inline void sink_server::send_delayed(sink_clock::time_point now) {
  for (; !delayed_.empty() && delayed_.front().due <= now; delayed_.pop_front()) {
    const auto found = connections_.find(delayed_.front().number);
    if (found == connections_.end())
      continue;
    answer(*found->second, delayed_.front().status);
    if (!found->second->socket)
      connections_.erase(found);
  }
}

inline std::string sink_server::stats_json() const {
  std::string out;
  const auto member = [&](std::string_view name, std::uint64_t value) {
    out.append(out.empty() || out.back() == '{' ? "\"" : ",\"")
      .append(name)
      .append("\":")
      .append(std::to_string(value));
  };
  member("total", counts_.total);
  if (options_.distinct) {
    member("distinct", ids_.size());
    member("duplicates", counts_.duplicates);
    member("without_id", counts_.without_id);
    out += ids_.full() ? ",\"distinct_is_full\":true" : "";
  }
  if (options_.check) {
    member("verified", counts_.verified);
    member("not_verified", counts_.not_verified);
  }
  member("bytes", counts_.bytes);
  member("hung", counts_.hung);
  member("malformed", counts_.malformed);
  member("connections", connections_.size());
  out += ",\"by_status\":{";
  for (const auto& [status, number] : counts_.by_status)
    member(std::to_string(status), number);
  out += "},\"by_path\":{";
  for (const auto& [path, number] : by_path_) {
    std::string name;
    for (const char c : path)
      name += c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20 ? '?' : c;
    member(name, number);
  }
  out += "}";
  member("other_paths", counts_.other_paths);
  return "{" + out + "}";
}

} // namespace postrider::bench
