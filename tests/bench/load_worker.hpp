#pragma once

#include "tests/bench/latency_histogram.hpp"
#include "tests/bench/webhook_template.hpp"
#include "tests/bench/wire.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace postrider::bench {

using load_clock = std::chrono::steady_clock;

struct load_options {
  std::vector<address> targets;
  std::vector<std::string> paths;
  std::string secret;
  webhook_style style = webhook_style::github;
  std::string run; ///< first 24 characters of each id
  std::size_t body_size = 1024;
  std::size_t connections = 256; ///< of all threads
  std::size_t threads = 1;
  double rate = 0;       ///< requests per second of all threads; 0: closed loop
  double duplicates = 0; ///< fraction of requests that repeat the connection's request before
  load_clock::time_point start{}, warm_at{}, stop_at{}, give_up_at{};
};

/// What one thread saw. `sent` = `answered` + `broken` + `unanswered`.
struct load_counts {
  std::uint64_t sent = 0;
  std::uint64_t answered = 0;
  std::uint64_t broken = 0;     ///< the connection ended before the answer
  std::uint64_t unanswered = 0; ///< still open when the generator gave up
  std::uint64_t never_sent = 0; ///< open loop: due, but no connection became free in time
  std::uint64_t duplicates_sent = 0;
  std::uint64_t accepted = 0; ///< 2xx for something new
  std::uint64_t answered_duplicate = 0;
  std::uint64_t answered_in_window = 0;
  std::uint64_t reconnects = 0;
  std::array<std::uint64_t, 600> by_status{};
  latency_histogram latency; ///< of what was due within the window
};

/// One thread of the generator: its share of the connections and of the rate on one epoll set. Closed loop: a
/// connection sends as soon as it was answered. Open loop: request k is due at start + k / rate whatever the answers
/// do, takes the connection that is free for longest, waits for one if there is none, and its latency counts from when
/// it was due; what is never answered counts with the time until the generator gave up (no coordinated omission).
class load_worker {
public:
  load_worker(const load_options& options, std::size_t index)
      : options_(options), hmac_(options.secret), sequence_(std::uint64_t{index} << 40) {
    const auto host = options.targets.front().text;
    for (const auto& path : options.paths)
      templates_.emplace_back(options.style, host, path, options.run, options.body_size);
    for (std::size_t i = index; i < options.connections; i += options.threads)
      connections_.push_back({.target = &options.targets[i % options.targets.size()]});
    gap_ =
      options.rate > 0
        ? std::chrono::nanoseconds{static_cast<std::int64_t>(1e9 * static_cast<double>(options.threads) / options.rate)}
        : std::chrono::nanoseconds{0};
    phase_ = gap_ * static_cast<int>(index) / static_cast<int>(options.threads);
  }

  /// Opens every connection; throws `std::system_error` where one is refused.
  void connect() {
    epoll_ = descriptor{checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")};
    for (auto& each : connections_)
      if (!open(each))
        throw std::system_error(errno, std::generic_category(), "connect to " + each.target->text);
  }

  /// Runs until all is answered after the end, the generator gives up, or `interrupted`.
  void run(const std::atomic<bool>& interrupted) {
    next_due_ = options_.start + phase_;
    for (auto& each : connections_)
      release(each, options_.start);
    while (!interrupted && !step(load_clock::now())) {
    }
    account_for_the_rest(std::min(load_clock::now(), options_.give_up_at));
  }

  const load_counts& counts() const { return counts_; }

private:
  struct connection {
    const address* target = nullptr;
    descriptor socket{};
    bool busy = false;
    bool waits_for_room = false;  // `rest` is not empty
    bool last_is_known = false;   // there is a request that a duplicate can repeat
    std::size_t path = 0;         // of the last request
    std::uint64_t sequence = 0;   // of the last request
    load_clock::time_point due{}; // when the last request was to be sent
    std::string answer{};         // the beginning of an answer that came in pieces
    std::string rest{};           // the end of a request that the socket did not take at once
  };

  bool open_loop() const { return gap_.count() > 0; }

  bool open(connection& each) {
    each.socket = connect_to(*each.target);
    if (!each.socket)
      return false;
    watch(each, EPOLL_CTL_ADD, EPOLLIN);
    return true;
  }

  void watch(connection& each, int operation, std::uint32_t events) {
    epoll_event event{.events = events, .data = {.ptr = &each}};
    checked(::epoll_ctl(epoll_.get(), operation, each.socket.get(), &event), "epoll_ctl");
  }

  // Sends what is due, waits for something to happen and handles it; true when there is nothing more to do.
  bool step(load_clock::time_point now) {
    if (open_loop())
      for (; !idle_.empty() && next_due_ <= now && next_due_ < options_.stop_at; next_due_ += gap_) {
        auto& each = *idle_.front();
        idle_.pop_front();
        fire(each, next_due_);
      }
    const bool all_sent = (open_loop() ? next_due_ : now) >= options_.stop_at;
    if ((all_sent && busy_ == 0) || now >= options_.give_up_at)
      return true;
    reconnect(now);
    auto until = std::min(options_.give_up_at, now + std::chrono::milliseconds{50});
    if (open_loop() && !idle_.empty() && !all_sent)
      until = std::min(until, next_due_);
    wait(std::max(until - now, load_clock::duration::zero()));
    return false;
  }

  void wait(std::chrono::nanoseconds timeout) {
    const timespec limit{.tv_sec = timeout.count() / 1'000'000'000, .tv_nsec = timeout.count() % 1'000'000'000};
    const int count = ::epoll_pwait2(epoll_.get(), events_.data(), static_cast<int>(events_.size()), &limit, nullptr);
    for (int i = 0; i < count; ++i) {
      auto& each = *static_cast<connection*>(events_[static_cast<std::size_t>(i)].data.ptr);
      if (!each.rest.empty())
        send(each, std::exchange(each.rest, {}));
      if (each.socket && (events_[static_cast<std::size_t>(i)].events & ~std::uint32_t{EPOLLOUT}) != 0)
        receive(each);
    }
  }

  // The connection may send again.
  void release(connection& each, load_clock::time_point now) {
    if (open_loop())
      idle_.push_back(&each);
    else if (now < options_.stop_at)
      fire(each, now);
  }

  void fire(connection& each, load_clock::time_point due) {
    duplicates_owed_ += options_.duplicates;
    if (duplicates_owed_ >= 1 && each.last_is_known) {
      duplicates_owed_ -= 1;
      ++counts_.duplicates_sent;
    } else {
      each.path = next_path_;
      next_path_ = next_path_ + 1 == templates_.size() ? 0 : next_path_ + 1;
      each.sequence = sequence_++;
      each.last_is_known = true;
    }
    each.due = due;
    each.busy = true;
    ++busy_;
    ++counts_.sent;
    send(each, templates_[each.path].with_sequence(each.sequence, hmac_));
  }

  void send(connection& each, std::string_view bytes) {
    const bool was_waiting = each.waits_for_room;
    const auto sent = ::send(each.socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
      return lose(each);
    if (sent >= 0)
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    each.rest = bytes;
    each.waits_for_room = !bytes.empty();
    if (each.waits_for_room != was_waiting)
      watch(each, EPOLL_CTL_MOD, each.waits_for_room ? EPOLLIN | EPOLLOUT : EPOLLIN);
  }

  void receive(connection& each) {
    const auto count = ::recv(each.socket.get(), buffer_.data(), buffer_.size(), 0);
    if (count < 0 && errno == EAGAIN)
      return;
    if (count <= 0)
      return lose(each);
    std::string_view bytes{buffer_.data(), static_cast<std::size_t>(count)};
    if (!each.answer.empty())
      bytes = each.answer.append(bytes);
    const auto answer = read_frame(bytes);
    if (bytes.size() > answer_size_max || (answer && (answer->chunked || !each.busy)))
      return lose(each); // not an answer that these programs read
    if (!answer || bytes.size() < answer->size()) {
      if (each.answer.empty())
        each.answer = bytes;
      return;
    }
    handle(each, *answer, bytes);
  }

  void handle(connection& each, const frame& answer, std::string_view bytes) {
    const auto now = load_clock::now();
    std::size_t status = 0;
    std::from_chars(bytes.data() + 9, bytes.data() + 12, status);
    status = status < counts_.by_status.size() ? status : 0;
    const bool good = status >= 200 && status < 300;
    const bool duplicate = options_.style == webhook_style::strawman
                             ? status == 200
                             : bytes.substr(answer.head).find("\"duplicate\":true") != std::string_view::npos;
    ++counts_.answered;
    ++counts_.by_status[status];
    counts_.accepted += good && !duplicate;
    counts_.answered_duplicate += good && duplicate;
    counts_.answered_in_window += now >= options_.warm_at && now < options_.stop_at;
    if (each.due >= options_.warm_at)
      counts_.latency.add(now - each.due);
    each.answer.clear();
    each.busy = false;
    --busy_;
    if (answer.close)
      return lose(each);
    release(each, now);
  }

  // The connection ended: it is opened again at the next look, and is no longer idle.
  void lose(connection& each) {
    if (each.busy) {
      ++counts_.broken;
      --busy_;
      if (each.due >= options_.warm_at)
        counts_.latency.add(options_.give_up_at - each.due);
    }
    std::erase(idle_, &each);
    each.busy = each.waits_for_room = false;
    each.answer.clear();
    each.rest.clear();
    each.socket.reset();
    lost_.push_back(&each);
  }

  // Each lost connection once a step, and after a refusal none for a tenth of a second.
  void reconnect(load_clock::time_point now) {
    for (auto left = lost_.size(); left > 0 && now >= reconnect_at_; --left) {
      auto& each = *lost_.front();
      if (!open(each)) {
        reconnect_at_ = now + std::chrono::milliseconds{100};
        return;
      }
      lost_.pop_front();
      ++counts_.reconnects;
      release(each, load_clock::now());
    }
  }

  void account_for_the_rest(load_clock::time_point end) {
    for (const auto& each : connections_)
      if (each.busy) {
        ++counts_.unanswered;
        if (each.due >= options_.warm_at)
          counts_.latency.add(end - each.due);
      }
    if (open_loop())
      for (; next_due_ < std::min(options_.stop_at, end); next_due_ += gap_) {
        ++counts_.never_sent;
        if (next_due_ >= options_.warm_at)
          counts_.latency.add(end - next_due_);
      }
  }

  static constexpr std::size_t answer_size_max = 64 * 1024;

  const load_options& options_;
  hmac_sha256 hmac_;
  std::vector<webhook_template> templates_;
  std::vector<connection> connections_;
  std::deque<connection*> idle_; // open loop: free connections, the one that is free for longest first
  std::deque<connection*> lost_;
  descriptor epoll_;
  std::array<epoll_event, 256> events_{};
  std::array<char, 16 * 1024> buffer_{};
  std::uint64_t sequence_;
  std::size_t next_path_ = 0;
  std::size_t busy_ = 0;
  double duplicates_owed_ = 0;
  std::chrono::nanoseconds gap_{};
  std::chrono::nanoseconds phase_{};
  load_clock::time_point next_due_{};
  load_clock::time_point reconnect_at_{};
  load_counts counts_;
};

} // namespace postrider::bench
