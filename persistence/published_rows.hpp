#pragma once

#include "core/delivery_lane.hpp"
#include "core/ids.hpp"
#include "core/shard.hpp"
#include "core/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pqxx {
class transaction_base;
} // namespace pqxx

/// Events that are made by management transactions, and deliveries made outside of the accept statement, with the
/// counters. As by that statement, each is one row of `event` and one of `delivery` per endpoint, in one transaction.
namespace postrider {

struct made_event {
  event_id id;
  std::string type, provider_event_id, content_type, body;
  std::optional<int> priority{};
};
struct made_delivery {
  delivery_id id;
  event_id event;
  endpoint_no endpoint = 0;
  wall_time due{};
  delivery_lane lane = delivery_lane::live_medium;
  std::optional<std::string> order_key{}; ///< of an ordered endpoint: it gets the next number there
};

/// The tenant's own: of source 0, without headers.
void insert_events(pqxx::transaction_base& transaction, tenant_no tenant, const std::vector<made_event>& events);
/// Pending ones; those with an order key are numbered in their order here, under the lock of their endpoint's counter
/// until COMMIT. An id that is taken stays as it is: whoever makes the same delivery twice by the same id makes it
/// once. How many were made.
std::int64_t insert_deliveries(pqxx::transaction_base& transaction, tenant_no tenant, shard_no shard,
                               const std::vector<made_delivery>& deliveries);

/// The id that a delivery of that event to that endpoint has when it is made later than its event: always the same, so
/// that it can be made once only. It has the event's millisecond (persistence/event_rows.hpp).
delivery_id later_delivery_id(const event_id& event, endpoint_no endpoint) noexcept;

} // namespace postrider
