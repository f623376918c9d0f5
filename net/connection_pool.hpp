#pragma once

#include "net/client_connection.hpp"
#include "net/connection_places.hpp"
#include "net/prepared_endpoint.hpp"

#include <boost/intrusive/list.hpp>

#include <cstddef>
#include <memory>
#include <unordered_map>
#include <vector>

namespace postrider {

/// What one io thread remembers of the endpoints it calls: their prepared configuration and their idle connections.
/// Pools are per endpoint, never per host: two tenants with the same receiver share nothing. Not thread-safe.
///
/// Bounds: idle connections of an endpoint by `idle_share`, of all by `idle_max` (the longest idle goes first), each
/// for at most `idle_timeout` or what the peer's `Keep-Alive: timeout` says, less a second; prepared endpoints 16,384,
/// those unused for a minute go.
class connection_pool {
public:
  struct limits {
    std::size_t idle_max = 4096;
    std::chrono::milliseconds idle_timeout{30'000};
    std::size_t thread = 0; ///< this one, for lane_choice
    std::size_t threads = 1;
    bool https_only = false;
    std::shared_ptr<const tls_client> tls{}; ///< the node's
  };
  explicit connection_pool(limits bounds) : limits_(bounds) {}

  /// The endpoint as this version of its configuration says; connections to a server that it no longer names are
  /// closed.
  std::shared_ptr<prepared_endpoint> prepare(const std::shared_ptr<const endpoint_config>& config, mono_time now);

  /// The connection used last that is still good, or null.
  std::shared_ptr<client_connection> take(endpoint_no endpoint, mono_time now);
  /// Keeps it, or closes it where a bound says so.
  void put(std::shared_ptr<client_connection> connection, mono_time now,
           std::optional<std::chrono::seconds> peer_timeout);

  /// Closes the one that is idle for longest; false where none is.
  bool evict_one();
  /// Closes as many as it takes for `who` to find room, of the 16 that are idle for longest, as `places` says; false:
  /// all of them would not do, and none was closed.
  bool evict_for(const connection_holder& who, const connection_places& places);
  /// Closes what was idle for too long, forgets endpoints that are not used.
  void sweep(mono_time now);
  void close();

  [[nodiscard]] std::size_t idle() const noexcept { return idle_count_; }
  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }

private:
  struct entry : auto_hook<idle_tag> {
    endpoint_no number = 0;
    std::shared_ptr<prepared_endpoint> prepared;
    std::vector<std::shared_ptr<client_connection>> idle; ///< used last at the end
    mono_time used_at{};
  };
  template <class T, class Tag>
  using list =
    boost::intrusive::list<T, boost::intrusive::base_hook<auto_hook<Tag>>, boost::intrusive::constant_time_size<false>>;

  void touch(entry& one, mono_time now);
  void drop(client_connection& connection);
  void drop_idle(entry& one);

  limits limits_;
  std::unordered_map<endpoint_no, entry> entries_;
  list<entry, idle_tag> used_;             ///< least recently used first
  list<client_connection, idle_tag> idle_; ///< longest idle first
  std::size_t idle_count_ = 0;
};

} // namespace postrider
