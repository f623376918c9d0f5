#pragma once

#include "actors/management_store.hpp"
#include "persistence/parameters.hpp"

#include <utility>

/// Rows of `event` as the management API shows them. Include it in .cpp files only: it brings all of libpqxx.
namespace postrider {

/// Whoever makes a delivery gives its id the time of its event's, to the millisecond, however long after the event that
/// is: nothing indexes `event_id`, and the primary key (id) leads to all deliveries of that millisecond.
inline constexpr milliseconds delivery_window{1};

/// The ids that deliveries of that event have: from and below.
inline std::pair<uuid, uuid> delivery_ids_of(const event_id& event) noexcept {
  const auto at = time_of(event.value);
  return {least_uuid_v7(at), least_uuid_v7(at + delivery_window)};
}

/// The select list that `read_event` reads, of `event v left join source s`.
#define POSTRIDER_EVENT_COLUMNS                                                                                        \
  "v.id, coalesce(s.name, 'api') as source, v.type, v.provider_event_id, v.content_type, v.headers,"                   \
  " octet_length(v.body) as size, v.erased_at is not null as erased"

/// All but the deliveries.
inline event_record read_event(const pqxx::row& row) {
  event_record out;
  out.id = {read_uuid(row["id"])};
  out.source = row["source"].as<std::string>();
  out.type = row["type"].as<std::string>();
  out.provider_event_id = row["provider_event_id"].as<std::string>();
  out.content_type = row["content_type"].as<std::string>();
  out.headers = read_bytes(row["headers"]);
  out.size = row["size"].as<std::size_t>();
  out.erased = row["erased"].as<bool>();
  out.received_at = time_of(out.id.value);
  return out;
}

} // namespace postrider
