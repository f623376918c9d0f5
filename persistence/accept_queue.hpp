#pragma once

#include "actors/store.hpp"
#include "core/metrics.hpp"
#include "core/turn_queue.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

namespace postrider {

/// An event on its way into the database.
struct queued_accept {
  accept_item_ptr item;
  std::size_t weight = 0;
  bool in_doubt = false;  ///< a statement with it was sent, and its fate is not known
  mono_time not_before{}; ///< when its statement may be tried again: an item that has to wait holds up no other
  mono_time queued_at{};
};

/// What waits for the accept writers: bounded by events and bytes, those that are just being written included, so that
/// an outage costs a known amount of memory. The tenants take turns in each batch, and none may have more waiting than
/// leaves room for others (core/fair_share.hpp): one that floods is refused, and delays nobody else. An item that is
/// past its deadline is handed out as expired by a thread of the queue's own, whatever the writers are waiting for.
/// Thread-safe.
class accept_queue {
public:
  struct limits {
    std::size_t events_max = 4'096;
    std::size_t bytes_max = 64U << 20;
    std::size_t batch_events_max = 256;
    std::size_t batch_bytes_max = 1U << 20;
    std::size_t batch_rows_max = 4'096;  ///< events and deliveries; one event alone may have more
    std::chrono::microseconds linger{0}; ///< a batch that is not full waits so long for more
  };
  using expired_handler = std::function<void(std::vector<queued_accept>)>;

  accept_queue(limits bounds, metrics& counts, expired_handler expired);
  ~accept_queue();
  accept_queue(const accept_queue&) = delete;
  accept_queue& operator=(const accept_queue&) = delete;

  /// False: full, for this tenant, or closed; the item stays with the caller.
  bool push(accept_item_ptr& item);
  /// All that waits, up to a batch; waits for the first until `until`. Empty: nothing came, or closed and drained.
  std::vector<queued_accept> take(mono_time until);
  /// Back to the head, or aside until `not_before`: their statement failed and is to be run again.
  void put_back(std::vector<queued_accept> items);
  /// They are answered: their room is free again.
  void answered(std::size_t events, std::size_t bytes);

  /// No more pushes. What waits can still be taken.
  void close();
  /// Expires all that waits, now.
  void expire_all();
  /// Whether nothing waits or is being written any more, at the latest at `until`.
  bool wait_drained(mono_time until);
  [[nodiscard]] bool closed() const;

private:
  [[nodiscard]] bool has_room(tenant_no tenant, std::size_t weight) const;
  void wait_again(queued_accept item, bool first);
  /// It waits no more.
  void left(const queued_accept& item);
  void watch_deadlines();
  std::vector<queued_accept> cut_batch();
  std::vector<queued_accept> cut_expired(mono_time now);
  void bring_back(mono_time now);

  const limits bounds_;
  metrics& metrics_;
  const expired_handler expired_;
  mutable std::mutex mutex_;
  std::condition_variable filled_;
  std::condition_variable drained_;
  std::condition_variable stopped_;
  turn_queue<queued_accept> waiting_; ///< by tenant
  std::unordered_map<tenant_no, std::size_t> waiting_bytes_;
  std::vector<queued_accept> aside_;     ///< until their `not_before`
  mono_time back_at_ = mono_time::max(); ///< the earliest of those
  std::size_t events_ = 0;               ///< waiting or being written
  std::size_t bytes_ = 0;
  bool closed_ = false;
  bool stopping_ = false;
  std::thread expiry_;
};

} // namespace postrider
