#pragma once

#include "actors/sender.hpp"
#include "net/resolver.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace postrider {

class db_clock;
class io_threads;
class lease_trust;
class sender_lane;
class target_guard;
class tls_client;
struct metrics;
struct sender_node;

struct sender_settings {
  std::int64_t connections_max = 16'384; ///< open or opening, idle ones included; at most half of RLIMIT_NOFILE;
                                         ///< shared by tenants and endpoints: net/connection_places.hpp
  std::size_t idle_max = 4'096;          ///< idle ones among them; at most half of connections_max
  std::chrono::milliseconds idle_timeout{30'000};
  bool https_only = true; ///< off with `--dev`
};

/// SENDER over HTTP/1.1 (see actors/sender.hpp for what it promises; net/client_connection.hpp for the life of an
/// attempt).
///
/// Attempts go round the io threads; what an endpoint is called with depends on the thread's own pool only. The time of
/// an attempt counts from start(). Results are collected and told once per owner and turn of the io loop.
///
/// `sent` is false, and nothing was written, where trust in the lease had ended, its share of `connections_max` was
/// used up, or the process was out of descriptors; facts then say `connect_timeout`. Every other result stands for an
/// attempt that counts.
class http_sender final : public sender {
public:
  /// All references must outlive this; the threads need not run yet. Destroy it after io_threads::stop() or while they
  /// run, not from one of them: it then waits for each to let go. What still runs is dropped without a report (its rows
  /// are closed as `interrupted`).
  http_sender(io_threads& threads, const sender_settings& settings, std::shared_ptr<const target_guard> guard,
              std::shared_ptr<const tls_client> tls, const lease_trust& trust, const db_clock& clock, metrics& counts,
              const resolver_factory& make_resolver = c_ares_resolvers());
  ~http_sender() override;
  http_sender(const http_sender&) = delete;
  http_sender& operator=(const http_sender&) = delete;

  void start(std::vector<attempt_request> attempts) override;

  /// What had ended but was not told yet is among the results, with its own facts; what was cut short says
  /// `interrupted`.
  void abort(const delivery_port* owner, std::function<void(std::vector<attempt_result>)> done) override;

  /// The bound in force.
  [[nodiscard]] std::int64_t connections_max() const noexcept;

private:
  io_threads& threads_;
  std::unique_ptr<sender_node> node_;
  std::vector<std::shared_ptr<sender_lane>> lanes_;
  std::atomic<std::size_t> turn_{0};
};

} // namespace postrider
