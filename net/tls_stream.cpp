#include "net/client_stream.hpp"

#include <boost/asio/post.hpp>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include <sys/socket.h>

// OpenSSL straight over the socket, by a BIO of our own: Asio's ssl::stream would hold 70 KB of buffers for every idle
// connection.
namespace postrider {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

int descriptor_of(BIO* bio) {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

int bio_write(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  const auto sent = static_cast<int>(::send(descriptor_of(bio), data, static_cast<std::size_t>(size), MSG_NOSIGNAL));
  if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
    BIO_set_retry_write(bio);
  return sent;
}

int bio_read(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  const auto got = static_cast<int>(::recv(descriptor_of(bio), data, static_cast<std::size_t>(size), MSG_DONTWAIT));
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
    BIO_set_retry_read(bio);
  if (got == 0)
    BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return got;
}

/// OpenSSL asks for the end of the file before it takes a peer that closes its bare socket for one that says good-bye
/// (SSL_OP_IGNORE_UNEXPECTED_EOF); without an answer the session could not be resumed.
long bio_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF)
    return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

/// Like OpenSSL's own socket BIO, but without SIGPIPE.
BIO* make_bio(int fd) {
  static BIO_METHOD* const method = [] {
    auto* const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "postrider socket");
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  auto* const bio = BIO_new(method);
  if (bio != nullptr) {
    BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(fd)));
    BIO_set_init(bio, 1);
  }
  return bio;
}

class tls_stream final : public client_stream {
public:
  tls_stream(asio::io_context& context, std::unique_ptr<SSL, free_ssl> ssl)
      : client_stream(context), context_(context), ssl_(std::move(ssl)) {}

  void handshake(std::shared_ptr<stream_observer> observer) override {
    auto* const bio = make_bio(socket_.native_handle());
    if (bio == nullptr)
      return observer->handshaken(attempt_reason::tls_handshake);
    SSL_set_bio(ssl_.get(), bio, bio);
    go_on_handshake(std::move(observer));
  }

  write_state write(std::string_view head, std::string_view body, std::shared_ptr<stream_observer> observer) override {
    // One record for a usual request: the copy costs less than a second record and a second system call.
    const auto joined = std::min(body.size(), record_max - std::min(record_max, head.size()));
    joined_.assign(head).append(body.substr(0, joined));
    first_ = joined_;
    rest_ = body.substr(joined);
    return go_on_write(std::move(observer), false);
  }

  void receive(std::span<char> space, std::shared_ptr<stream_observer> observer) override {
    // Bytes may wait inside of OpenSSL, where the socket does not show them.
    if (SSL_has_pending(ssl_.get()) == 1)
      return asio::post(context_,
                        [this, space, kept = std::move(observer)]() mutable { go_on_receive(space, std::move(kept)); });
    wait(tcp::socket::wait_read, std::move(observer),
         [this, space](std::shared_ptr<stream_observer> kept) { go_on_receive(space, std::move(kept)); });
  }

  [[nodiscard]] bool quiet() noexcept override {
    // Reads what TLS itself may have sent since (session tickets); anything else is a reason not to use it.
    char byte = 0;
    ERR_clear_error();
    const int got = SSL_read(ssl_.get(), &byte, 1);
    const int error = SSL_get_error(ssl_.get(), got);
    healthy_ &= error != SSL_ERROR_SSL && error != SSL_ERROR_SYSCALL;
    return error == SSL_ERROR_WANT_READ;
  }

  void close() noexcept override {
    if (!socket_.is_open())
      return;
    // Without either, OpenSSL marks the session as not resumable.
    if (healthy_)
      SSL_shutdown(ssl_.get());
    ERR_clear_error();
    boost::system::error_code ignored; // the descriptor is gone either way
    socket_.close(ignored);
  }

private:
  static constexpr std::size_t record_max = 16 * 1024; // RFC 8446 section 5.1

  template <class Continue>
  void wait(tcp::socket::wait_type what, std::shared_ptr<stream_observer> observer, Continue go_on) {
    socket_.async_wait(what, [this, go_on, kept = std::move(observer)](const boost::system::error_code&) mutable {
      if (socket_.is_open()) // else: closed meanwhile, and reported
        go_on(std::move(kept));
    });
  }

  void go_on_handshake(std::shared_ptr<stream_observer> observer) {
    ERR_clear_error();
    const int done = SSL_do_handshake(ssl_.get());
    if (done == 1) {
      healthy_ = true;
      return observer->handshaken(attempt_reason::none);
    }
    const int error = SSL_get_error(ssl_.get(), done);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
      return wait(error == SSL_ERROR_WANT_READ ? tcp::socket::wait_read : tcp::socket::wait_write, std::move(observer),
                  [this](std::shared_ptr<stream_observer> kept) { go_on_handshake(std::move(kept)); });
    const bool untrusted = SSL_get_verify_result(ssl_.get()) != X509_V_OK;
    ERR_clear_error();
    observer->handshaken(untrusted ? attempt_reason::tls_certificate : attempt_reason::tls_handshake);
  }

  write_state go_on_write(std::shared_ptr<stream_observer> observer, bool tell) {
    while (!first_.empty() || !rest_.empty()) {
      auto& part = first_.empty() ? rest_ : first_;
      std::size_t sent = 0;
      ERR_clear_error();
      const int done = SSL_write_ex(ssl_.get(), part.data(), part.size(), &sent);
      if (done == 1) {
        part.remove_prefix(sent);
        continue;
      }
      const int error = SSL_get_error(ssl_.get(), done);
      if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ) {
        wait(error == SSL_ERROR_WANT_READ ? tcp::socket::wait_read : tcp::socket::wait_write, std::move(observer),
             [this](std::shared_ptr<stream_observer> kept) { go_on_write(std::move(kept), true); });
        return write_state::pending;
      }
      healthy_ = false;
      if (tell)
        observer->written(false);
      return write_state::broken;
    }
    joined_ = {}; // an idle connection keeps none of it
    if (tell)
      observer->written(true);
    return write_state::whole;
  }

  void go_on_receive(std::span<char> space, std::shared_ptr<stream_observer> observer) {
    if (!socket_.is_open())
      return;
    std::size_t got = 0;
    ERR_clear_error();
    const int done = SSL_read_ex(ssl_.get(), space.data(), space.size(), &got);
    if (done == 1)
      return observer->received(got);
    const int error = SSL_get_error(ssl_.get(), done);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
      return wait(error == SSL_ERROR_WANT_READ ? tcp::socket::wait_read : tcp::socket::wait_write, std::move(observer),
                  [this, space](std::shared_ptr<stream_observer> kept) { go_on_receive(space, std::move(kept)); });
    healthy_ = error == SSL_ERROR_ZERO_RETURN;
    ERR_clear_error();
    observer->received(0);
  }

  asio::io_context& context_;
  std::unique_ptr<SSL, free_ssl> ssl_;
  bool healthy_ = false; ///< the handshake is done and nothing has failed since
  std::string joined_;
  std::string_view first_; ///< of joined_, not written yet
  std::string_view rest_;  ///< of the body, likewise
};

} // namespace

std::unique_ptr<client_stream> make_tls_stream(asio::io_context& context, std::unique_ptr<SSL, free_ssl> ssl) {
  return std::make_unique<tls_stream>(context, std::move(ssl));
}

} // namespace postrider
