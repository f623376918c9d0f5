#pragma once

#include "core/delivery_state.hpp"
#include "core/ids.hpp"

#include <cstdint>
#include <vector>

namespace pqxx {
class transaction_base;
} // namespace pqxx

/// What people do to deliveries, with the counters, in the caller's transaction. Rows are locked in the order of their
/// ids. Whoever calls has the tenant's number from the database: rows of others are not touched.
namespace postrider {

/// Those of `ids` that are in one of the final `states` become pending, due now, in a new generation. How many.
std::int64_t revive_deliveries(pqxx::transaction_base& transaction, tenant_no tenant, const std::vector<uuid>& ids,
                               const std::vector<delivery_state>& states);

struct cancelled_delivery {
  delivery_id id;
  endpoint_no endpoint = 0;
  bool running = false; ///< an attempt may run: its outcome decides (`delivery.cancel_asked`)
};
enum class locked_rows : std::uint8_t { wait, skip };

/// Those of `ids` that are in one of the live `states` become cancelled, or are marked to. Answers all of them. One
/// that was marked before for the same or a graver `reason` is left out, and with `skip` those that others hold just
/// now.
std::vector<cancelled_delivery> cancel_deliveries(pqxx::transaction_base& transaction, tenant_no tenant,
                                                  const std::vector<uuid>& ids,
                                                  const std::vector<delivery_state>& states, delivery_reason reason,
                                                  locked_rows others = locked_rows::wait);

/// Until the end of the transaction nobody erases (`others`), or nobody makes a delivery live again (`ours`: for
/// whoever erases). Else a delivery of an event could come to life while the event is being erased, and be sent empty.
/// Before what it guards is read.
enum class erasure_guard : std::uint8_t { others, ours };
void guard_erasures(pqxx::transaction_base& transaction, tenant_no tenant, erasure_guard from);

/// pending, in_flight, retry_wait.
const std::vector<delivery_state>& live_states();
/// succeeded, dead, cancelled.
const std::vector<delivery_state>& final_states();

} // namespace postrider
