#include "net/client_connection.hpp"

#include "actors/clock.hpp"
#include "core/failpoint.hpp"
#include "core/shard.hpp"
#include "net/sender_lane.hpp"
#include "net/target_guard.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <utility>

namespace postrider {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

/// More addresses of one name than this are not tried within one attempt.
constexpr std::size_t addresses_max = 8;

tcp::endpoint to_endpoint(const ip_address& address, std::uint16_t port) {
  if (address.v6)
    return {asio::ip::address_v6{address.bytes}, port};
  return {asio::ip::address_v4{{address.bytes[0], address.bytes[1], address.bytes[2], address.bytes[3]}}, port};
}

bool is_out_of_descriptors(const boost::system::error_code& error) {
  return error == asio::error::no_descriptors || error == boost::system::errc::too_many_files_open_in_system ||
         error == asio::error::no_buffer_space || error == asio::error::no_memory;
}

attempt_reason reason_of_connect(const boost::system::error_code& error) {
  if (error == asio::error::connection_refused)
    return attempt_reason::connect_refused;
  if (error == asio::error::timed_out)
    return attempt_reason::connect_timeout;
  if (error == asio::error::connection_reset || error == asio::error::connection_aborted)
    return attempt_reason::reset;
  return attempt_reason::network_unreachable; // unreachable, no route, no such family, denied by a local filter
}

} // namespace

void client_connection::run(attempt_request request, std::shared_ptr<prepared_endpoint> endpoint, mono_time started) {
  self_ = shared_from_this();
  endpoint_ = std::move(endpoint);
  holder_.weight = weight_of(request.endpoint->priority); // may be another than when it was opened
  started_ = started;
  started_at_ = lane_.node().clock.now();
  deadline_ = started + request.endpoint->timeout;
  request_ = std::move(request);
  lane_.attempt_started(*this, deadline_);
  if (endpoint_->unusable != attempt_reason::none) // also of a kept connection: the configuration may be a newer one
    fail(endpoint_->unusable);
  else if (phase_ == phase::idle)
    exchange();
  else
    resolve();
}

void client_connection::resolve() {
  if (endpoint_->target.literal) {
    resolved({.addresses = {*endpoint_->target.literal}});
  } else {
    lane_.names().resolve(endpoint_->target.host,
                          [kept = shared_from_this()](const resolution& answer) { kept->resolved(answer); });
  }
}

void client_connection::resolved(const resolution& answer) {
  if (phase_ != phase::resolving)
    return; // the answer came after the deadline
  if (answer.failure != attempt_reason::none || answer.addresses.empty())
    return fail(answer.failure != attempt_reason::none ? answer.failure : attempt_reason::dns_failed);
  // One blocked address taints the answer: whoever mixes them is trying what we would pick.
  for (const auto& address : answer.addresses)
    if (!lane_.node().guard->allows(address, endpoint_->target.port))
      return fail(attempt_reason::address_blocked);
  // The request is signed later, but a node without trust shall not even connect.
  if (!lane_.node().trust.holds(request_.shard, request_.under, boottime_ns()))
    return refuse();
  addresses_.assign(answer.addresses.begin(), answer.addresses.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                           answer.addresses.size(), addresses_max)));
  phase_ = phase::connecting;
  connect_next();
}

bool client_connection::open_stream() {
  auto& context = lane_.context();
  if (!endpoint_->target.tls) {
    stream_ = make_plain_stream(context);
    return true;
  }
  session_ = endpoint_->session;
  const auto& tls = endpoint_->tls ? *endpoint_->tls : *lane_.node().tls;
  auto ssl = tls.connection_to(endpoint_->target, *session_);
  if (!ssl)
    return false;
  stream_ = make_tls_stream(context, std::move(ssl));
  return true;
}

void client_connection::connect_next() {
  for (; address_ < addresses_.size(); ++address_) {
    if (stream_)
      stream_->close();
    if (!open_stream())
      return fail(attempt_reason::tls_handshake);
    const auto to = to_endpoint(addresses_[address_], endpoint_->target.port);
    boost::system::error_code error;
    stream_->socket().open(to.protocol(), error);
    if (!error)
      stream_->socket().non_blocking(true, error);
    if (!error)
      stream_->socket().set_option(tcp::no_delay{true}, error);
    if (is_out_of_descriptors(error))
      return refuse();
    if (error) {
      note_connect_failure(error);
      continue;
    }
    // Each address gets its share of what is left, so that one that swallows packets does not starve the next.
    const auto now = mono_time::clock::now();
    const auto left = static_cast<std::int64_t>(addresses_.size() - address_);
    lane_.wheel().arm(*this, left == 1 ? deadline_ : now + (deadline_ - now) / left);
    stream_->socket().async_connect(to, [kept = shared_from_this(), at = address_](
                                          const boost::system::error_code& failed) { kept->connected(failed, at); });
    return;
  }
  fail(connect_failure_);
}

void client_connection::note_connect_failure(const boost::system::error_code& error) {
  // With several addresses the one that says most is told: a family that this machine has no route for says nothing.
  const auto reason = reason_of_connect(error);
  if (connect_failure_ == attempt_reason::none || connect_failure_ == attempt_reason::network_unreachable)
    connect_failure_ = reason;
}

void client_connection::connected(const boost::system::error_code& error, std::size_t address) {
  if (phase_ != phase::connecting || address != address_)
    return;
  if (error) {
    note_connect_failure(error);
    ++address_;
    return connect_next();
  }
  lane_.wheel().arm(*this, deadline_);
  if (!endpoint_->target.tls)
    return exchange();
  phase_ = phase::handshaking;
  stream_->handshake(shared_from_this());
}

void client_connection::handshaken(attempt_reason failure) {
  if (phase_ != phase::handshaking)
    return;
  if (failure != attempt_reason::none)
    return fail(failure);
  exchange();
}

void client_connection::exchange() {
  const auto& node = lane_.node();
  phase_ = phase::exchanging;
  // The last look before the first byte (design.md, I7).
  if (!node.trust.holds(request_.shard, request_.under, boottime_ns()))
    return refuse();
  POSTRIDER_FAILPOINT("attempt.before");
  compose_request_head(*endpoint_, *request_.what, request_.number, node.clock.now(), head_);
  reader_.begin(lane_.take_buffer());
  const auto state = stream_->write(head_, request_.what->body, shared_from_this());
  writing_ = state != client_stream::write_state::whole;
  // Even of a broken connection: the peer may have answered before it closed, and its answer counts.
  receive();
}

void client_connection::receive() {
  stream_->receive(reader_.space(), shared_from_this());
}

void client_connection::written(bool whole) {
  if (phase_ == phase::exchanging && whole)
    writing_ = false; // not whole: the receive that is under way tells what the peer had to say
}

void client_connection::received(std::size_t count) {
  if (phase_ != phase::exchanging)
    return;
  if (count == 0 && stream_->refused_by_peer())
    return fail(attempt_reason::tls_handshake);
  switch (count == 0 ? reader_.closed() : reader_.received(count)) {
  case response_reader::state::more:
    return receive();
  case response_reader::state::whole:
  case response_reader::state::failed:
    return finish_response();
  }
}

void client_connection::finish_response() {
  POSTRIDER_FAILPOINT("attempt.answered");
  const auto facts = reader_.facts(lane_.node().clock.now());
  // An answer that came before the whole request was written leaves the connection in the middle of it.
  finish(facts, true, facts.failure == attempt_reason::none && reader_.reusable() && !writing_);
}

void client_connection::deadline_passed() {
  switch (phase_) {
  case phase::resolving:
    return fail(attempt_reason::dns_timeout);
  case phase::connecting:
    note_connect_failure(asio::error::timed_out);
    ++address_;
    return connect_next();
  case phase::handshaking:
  case phase::exchanging:
    return fail(attempt_reason::timeout);
  case phase::idle:
  case phase::closed:
    return;
  }
}

void client_connection::fail(attempt_reason reason) {
  // The status of a response that did not arrive whole is told beside the failure.
  attempt_facts facts;
  if (phase_ == phase::exchanging)
    facts = reader_.facts({});
  facts.failure = reason;
  finish(facts, true, false);
}

void client_connection::refuse() {
  finish({.failure = attempt_reason::connect_timeout}, false, false);
}

void client_connection::abort() {
  fail(attempt_reason::interrupted);
}

void client_connection::finish(const attempt_facts& facts, bool sent, bool keep) {
  const auto kept = std::move(self_);
  const auto took = mono_time::clock::now() - started_;
  auto owner = std::move(request_.owner);
  attempt_result result{.delivery = request_.delivery,
                        .number = request_.number,
                        .breaker_epoch = request_.breaker_epoch,
                        .facts = facts,
                        .started_at = started_at_,
                        .duration = std::chrono::duration_cast<milliseconds>(took),
                        .sent = sent,
                        .excerpt = reader_.take_excerpt()};
  request_ = {};
  // An operation that is still under way touches neither the body nor the buffer again: Asio's reactor copies only at
  // the moment of completion, on this thread, and close() takes the descriptor out of it.
  lane_.give_buffer(reader_.release());
  lane_.attempt_ended(*this);
  if (keep) {
    phase_ = phase::idle;
    lane_.keep(kept, reader_.keep_alive_timeout());
  } else {
    if (writing_ && stream_) {           // what was not sent must not stay with the kernel for minutes
      boost::system::error_code ignored; // of a socket that is broken already
      stream_->socket().set_option(asio::socket_base::linger{true, 0}, ignored);
    }
    close();
  }
  lane_.report(std::move(owner), std::move(result));
}

void client_connection::close() noexcept {
  if (phase_ == phase::closed)
    return;
  phase_ = phase::closed;
  deadline_wheel::disarm(*this);
  auto_hook<idle_tag>::unlink();
  auto_hook<running_tag>::unlink();
  if (stream_)
    stream_->close();
  lane_.connection_closed(holder_);
  self_.reset();
}

} // namespace postrider
