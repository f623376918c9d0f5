#pragma once

#include "core/ids.hpp"
#include "core/provider_scheme.hpp"
#include "core/time.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace postrider {

/// The edge between LISTENER (io threads) and VERIFIER (actors). LISTENER knows no actor, the actors know no socket.

/// Which waiting connection an answer belongs to. Opaque to everyone but LISTENER, which ignores an answer whose
/// `sequence` is no longer the one it waits for (the request's deadline has passed, the connection was reused or
/// closed).
struct reply_address {
  std::uint32_t io = 0;
  std::uint32_t slot = 0;
  std::uint64_t sequence = 0;
};

enum class ingest_result : std::uint8_t {
  accepted,     ///< 200, committed
  duplicate,    ///< 200, `id` is that of the first
  rejected,     ///< 401, `code` is the reason
  unknown,      ///< 404
  handshake,    ///< the provider asked a question of its own: `response` answers it
  method,       ///< 405; the body of `response` lists the methods that the source takes
  rate_limited, ///< 429: beyond the tenant's quota of requests or bytes a second
  backlog_full, ///< 429: the tenant has as many live deliveries as its quota allows
  overloaded,   ///< 503: a bound of I13 is reached
  unavailable,  ///< 503: the store did not confirm in time; sending again is safe
};

/// LISTENER renders it (api.md, "Ingest").
struct ingest_answer {
  reply_address to;
  ingest_result result = ingest_result::unavailable;
  event_id id{};                                  ///< accepted, duplicate
  std::string_view code{};                        ///< rejected: a string literal, the reason
  std::shared_ptr<const fixed_answer> response{}; ///< what the provider demands in place of our own answer
  std::chrono::seconds retry_after{0};            ///< rate_limited, backlog_full: at least 1
};

/// Where answers go. Implemented by LISTENER: one post per io thread and call. Never blocks; callable from any thread.
class ingest_replies {
public:
  virtual ~ingest_replies() = default;
  virtual void answer(std::vector<ingest_answer> answers) = 0;
};

/// What is accepted from the network and not yet answered: the first bound of I13. Shared by all io threads.
class ingest_admission {
public:
  static constexpr std::int64_t events_max = 4'096;
  static constexpr std::int64_t bytes_max = 64LL << 20;

  /// False: a bound is reached; nothing was taken. A single body always fits when nothing else is there.
  bool try_enter(std::int64_t bytes) noexcept {
    const auto events = events_.fetch_add(1, std::memory_order_relaxed);
    const auto before = bytes_.fetch_add(bytes, std::memory_order_relaxed);
    if (events < events_max && (before == 0 || before + bytes <= bytes_max))
      return true;
    leave(bytes);
    return false;
  }
  void leave(std::int64_t bytes) noexcept {
    events_.fetch_sub(1, std::memory_order_relaxed);
    bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  }
  [[nodiscard]] std::int64_t events() const noexcept { return events_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }

private:
  std::atomic<std::int64_t> events_{0};
  std::atomic<std::int64_t> bytes_{0};
};

/// The duty to answer one request. Moves with the request through the engine; whoever drops it unanswered (a crashed
/// actor's mailbox, a store that shuts down) thereby answers 503, so that no provider waits for nothing. Not
/// thread-safe by itself: one owner.
class ingest_ticket {
public:
  ingest_ticket() = default;
  ingest_ticket(reply_address to, std::int64_t bytes, std::shared_ptr<ingest_replies> replies,
                std::shared_ptr<ingest_admission> admission) noexcept;
  ingest_ticket(ingest_ticket&&) noexcept = default;
  ingest_ticket& operator=(ingest_ticket&& other) noexcept;
  ~ingest_ticket();

  /// The answer, addressed; ends the duty. The caller hands a whole batch of them to `ingest_replies::answer`.
  ingest_answer settle(ingest_result outcome, event_id id = {}, std::string_view code = {}) noexcept;
  /// What the provider demands instead of our answer when it is accepted, now or before.
  void accept_with(std::shared_ptr<const fixed_answer> response) noexcept { on_accept_ = std::move(response); }
  /// Answers at once (off the hot path).
  void answer(ingest_result outcome, event_id id = {}, std::string_view code = {},
              std::shared_ptr<const fixed_answer> response = {});
  /// Answers at once that the tenant is over a quota.
  void refuse(ingest_result outcome, std::chrono::seconds retry_after);
  /// Empty after `settle`, `answer`, `refuse` or a move.
  explicit operator bool() const noexcept { return replies_ != nullptr; }
  [[nodiscard]] const std::shared_ptr<ingest_replies>& replies() const noexcept { return replies_; }

private:
  reply_address to_{};
  std::int64_t bytes_ = 0;
  std::shared_ptr<ingest_replies> replies_{};
  std::shared_ptr<ingest_admission> admission_{};
  std::shared_ptr<const fixed_answer> on_accept_{};
};

/// One request to `/in/{tenant}/{source}`, whole and within its limits, as it came.
struct ingest_request {
  std::string tenant; ///< path segment, decoded: slug or id
  std::string source; ///< path segment, decoded: name or id
  std::string method;
  std::string target;       ///< as sent, with query
  std::string headers;      ///< `name: value\r\n` each, as received (strict RFC 9112, no obs-fold)
  std::string content_type; ///< as sent, or empty
  std::string body;
  std::string remote_address;
  bool over_tls = false;      ///< how the provider called: told by a trusted proxy, or the connection's own
  std::string forwarded_host; ///< the host as the provider called it, where a trusted proxy tells another than `host`
  wall_time received_at{};
  ingest_ticket ticket;
};
using ingest_request_ptr = std::shared_ptr<ingest_request>;

/// The way in. Implemented by the actors' side (a directory of VERIFIERs); called by LISTENER on its io threads. Never
/// blocks.
class ingest_gate {
public:
  virtual ~ingest_gate() = default;
  /// Takes the request over. Its ticket is answered exactly once, whatever happens.
  virtual void submit(ingest_request_ptr request) = 0;
};

} // namespace postrider
