#include "net/http_io_part.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>

#include <array>
#include <ctime>
#include <utility>

namespace postrider {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr milliseconds tick_period{250}; // every deadline is kept to within this

/// RFC 9110 section 5.6.7, by hand: strftime would ask the locale for the names.
std::string http_date(std::time_t now) {
  static constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm utc{};
  gmtime_r(&now, &utc);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", days[static_cast<std::size_t>(utc.tm_wday)],
                     utc.tm_mday, months[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour,
                     utc.tm_min, utc.tm_sec);
}

constexpr std::size_t index_of(listener which) noexcept {
  return static_cast<std::size_t>(which);
}

} // namespace

http_io_part::http_io_part(asio::io_context& context, std::uint32_t index, std::size_t parts, http_shared& shared,
                           http_closing& closing)
    : context_(context)
    , index_(index)
    , shared_(shared)
    , closing_(closing)
    , timer_(context)
    , date_(http_date(std::time(nullptr))) {
  const auto share = [parts](std::size_t all) { return std::max<std::size_t>(1, (all + parts - 1) / parts); };
  entrances_[index_of(listener::public_)].open_max = share(shared.limits.connections_public_max);
  entrances_[index_of(listener::operator_)].open_max = share(shared.limits.connections_operator_max);
}

void http_io_part::add_acceptor(listener which, acceptor ready) {
  entrances_[index_of(which)].socket = std::make_unique<acceptor>(std::move(ready));
}

void http_io_part::use_tls(listener which, std::shared_ptr<const tls_server> how) {
  entrances_[index_of(which)].tls = std::move(how);
}

void http_io_part::start(std::array<http_handler*, listener_count> handlers) {
  for (std::size_t i = 0; i < listener_count; ++i)
    entrances_[i].handler = handlers[i];
  arm_tick();
  accept(listener::public_);
  accept(listener::operator_);
}

http_turn http_io_part::turn() const noexcept {
  return {std::chrono::steady_clock::now(), date_};
}

gauge& http_io_part::connections(listener which) noexcept {
  return which == listener::public_ ? shared_.counts.connections_public : shared_.counts.connections_operator;
}

// ---------------------------------------------------------------------------------------------- accepting

void http_io_part::accept(listener which) {
  auto& door = entrances_[index_of(which)];
  if (!door.socket || !door.socket->is_open() || door.accepting || door.open >= door.open_max)
    return; // full: the kernel's queue holds them until a connection closes
  door.accepting = true;
  ++operations_;
  door.socket->async_accept([this, which](const error_code& error, socket peer) {
    const operation_end ended{*this};
    auto& entry = entrances_[index_of(which)];
    entry.accepting = false;
    if (!error)
      adopt(which, std::move(peer));
    else if (error != asio::error::operation_aborted)
      spdlog::warn("accepting a connection failed: {}",
                   error.message()); // no descriptor left, say: the next tick tries again
    if (!error || error == asio::error::connection_aborted)
      accept(which);
  });
}

void http_io_part::adopt(listener which, socket peer) {
  error_code error;
  const auto remote = peer.remote_endpoint(error);
  if (!error)
    peer.non_blocking(true, error);
  if (!error)
    peer.set_option(asio::ip::tcp::no_delay(true), error);
  if (error)
    return; // gone already
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.push_back(std::make_unique<slot>(shared_, index_, free_.back(), context_.get_executor()));
  }
  auto& one = *slots_[free_.back()];
  free_.pop_back();
  auto& door = entrances_[index_of(which)];
  one.stream = std::move(peer);
  one.owner = which;
  one.open = true;
  ++door.open;
  connections(which).add(1);
  closing_.open[index_of(which)].fetch_add(1, std::memory_order_relaxed);
  guarded(one, [&] {
    one.connection.open(*door.handler, remote.address().to_string(), door.tls != nullptr, turn());
    if (door.tls)
      begin_tls(one, *door.tls);
    pump(one);
  });
}

// ---------------------------------------------------------------------------------------------- one connection

/// Does for the connection whatever can be done without waiting.
void http_io_part::pump(slot& one) {
  while (one.open) {
    switch (one.connection.next()) {
    case http_connection::need::handshake:
      if (one.reading || one.writing || !handshake(one))
        return;
      break;
    case http_connection::need::output:
      if (one.writing || !write(one))
        return;
      break;
    case http_connection::need::input:
      if (!one.reading)
        begin_read(one);
      return;
    case http_connection::need::answer:
      return;
    case http_connection::need::finish:
      if (one.writing || !finish(one))
        return;
      break;
    case http_connection::need::close:
      return shut(one);
    }
  }
}

void http_io_part::begin_read(slot& one) {
  if (one.tls)
    return begin_tls_read(one);
  const auto space = one.connection.receive_space();
  one.reading = true;
  ++operations_;
  one.stream.async_read_some(asio::buffer(space.data(), space.size()),
                             [this, &one](const error_code& error, std::size_t count) {
                               const operation_end ended{*this};
                               one.reading = false;
                               if (!one.open)
                                 return release(one);
                               if (error && error != asio::error::eof)
                                 return shut(one);
                               guarded(one, [&] {
                                 if (error)
                                   one.connection.input_ended();
                                 else
                                   one.connection.received(count, turn());
                                 pump(one);
                               });
                             });
}

bool http_io_part::write(slot& one) {
  if (one.tls)
    return write_tls(one);
  error_code error;
  const auto bytes = one.connection.output();
  const auto count = one.stream.write_some(asio::buffer(bytes.data(), bytes.size()), error);
  if (!error) {
    one.connection.sent(count, turn());
    return true;
  }
  if (error != asio::error::would_block) {
    shut(one);
    return false;
  }
  one.writing = true;
  ++operations_;
  one.stream.async_wait(socket::wait_write, [this, &one](const error_code& failed) {
    const operation_end ended{*this};
    one.writing = false;
    if (!one.open)
      release(one);
    else if (failed)
      shut(one);
    else
      guarded(one, [&] { pump(one); });
  });
  return false;
}

bool http_io_part::finish(slot& one) {
  if (one.tls && !finish_tls(one))
    return false;
  error_code ignored; // the peer may be gone: the read that follows tells
  one.stream.shutdown(socket::shutdown_send, ignored);
  one.connection.finished(turn());
  return true;
}

void http_io_part::shut(slot& one) {
  if (!one.open)
    return;
  one.open = false;
  if (one.tls)
    one.tls->say_goodbye(); // if it is healthy and the socket takes it
  one.tls.reset();
  error_code ignored; // there is nothing left to do with it
  one.stream.close(ignored);
  one.connection.closed();
  --entrances_[index_of(one.owner)].open;
  connections(one.owner).add(-1);
  if (closing_.open[index_of(one.owner)].fetch_sub(1, std::memory_order_acq_rel) == 1) {
    const std::lock_guard guard{closing_.mutex};
    closing_.changed.notify_all();
  }
  release(one);
  accept(one.owner); // there is room again
}

/// The slot is free when none of its operations can call back any more.
void http_io_part::release(slot& one) {
  if (!one.open && !one.reading && !one.writing)
    free_.push_back(one.connection.slot());
}

void http_io_part::deliver(const std::vector<ingest_answer>& answers) {
  const auto now = turn();
  for (const auto& one : answers)
    give(one.to, [&](slot& to) { return to.connection.answer(one, now); });
}

void http_io_part::deliver(reply_address to, http_response&& response) {
  give(to, [&](slot& one) { return one.connection.answer(to, std::move(response), turn()); });
}

template <class Answer>
void http_io_part::give(reply_address to, Answer answer) {
  if (to.slot >= slots_.size())
    return;
  auto& one = *slots_[to.slot];
  guarded(one, [&] {
    if (answer(one))
      pump(one);
  });
}

// ---------------------------------------------------------------------------------------------- time and the end

void http_io_part::arm_tick() {
  timer_.expires_after(tick_period);
  ++operations_;
  timer_.async_wait([this](const error_code& error) {
    const operation_end ended{*this};
    if (!error)
      tick();
  });
}

void http_io_part::tick() {
  if (!retiring_)
    arm_tick(); // before the work: without it no deadline would ever pass again
  date_ = http_date(std::time(nullptr));
  const auto now = turn();
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    auto& one = *slots_[i];
    if (!one.open || now.now < one.connection.deadline())
      continue;
    guarded(one, [&] {
      one.connection.expire(now);
      pump(one);
    });
  }
  accept(listener::public_);
  accept(listener::operator_);
}

void http_io_part::close_listener(listener which) {
  auto& door = entrances_[index_of(which)];
  error_code ignored;
  if (door.socket)
    door.socket->close(ignored);
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (slots_[i]->open && slots_[i]->owner == which && slots_[i]->connection.between_requests())
      shut(*slots_[i]);
}

void http_io_part::close_connections(listener which) {
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (slots_[i]->owner == which)
      shut(*slots_[i]);
}

void http_io_part::retire() {
  retiring_ = true;
  for (const auto which : {listener::public_, listener::operator_}) {
    close_listener(which);
    close_connections(which);
  }
  timer_.cancel();
  ++operations_; // so that a part without any operation is told of as well
  operation_ended();
}

void http_io_part::operation_ended() {
  --operations_;
  if (!retiring_ || operations_ > 0 || std::exchange(gone_, true))
    return;
  const std::lock_guard guard{closing_.mutex};
  ++closing_.parts_gone;
  closing_.changed.notify_all();
}

} // namespace postrider
