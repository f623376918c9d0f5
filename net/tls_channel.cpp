#include "net/tls_channel.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <sys/socket.h>

namespace postrider {

/// Like OpenSSL's own socket BIO, but without SIGPIPE, and with a bound on what the peer may send.
struct tls_channel_bio {
  static tls_channel& channel(BIO* bio) noexcept { return *static_cast<tls_channel*>(BIO_get_data(bio)); }

  static int write(BIO* bio, const char* data, int size) {
    BIO_clear_retry_flags(bio);
    const auto sent =
      static_cast<int>(::send(channel(bio).descriptor_, data, static_cast<std::size_t>(size), MSG_NOSIGNAL));
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
      BIO_set_retry_write(bio);
    return sent;
  }

  static int read(BIO* bio, char* data, int size) {
    BIO_clear_retry_flags(bio);
    auto& self = channel(bio);
    if (self.budget_ == 0 || self.late_messages_ > tls_channel::late_messages_max)
      return -1; // and no retry: the connection is broken
    const auto most = std::min(self.budget_, static_cast<std::size_t>(size));
    const auto got = static_cast<int>(::recv(self.descriptor_, data, most, MSG_DONTWAIT));
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
      BIO_set_retry_read(bio);
    if (got == 0)
      BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    if (got > 0 && self.budget_ != unlimited)
      self.budget_ -= static_cast<std::size_t>(got);
    return got;
  }

  /// OpenSSL asks for the end of the file before it takes a peer that closes its bare socket for one that says good-bye
  /// (SSL_OP_IGNORE_UNEXPECTED_EOF); without an answer the session could not be resumed.
  static long control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_EOF)
      return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }

  /// OpenSSL calls it for each record's header, over 1.3 also for the kind of record that was sealed in it (by its
  /// header each is data then), and for each message of the handshake.
  static void seen(int sent, int, int kind, const void* bytes, std::size_t size, SSL*, void* channel) {
    auto& self = *static_cast<tls_channel*>(channel);
    if (sent != 0 || size == 0)
      return;
    if (!self.healthy_) { // its hello, or what follows that
      if (kind == SSL3_RT_HANDSHAKE)
        self.budget_ += std::exchange(self.budget_after_hello_, 0);
      return;
    }
    const int inside = *static_cast<const unsigned char*>(bytes);
    const bool is_record = kind == SSL3_RT_HEADER || kind == SSL3_RT_INNER_CONTENT_TYPE;
    if (kind == SSL3_RT_HANDSHAKE || (is_record && inside != SSL3_RT_APPLICATION_DATA))
      ++self.late_messages_;
  }

  static BIO* make(tls_channel& of) {
    static BIO_METHOD* const method = [] {
      auto* const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "postrider socket");
      BIO_meth_set_write(made, write);
      BIO_meth_set_read(made, read);
      BIO_meth_set_ctrl(made, control);
      return made;
    }();
    auto* const bio = BIO_new(method);
    if (bio != nullptr) {
      BIO_set_data(bio, &of);
      BIO_set_init(bio, 1);
    }
    return bio;
  }

  static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();
};

namespace {

/// The last error is an alert of the peer that says "not with you" (RFC 8446 section 6.2).
bool is_refusal() noexcept {
  const auto error = ERR_peek_last_error();
  switch (ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) - SSL_AD_REASON_OFFSET : 0) {
  case SSL_AD_HANDSHAKE_FAILURE:
  case SSL_AD_BAD_CERTIFICATE:
  case SSL_AD_UNSUPPORTED_CERTIFICATE:
  case SSL_AD_CERTIFICATE_REVOKED:
  case SSL_AD_CERTIFICATE_EXPIRED:
  case SSL_AD_CERTIFICATE_UNKNOWN:
  case SSL_AD_UNKNOWN_CA:
  case SSL_AD_ACCESS_DENIED:
  case SSL_AD_DECRYPT_ERROR:
  case SSL_AD_INSUFFICIENT_SECURITY:
  case SSL_AD_CERTIFICATE_REQUIRED:
    return true;
  default:
    return false;
  }
}

} // namespace

bool tls_channel::attach(int descriptor) noexcept {
  descriptor_ = descriptor;
  auto* const bio = tls_channel_bio::make(*this);
  if (!ssl_ || bio == nullptr) {
    BIO_free(bio);
    return false;
  }
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_msg_callback(ssl_.get(), tls_channel_bio::seen);
  SSL_set_msg_callback_arg(ssl_.get(), this);
  return true;
}

tls_channel::state tls_channel::after_failure(int returned) noexcept {
  switch (SSL_get_error(ssl_.get(), returned)) {
  case SSL_ERROR_WANT_READ:
    return state::wants_read;
  case SSL_ERROR_WANT_WRITE:
    return state::wants_write;
  case SSL_ERROR_ZERO_RETURN:
    return state::ended;
  default:
    healthy_ = false;
    refused_ = !received_ && is_refusal();
    ERR_clear_error(); // it belongs to this connection, not to the next one of this thread
    return state::broken;
  }
}

tls_channel::state tls_channel::handshake() noexcept {
  ERR_clear_error();
  const int returned = SSL_do_handshake(ssl_.get());
  if (returned != 1) {
    const auto what = after_failure(returned);
    return what == state::ended ? state::broken : what;
  }
  healthy_ = true;
  budget_ = tls_channel_bio::unlimited;
  return state::done;
}

tls_channel::step tls_channel::read(std::span<char> space) noexcept {
  step out;
  ERR_clear_error();
  const int returned = SSL_read_ex(ssl_.get(), space.data(), space.size(), &out.count);
  out.what = returned == 1 ? state::done : after_failure(returned);
  received_ |= returned == 1;
  return out;
}

tls_channel::step tls_channel::write(std::string_view bytes) noexcept {
  step out;
  ERR_clear_error();
  const int returned = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &out.count);
  out.what = returned == 1 ? state::done : after_failure(returned);
  blocked_ = returned != 1;
  return out;
}

tls_channel::state tls_channel::say_goodbye() noexcept {
  if (!healthy_ || blocked_)
    return state::broken;
  ERR_clear_error();
  const int returned = SSL_shutdown(ssl_.get());
  if (returned >= 0) // 0: the peer's is still to come, and nobody waits for it
    return state::done;
  const auto what = after_failure(returned);
  return what == state::wants_write ? what : state::broken;
}

bool tls_channel::has_pending() const noexcept {
  return SSL_has_pending(ssl_.get()) == 1;
}

bool tls_channel::distrusts_peer() const noexcept {
  return SSL_get_verify_result(ssl_.get()) != X509_V_OK;
}

} // namespace postrider
