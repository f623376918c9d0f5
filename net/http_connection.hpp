#pragma once

#include "core/metrics.hpp"
#include "core/time.hpp"
#include "net/chunked_body.hpp"
#include "net/http_guard.hpp"
#include "net/http_message.hpp"
#include "net/http_writer.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace postrider {

/// Bounds of LISTENER. Bytes, except where named.
struct http_server_limits {
  http_limits head{};
  std::int64_t ingest_bodies_max = 192LL << 20; ///< of all connections together, read or answered: beyond, 503
  std::int64_t api_bodies_max = 64LL << 20;     ///< likewise, of all other requests; both together are those of I13
  std::size_t chunk_extensions_max = 1024;      ///< of one body
  std::size_t trailers_max = 8 * 1024;          ///< of one body
  std::size_t connections_public_max = 8'192;   ///< beyond: none is accepted until one closes
  std::size_t connections_operator_max = 256;
  std::size_t tls_handshake_max = 64 * 1024; ///< from the peer; beyond: closed
  milliseconds tls_timeout{10'000};          ///< from the connection to the end of the TLS handshake: closed
  milliseconds head_timeout{10'000};         ///< from the first byte of a request to the end of its head: 408
  milliseconds body_timeout{10'000};         ///< and a second more for each `body_rate_min` bytes that came: 408
  std::size_t body_rate_min = 32 * 1024;     ///< bytes a second
  milliseconds idle_timeout{75'000};         ///< between two requests: closed
  milliseconds answer_timeout{5'500};        ///< from the whole request to the answer: 503
  milliseconds write_timeout{15'000};        ///< without any progress: closed
  milliseconds drain_timeout{1'000};         ///< after an answer that closes while the peer may still be sending
};

/// What the connections of one server share.
struct http_shared {
  http_server_limits limits{};
  metrics& counts;
  std::shared_ptr<http_replies> replies{};
  std::atomic<std::int64_t> ingest_bodies{0}; ///< bytes held by bodies that are being read or answered
  std::atomic<std::int64_t> api_bodies{0};
  std::atomic<bool> lingering{false}; ///< each answer closes its connection
  std::uint64_t request_id_seed = 0;  ///< random; request ids are this, the connection and its sequence, mixed
};

/// The moment, read once for each turn of the io loop.
struct http_turn {
  mono_time now{};
  std::string_view date{}; ///< RFC 9110 section 5.6.7
};

/// One HTTP/1 connection of the server, without its socket: bytes in, bytes out, and what it needs next. Requests are
/// taken one at a time: what a peer sends ahead (pipelining) waits, partly in the kernel, until the answer before is
/// written. Over TLS it begins with the handshake, which the owner of the socket makes; one that fails gets no answer
/// in HTTP, only time to read the alert.
///
///   phase      bytes                      answer      deadline passes
///   securing   idle, or draining          -           closed
///   idle       head                       -           closed
///   head       head|body|waiting|sending  -           sending 408, then draining
///   body       body|waiting|sending       -           sending 408, then draining
///   waiting    (not read)                 sending     sending 503
///   sending    (not read)                 -           closed
///   draining   draining (dropped)         -           closed
class http_connection {
public:
  enum class phase : std::uint8_t { closed, securing, idle, head, body, waiting, sending, draining };
  enum class need : std::uint8_t {
    handshake, ///< make the TLS handshake, then `secured`
    input,     ///< read into `receive_space`
    output,    ///< write `output`
    answer,    ///< nothing until `answer`
    finish,    ///< send the end of the stream, then read on (`draining`)
    close,     ///< close the socket
  };

  http_connection(http_shared& shared, std::uint32_t io, std::uint32_t slot) : shared_(&shared) {
    address_.io = io;
    address_.slot = slot;
  }

  void open(http_handler& handler, std::string remote_address, bool over_tls, const http_turn& turn);
  /// The TLS handshake is done, or has failed for good.
  void secured(bool done, const http_turn& turn) noexcept;
  /// The socket is closed; a late answer is ignored from now on.
  void closed() noexcept;

  [[nodiscard]] need next() const noexcept;
  [[nodiscard]] std::uint32_t slot() const noexcept { return address_.slot; }
  [[nodiscard]] phase current() const noexcept { return phase_; }
  /// Nothing has come that would be lost with it.
  [[nodiscard]] bool between_requests() const noexcept { return phase_ == phase::idle || phase_ == phase::securing; }
  [[nodiscard]] mono_time deadline() const noexcept { return deadline_; }

  /// Where the next bytes go; never empty while `next` is `input`.
  std::span<char> receive_space();
  void received(std::size_t count, const http_turn& turn);
  /// The peer sends no more.
  void input_ended() noexcept;

  [[nodiscard]] std::string_view output() const noexcept { return std::string_view{out_}.substr(out_sent_); }
  void sent(std::size_t count, const http_turn& turn);
  /// The end of the stream was sent (after `finish`).
  void finished(const http_turn& turn) noexcept;

  /// False: nobody waits for it (any more).
  bool answer(const ingest_answer& what, const http_turn& turn);
  bool answer(reply_address to, http_response&& what, const http_turn& turn);

  /// The deadline has passed.
  void expire(const http_turn& turn);

private:
  /// An assignment of nothing would keep the memory.
  static void give_back(std::string& text) noexcept { std::string{}.swap(text); }
  void advance(const http_turn& turn); ///< takes what is in the buffer as far as it goes
  bool read_head(const http_turn& turn);
  void begin_body(const http_turn& turn);
  bool charge_body(std::size_t size) noexcept;
  void release_body() noexcept;
  void refuse_overloaded(const http_turn& turn);
  void move_body_deadline(std::size_t received) noexcept;
  bool read_body(const http_turn& turn);
  bool feed_chunked(const http_turn& turn);
  void dispatch(const http_turn& turn);
  void reply(const http_response& what, const http_turn& turn);
  void refuse(problem what, const http_turn& turn); ///< answers, then closes
  void begin_sending(const http_turn& turn) noexcept;
  void end_request(const http_turn& turn);
  void end_waiting(const http_turn& turn) noexcept;
  void count(ingest_result result) noexcept;
  [[nodiscard]] bool waits_for(reply_address to) const noexcept;
  [[nodiscard]] answer_frame frame(const http_turn& turn) noexcept;
  void begin_request() noexcept;
  [[nodiscard]] std::string_view request_id() const noexcept { return {request_id_.data(), request_id_.size()}; }
  [[nodiscard]] std::string_view unread() const noexcept;
  void keep_room_behind_head();

  http_shared* shared_;
  http_handler* handler_ = nullptr;
  std::string remote_address_;
  reply_address address_;

  phase phase_ = phase::closed;
  mono_time deadline_{};
  std::string in_; ///< its size is its capacity; [in_begin_, in_end_) are received and not yet taken
  std::size_t in_begin_ = 0;
  std::size_t in_end_ = 0;
  std::size_t scanned_ = 0;   ///< bytes from in_begin_ on in which the head does not end
  bool skipped_line_ = false; ///< one empty line before the request

  request_head head_{};        ///< views into in_, which is not moved before the request is dispatched
  std::size_t head_begin_ = 0; ///< where in in_ the head stands
  std::size_t head_size_ = 0;
  request_id_text request_id_{};
  std::string body_; ///< [0, body_filled_) is read; the rest is room
  std::size_t body_filled_ = 0;
  std::string late_body_; ///< one that was given up while the owner of the socket may still read into it
  std::optional<chunked_body> chunks_{};
  std::int64_t charged_ = 0; ///< our part of what all bodies hold
  mono_time body_began_{};
  bool over_tls_ = false;
  bool ingest_ = false;
  bool head_only_ = false; ///< HEAD: the answer has no body
  bool keep_alive_ = true;
  bool peer_done_ = false;
  bool finish_sent_ = false;
  std::size_t drained_ = 0;
  mono_time whole_at_{}; ///< when the request was whole

  std::string out_;
  std::size_t out_sent_ = 0;
};

} // namespace postrider
