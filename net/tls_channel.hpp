#pragma once

#include "net/openssl_handles.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

namespace postrider {

/// TLS over one non-blocking socket, for either side of it: each call does what can be done now and says what to wait
/// for. LISTENER and SENDER wait each in its own way; how TLS is spoken stands here alone. OpenSSL sits straight on the
/// descriptor, by a BIO of our own: Asio's ssl::stream would hold 70 KB of buffers for every idle connection.
///
/// | call | goes on when | ends with |
/// | --- | --- | --- |
/// | handshake | readable, writable | done, broken (also: the peer sent more than it may) |
/// | read | readable, writable | done (bytes), ended (close_notify), broken (reset, cut off, bad record) |
/// | write | writable, readable | done (a part at least), broken |
/// | say_goodbye | writable | done, broken |
///
/// A peer that closes its socket without close_notify is `broken`, unless the context says otherwise (SENDER's does):
/// nothing that it cut short is taken for whole. One thread; stays where it is.
///
/// After the handshake OpenSSL reads on through whatever is no data (tickets, KeyUpdate, requests to renegotiate)
/// within one call and for as long as there is more of it: a peer that sends only that would keep the thread. Nobody
/// needs more than a few of them, so each connection has `late_messages_max`, and is `broken` beyond. Of empty records
/// and alerts OpenSSL itself takes 32 and 5 in a row.
class tls_channel {
public:
  enum class state : std::uint8_t { done, wants_read, wants_write, ended, broken };
  struct step {
    state what = state::broken;
    std::size_t count = 0; ///< bytes, where it is done
  };

  /// Bytes until the peer's hello is whole: a record at its largest. In a long one OpenSSL compares lists each with
  /// each (20 ms for one of 64 KiB).
  static constexpr std::size_t hello_max = 17 * 1024;
  /// Records that hold no data and messages of the handshake that come after it. One such message in a record is two.
  static constexpr int late_messages_max = 64;

  /// `ssl` knows which side it is. `handshake_max`: bytes taken from the peer until the handshake is done.
  tls_channel(ssl_ptr ssl, std::size_t handshake_max) noexcept
      : ssl_(std::move(ssl))
      , budget_(std::min(handshake_max, hello_max))
      , budget_after_hello_(handshake_max - budget_) {}
  tls_channel(const tls_channel&) = delete;
  tls_channel& operator=(const tls_channel&) = delete;

  /// Once, before all else; the descriptor stays the caller's, who closes it. False: no memory.
  bool attach(int descriptor) noexcept;

  state handshake() noexcept;
  step read(std::span<char> space) noexcept;
  /// After `wants_…` to be called with the same bytes (more may follow them, and they may have moved).
  step write(std::string_view bytes) noexcept;
  /// Sends close_notify. `broken` where the channel is, or is in the middle of a write: there is nothing to say then.
  state say_goodbye() noexcept;

  /// Bytes wait inside of OpenSSL, where the socket does not show them.
  [[nodiscard]] bool has_pending() const noexcept;
  /// The handshake failed because of the peer's certificate.
  [[nodiscard]] bool distrusts_peer() const noexcept;
  /// The peer ended the connection with an alert that belongs to the handshake, and before any data. With TLS 1.3 a
  /// client learns only so that its certificate is missing or not liked.
  [[nodiscard]] bool refused_by_peer() const noexcept { return refused_; }

private:
  friend struct tls_channel_bio;

  state after_failure(int returned) noexcept;

  ssl_ptr ssl_;
  int descriptor_ = -1;
  std::size_t budget_;             ///< bytes that may still be received
  std::size_t budget_after_hello_; ///< comes to it then
  int late_messages_ = 0;          ///< what came after the handshake and was no data
  bool healthy_ = false;           ///< the handshake is done, and nothing has failed since
  bool blocked_ = false;           ///< in the middle of a write
  bool received_ = false;
  bool refused_ = false;
};

} // namespace postrider
