#pragma once

#include "actors/management_store.hpp"
#include "persistence/tenant_access.hpp"

namespace pqxx {
class transaction_base;
} // namespace pqxx

/// The list of a tenant's events, newest first, inside a transaction that `enter_tenant` has confined to it.
///
/// An event's id is made when its request has come in and holds that time: it is `received_at`. So the list goes by id,
/// along the primary key (tenant_no, id), day by day from the newest partition, and `since` and `until` are bounds of
/// the id: days outside of them are not looked at. `type` and `source` stand in no index (the accept path would pay for
/// it); they are looked for in slices of rows along the same key. The deliveries of the events found are counted in
/// runs, newest first: a delivery's id has its event's millisecond, so that of a page's deliveries no more than those
/// of the whole node that were made in the same milliseconds are looked at. The time for both is bounded: when it is
/// over, the page ends where the search stands, and the next one goes on from there. It may then hold fewer events than
/// its limit, even none.
namespace postrider {

struct event_list_bounds {
  std::int64_t slice = 5'000;    ///< rows looked at by one statement
  std::size_t run = 25;          ///< events whose deliveries one statement counts
  milliseconds searching{1'000}; ///< no further slice afterwards; one is always looked at
  milliseconds counting{2'000};  ///< from the start: no further run of events afterwards; one is always counted
};

page<event_record> list_events(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                               const event_filter& filter, const page_request& request,
                               const event_list_bounds& bounds = {});

} // namespace postrider
