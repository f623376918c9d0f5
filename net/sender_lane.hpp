#pragma once

#include "actors/sender.hpp"
#include "net/client_connection.hpp"
#include "net/connection_places.hpp"
#include "net/connection_pool.hpp"
#include "net/deadline_wheel.hpp"
#include "net/resolver.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace postrider {

class db_clock;
class lease_trust;
class target_guard;
struct metrics;

/// What the lanes of one SENDER share; everything in it is thread-safe.
struct sender_node {
  const lease_trust& trust;
  const db_clock& clock;
  metrics& counts;
  std::shared_ptr<const target_guard> guard;
  std::shared_ptr<const tls_client> tls;
  connection_places places;
};

/// SENDER's part on one io thread. All of it runs on that thread.
class sender_lane : public std::enable_shared_from_this<sender_lane> {
public:
  sender_lane(boost::asio::io_context& context, sender_node& node, connection_pool::limits limits,
              std::unique_ptr<resolver> names);

  void start(std::vector<attempt_request> attempts, mono_time asked_at);
  /// Ends what runs for that owner; with what ended before and was not reported yet.
  std::vector<attempt_result> abort(const delivery_port* owner);
  /// Ends everything, reports nothing.
  void close();

  // for its connections
  [[nodiscard]] sender_node& node() noexcept { return node_; }
  [[nodiscard]] boost::asio::io_context& context() noexcept { return context_; }
  [[nodiscard]] deadline_wheel& wheel() noexcept { return wheel_; }
  [[nodiscard]] resolver& names() noexcept { return *names_; }
  void attempt_started(client_connection& connection, mono_time deadline);
  void attempt_ended(client_connection& connection);
  /// For its endpoint's next attempt; it is closed where that holds more than its share, or the pool has no room.
  void keep(const std::shared_ptr<client_connection>& connection, std::optional<std::chrono::seconds> peer_timeout);
  void connection_closed(const connection_holder& whose) noexcept;
  /// To be told with others of this turn of the loop.
  void report(std::shared_ptr<delivery_port> owner, attempt_result result);
  [[nodiscard]] std::vector<char> take_buffer() noexcept;
  void give_buffer(std::vector<char> buffer);

private:
  struct ended {
    std::shared_ptr<delivery_port> owner;
    attempt_result result;
  };

  void start_one(attempt_request request, mono_time asked_at);
  std::shared_ptr<client_connection> open(std::shared_ptr<prepared_endpoint> endpoint, const connection_holder& whose);
  void flush();
  void wake_by(mono_time at);
  void tick();

  boost::asio::io_context& context_;
  sender_node& node_;
  std::unique_ptr<resolver> names_;
  connection_pool pool_;
  deadline_wheel wheel_;
  boost::intrusive::list<client_connection, boost::intrusive::base_hook<auto_hook<running_tag>>,
                         boost::intrusive::constant_time_size<false>>
    running_;
  std::size_t running_count_ = 0;
  std::vector<ended> ended_;
  bool flush_posted_ = false;
  std::vector<std::vector<char>> buffers_;
  boost::asio::steady_timer timer_;
  mono_time wake_at_ = mono_time::max(); ///< when the timer is set for; max: it is not
  mono_time swept_at_{};
  bool closed_ = false;
};

} // namespace postrider
