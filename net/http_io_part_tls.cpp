#include "net/http_io_part.hpp"

#include <boost/asio/post.hpp>

#include <stdexcept>

// What http_io_part does in another way over TLS. The channel never waits; where it wants the socket to be readable or
// writable, a wait for that stands in `reading` or `writing`, and everything goes on from `tls_ready`.
namespace postrider {

namespace asio = boost::asio;
using boost::system::error_code;
using state = tls_channel::state;

void http_io_part::begin_tls(slot& one, const tls_server& how) {
  one.tls = std::make_unique<tls_channel>(how.connection(), shared_.limits.tls_handshake_max);
  if (!one.tls->attach(one.stream.native_handle()))
    throw std::runtime_error("no memory for TLS");
}

bool http_io_part::handshake(slot& one) {
  const auto what = one.tls->handshake();
  if (await_tls(one, what))
    return false;
  const bool done = what == state::done;
  if (!done) {
    shared_.counts.tls_handshakes_failed.add();
    one.tls.reset(); // the alert is sent; the rest is as after any answer that closes
  }
  one.connection.secured(done, turn());
  return true;
}

bool http_io_part::await_tls(slot& one, state what) {
  if (what != state::wants_read && what != state::wants_write)
    return false;
  const bool to_read = what == state::wants_read;
  auto& waiting = to_read ? one.reading : one.writing;
  if (std::exchange(waiting, true))
    return true; // whoever is woken goes on with whatever there is to do
  ++operations_;
  one.stream.async_wait(to_read ? socket::wait_read : socket::wait_write,
                        [this, &one, &waiting](const error_code& error) { tls_ready(one, waiting, error); });
  return true;
}

void http_io_part::tls_ready(slot& one, bool& waiting, const error_code& error) {
  const operation_end ended{*this};
  waiting = false;
  if (!one.open)
    return release(one);
  if (error)
    return shut(one);
  guarded(one, [&] {
    if (one.tls && one.connection.next() == http_connection::need::input)
      read_tls(one);
    pump(one);
  });
}

void http_io_part::begin_tls_read(slot& one) {
  if (one.writing)
    return; // a read that wants to write first
  if (!one.tls->has_pending()) {
    await_tls(one, state::wants_read);
    return;
  }
  // Bytes wait inside of OpenSSL, where the socket does not show them. Through the queue, so that a peer who always has
  // more to say does not keep the thread to himself.
  one.reading = true;
  ++operations_;
  asio::post(context_, [this, &one] { tls_ready(one, one.reading, {}); });
}

void http_io_part::read_tls(slot& one) {
  const auto got = one.tls->read(one.connection.receive_space());
  switch (got.what) {
  case state::done:
    return one.connection.received(got.count, turn());
  case state::ended:
    return one.connection.input_ended();
  case state::broken: // a stream that was cut off, too: whatever came of a request is not a request
    return shut(one);
  case state::wants_read:
  case state::wants_write:
    await_tls(one, got.what);
  }
}

bool http_io_part::write_tls(slot& one) {
  const auto sent = one.tls->write(one.connection.output());
  if (await_tls(one, sent.what))
    return false;
  if (sent.what != state::done) {
    shut(one);
    return false;
  }
  one.connection.sent(sent.count, turn());
  return true;
}

bool http_io_part::finish_tls(slot& one) {
  if (await_tls(one, one.tls->say_goodbye()))
    return false;
  one.tls.reset();
  return true;
}

} // namespace postrider
