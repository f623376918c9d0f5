#pragma once

#include "core/outcome.hpp"
#include "core/time.hpp"
#include "net/chunked_body.hpp"
#include "net/http_guard.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace postrider {

/// Reads the response to one POST, piece by piece, from a peer that may be hostile. Pure: no socket, no clock, and
/// nothing throws but std::bad_alloc. The head is read by the guard and by Beast (beast_head.hpp), which must agree.
///
/// | phase | bytes | the peer closes |
/// | --- | --- | --- |
/// | head | whole 1xx: head again, at most 8; whole head: body or end; refused: failed | failed (`reset`) |
/// | body | as framed; past 64 KiB: end, cut off | framed by the close: end; else failed (`reset`) |
/// | end | – | – |
class response_reader {
public:
  static constexpr std::size_t head_max = 16 * 1024;    ///< beyond: response_too_large
  static constexpr std::size_t body_max = 64 * 1024;    ///< beyond: cut off, not a failure
  static constexpr std::size_t trailers_max = 8 * 1024; ///< beyond: response_too_large
  static constexpr std::size_t excerpt_max = 1024;
  static constexpr int interim_max = 8;                 ///< 1xx responses skipped
  static constexpr std::size_t buffer_first = 4 * 1024; ///< grows to head_max only for a large head

  enum class state : std::uint8_t {
    more,   ///< read on into space()
    whole,  ///< the response is complete or cut off
    failed, ///< see facts().failure
  };

  /// Ready for the next response. The buffer is taken from `storage` (may be empty) and can be given back by release().
  void begin(std::vector<char> storage);
  [[nodiscard]] std::vector<char> release() noexcept;

  /// Where the next bytes are to be read to; never empty while state is `more`.
  [[nodiscard]] std::span<char> space() noexcept;
  /// `count` bytes were put at the front of space().
  state received(std::size_t count);
  /// The peer has closed, or the connection broke.
  state closed();

  /// Whether any byte of a response was seen.
  [[nodiscard]] bool started() const noexcept { return started_; }
  /// Status and transport failure, `webhook-delivery`; and `Retry-After`, a date in it taken relative to `now`.
  [[nodiscard]] attempt_facts facts(wall_time now) const;
  /// Of the decoded body.
  [[nodiscard]] std::string take_excerpt() noexcept { return std::move(excerpt_); }

  /// Whether the connection can carry another request: HTTP/1.1, not `close`, framed exactly, and not one byte left
  /// over.
  [[nodiscard]] bool reusable() const noexcept { return reusable_; }
  /// `Keep-Alive: timeout=` (not standardized, but Node.js and Apache say it and mean it); nothing where absent.
  [[nodiscard]] std::optional<std::chrono::seconds> keep_alive_timeout() const noexcept { return keep_alive_timeout_; }

private:
  state read_heads();
  state head_complete(std::size_t size);
  state read_body();
  state read_chunked();
  void take_body(std::string_view bytes);
  state end(bool exact);
  state fail(attempt_reason reason) noexcept;
  state refuse(const http_refusal& refusal) noexcept;
  [[nodiscard]] std::string_view unread() const noexcept { return {buffer_.data() + begin_, end_ - begin_}; }

  std::vector<char> buffer_;
  std::size_t begin_ = 0;   ///< of what is not consumed
  std::size_t end_ = 0;     ///< of what is filled
  std::size_t scanned_ = 0; ///< of the unread bytes: seen by the search for the head's end
  state state_ = state::more;
  bool in_body_ = false;
  bool started_ = false;
  bool keep_alive_ = false;
  bool reusable_ = false;
  bool asks_disable_ = false;
  bool asks_abort_ = false;
  int interims_ = 0;
  int status_ = 0;
  attempt_reason failure_ = attempt_reason::none;
  body_framing framing_ = body_framing::none;
  std::uint64_t remaining_ = 0; ///< content_length framing
  std::size_t body_size_ = 0;   ///< decoded so far
  std::optional<chunked_body> chunks_;
  std::string decoded_;
  std::string retry_after_;
  std::string excerpt_;
  std::optional<std::chrono::seconds> keep_alive_timeout_;
};

} // namespace postrider
